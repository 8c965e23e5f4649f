package sample

import "math"

// tissue is what a pixel shows, as far as painting has to know.
type tissue uint8

const (
	outside tissue = iota
	wall           // skin, fat, muscle and bone around the chest
	lung
	organ
)

// canvas is one slice while it is painted. Coordinates are millimetres: x to the patient's left, y to the back, and
// the slice lies z below the lungs' apex.
type canvas struct {
	rows, columns int
	pitch         float64 // of a pixel
	z             float64
	hu            []float32
	tissue        []tissue
}

func newCanvas(rows, columns int, fieldOfView, z float64) *canvas {
	return &canvas{rows: rows, columns: columns, pitch: fieldOfView / float64(max(rows, columns)), z: z,
		hu: make([]float32, rows*columns), tissue: make([]tissue, rows*columns)}
}

// each visits the pixels whose centres lie in the box.
func (c *canvas) each(x0, x1, y0, y1 float64, visit func(i int, x, y float64)) {
	cx, cy := float64(c.columns-1)/2, float64(c.rows-1)/2
	left := max(0, int(math.Ceil(x0/c.pitch+cx)))
	right := min(c.columns-1, int(math.Floor(x1/c.pitch+cx)))
	top := max(0, int(math.Ceil(y0/c.pitch+cy)))
	bottom := min(c.rows-1, int(math.Floor(y1/c.pitch+cy)))
	for row := top; row <= bottom; row++ {
		for column := left; column <= right; column++ {
			visit(row*c.columns+column, (float64(column)-cx)*c.pitch, (float64(row)-cy)*c.pitch)
		}
	}
}

func (c *canvas) set(i int, t tissue, hu float64) { c.tissue[i], c.hu[i] = t, float32(hu) }

// point is a place in the body.
type point struct{ x, y, z float64 }

// tube is a rounded cylinder: a vessel, an airway, a bone's process.
type tube struct {
	from, to point
	radius   float64
	hu       float64
}

// distance of a place in the slice from the tube's axis.
func (t *tube) distance(x, y, z float64) float64 {
	ax, ay, az := t.to.x-t.from.x, t.to.y-t.from.y, t.to.z-t.from.z
	px, py, pz := x-t.from.x, y-t.from.y, z-t.from.z
	along := 0.0
	if length := ax*ax + ay*ay + az*az; length > 0 {
		along = min(1, max(0, (px*ax+py*ay+pz*az)/length))
	}
	dx, dy, dz := px-along*ax, py-along*ay, pz-along*az
	return math.Sqrt(dx*dx + dy*dy + dz*dz)
}

// paint fills what the slice cuts of the tube, grown by margin, on the pixels that may be painted over. Where the cut
// is thinner than a pixel it is mixed with what lies there (partial volume).
func (t *tube) paint(c *canvas, margin, hu float64, as tissue, over func(tissue) bool) {
	r := t.radius + margin
	if c.z < min(t.from.z, t.to.z)-r || c.z > max(t.from.z, t.to.z)+r {
		return
	}
	reach := r + c.pitch
	c.each(min(t.from.x, t.to.x)-reach, max(t.from.x, t.to.x)+reach, min(t.from.y, t.to.y)-reach, max(t.from.y, t.to.y)+reach,
		func(i int, x, y float64) {
			if !over(c.tissue[i]) {
				return
			}
			share := min(1, (r-t.distance(x, y, c.z))/c.pitch+0.5)
			if share <= 0 {
				return
			}
			c.hu[i] += float32(share) * (float32(hu) - c.hu[i])
			if share > 0.5 {
				c.tissue[i] = as
			}
		})
}

func anywhere(tissue) bool      { return true }
func inLung(t tissue) bool      { return t == lung }
func inChest(t tissue) bool     { return t == lung || t == organ }
func norm(a, b float64) float64 { return math.Sqrt(a*a + b*b) }

// step rises smoothly from 0 at a to 1 at b.
func step(a, b, v float64) float64 {
	t := min(1, max(0, (v-a)/(b-a)))
	return t * t * (3 - 2*t)
}

// curve goes through (at, value) pairs with smooth steps; it is flat beyond its ends.
func curve(v float64, pairs ...float64) float64 {
	for i := 0; i+3 < len(pairs); i += 2 {
		if v < pairs[i+2] {
			return pairs[i+1] + (pairs[i+3]-pairs[i+1])*step(pairs[i], pairs[i+2], v)
		}
	}
	return pairs[len(pairs)-1]
}

// grain is smooth noise between −1 and 1 whose lumps measure about one unit.
func grain(seed uint64, x, y, z float64) float64 {
	fx, fy, fz := math.Floor(x), math.Floor(y), math.Floor(z)
	ix, iy, iz := uint64(int64(fx)), uint64(int64(fy)), uint64(int64(fz))
	tx, ty, tz := step(0, 1, x-fx), step(0, 1, y-fy), step(0, 1, z-fz)
	at := func(dx, dy, dz uint64) float64 {
		h := seed ^ (ix+dx)*0x9E3779B97F4A7C15 ^ (iy+dy)*0xC2B2AE3D27D4EB4F ^ (iz+dz)*0x165667B19E3779F9
		h = (h ^ h>>29) * 0xBF58476D1CE4E5B9
		return float64(int64(h^h>>32)) / (1 << 63)
	}
	mix := func(a, b, t float64) float64 { return a + (b-a)*t }
	return mix(
		mix(mix(at(0, 0, 0), at(1, 0, 0), tx), mix(at(0, 1, 0), at(1, 1, 0), tx), ty),
		mix(mix(at(0, 0, 1), at(1, 0, 1), tx), mix(at(0, 1, 1), at(1, 1, 1), tx), ty), tz)
}
