package sample

import (
	"math"
	"math/rand/v2"
)

// Phantom is a chest made of formulas: skin, fat, muscle, ribs, spine, lungs with vessels and a nodule, heart and great
// vessels, the dome of the liver, and the table beneath. Values are Hounsfield units.
type Phantom struct {
	seed    uint64
	size    float64 // of this body; 1 is average
	fat     float64 // thickness under the skin, mm
	blood   float64 // HU
	vessels []tube
	Nodule  Nodule
}

// Nodule is the finding that the phantom holds.
type Nodule struct {
	X, Y, Z float64 // patient coordinates, mm (PS3.3 C.7.6.2)
	Radius  float64 // mm
}

const (
	chestHeight = 300.0 // mm from apex to below the domes
	fieldOfView = 380.0 // mm
)

// NewPhantom builds the body of a seed, with contrast medium in the blood if enhanced.
func NewPhantom(seed uint64, enhanced bool) *Phantom {
	r := dice(seed, "phantom")
	p := &Phantom{seed: seed, size: 0.95 + 0.08*r.Float64(), fat: 7 + 8*r.Float64(), blood: 42}
	if enhanced {
		p.blood = 260
	}
	p.vessels = lungVessels(r)
	p.Nodule = Nodule{X: -78 + 10*r.Float64(), Y: 8 + 14*r.Float64(), Z: -(95 + 20*r.Float64()), Radius: 4.5 + 3*r.Float64()}
	return p
}

// Slice renders the plane z mm above the apex (so z is mostly negative), rows × columns, row by row from the front of
// the body, each row from the patient's right.
func (p *Phantom) Slice(z float64, rows, columns int) []int16 {
	c := newCanvas(rows, columns, fieldOfView, -z)
	p.paintWall(c)
	p.paintMediastinum(c)
	p.paintLungs(c)
	p.paintAbdomen(c)
	p.paintSpine(c)
	return p.expose(c)
}

// cage is the half-width and half-depth of the rib cage z below the apex.
func (p *Phantom) cage(z float64) (a, b float64) {
	return p.size * curve(z, -20, 30, 25, 78, 80, 112, 160, 126, 300, 131), p.size * curve(z, -20, 24, 25, 54, 80, 74, 160, 84, 300, 87)
}

const cageCentre = -6.0 // y of the rib cage's axis

// paintWall does everything outside the pleura, and fills the inside with lung.
func (p *Phantom) paintWall(c *canvas) {
	outerA := p.size*curve(c.z, -20, 172, 40, 170, 110, 160, 300, 152) + p.fat
	outerB := p.size*curve(c.z, -20, 84, 60, 100, 140, 106, 300, 108) + p.fat/2
	cageA, cageB := p.cage(c.z)
	c.each(-500, 500, -500, 500, func(i int, x, y float64) {
		c.hu[i] = -1000
		rim := math.Pow(math.Pow(math.Abs(x)/outerA, 2.5)+math.Pow(math.Abs(y-4)/outerB, 2.5), 0.4)
		if rim > 1 {
			p.table(c, i, x, y)
			return
		}
		ray := norm(x, y-4)
		depth := (1 - rim) * ray / max(rim, 0.01)
		inner := norm(x/cageA, (y-cageCentre)/cageB)
		side := step(0.2, 1, math.Abs(x)/outerA)
		thick := p.fat * (0.75 + 0.7*side + 0.35*grain(p.seed, x/30, y/30, c.z/40))
		switch {
		case inner < 0.965:
			c.set(i, lung, p.lungTissue(x, y, c.z))
		case depth < 1.8:
			c.set(i, wall, 20)
		case depth < thick:
			c.set(i, wall, -104+6*grain(p.seed+1, x/3, y/3, c.z/3))
		case inner < 1.06:
			c.set(i, wall, p.ribs(x, y, c.z, inner))
		default:
			c.set(i, wall, p.muscle(x, y, c.z, inner))
		}
	})
	p.paintScapulae(c)
	p.paintSternum(c)
}

// table is a thin curved shell with foam inside, below the back.
func (p *Phantom) table(c *canvas, i int, x, y float64) {
	top := 122 + p.fat/2 - x*x/1500
	if math.Abs(x) > 180 || y < top || y > top+22 {
		return
	}
	if c.hu[i] = -940; y < top+2 || y > top+20 || math.Abs(x) > 178 {
		c.hu[i] = -350
	}
}

// ribs run down from the spine to the front, so that a slice cuts each of them once a side.
func (p *Phantom) ribs(x, y, z, inner float64) float64 {
	around := math.Atan2(math.Abs(x), y-cageCentre) / math.Pi // 0 behind, 1 in front
	const pitch, drop = 25.0, 135.0
	phase := (z - drop*around + 400) / pitch
	if x > 0 {
		phase += 0.16
	}
	across := math.Abs(phase-math.Floor(phase)-0.5) * pitch
	through := math.Abs(inner-1.012) * 115
	edge := min(6-across, 5-through)
	switch {
	case around > 0.93 || edge < 0:
		return 35 + 25*grain(p.seed+2, x/5, y/5, z/5)
	case around > 0.78:
		return 105 // cartilage
	case edge < 1.7:
		return 720
	}
	return 230 + 80*grain(p.seed+3, x/2, y/2, z/2)
}

// muscle lies in sheets with fat between them; the back has the thick columns beside the spine.
func (p *Phantom) muscle(x, y, z, inner float64) float64 {
	layer := grain(p.seed+4, x/30, y/30, z/50) + 0.32*math.Sin((inner-1)*22+3*grain(p.seed+16, x/40, y/40, z/60))
	if column := norm((math.Abs(x)-27)/25, (y-88)/17); column < 1 {
		return 54 + 6*grain(p.seed+5, x/4, y/4, z/4)
	} else if column < 1.12 || layer > 0.66 || (y < -70 && math.Abs(x) < 9) {
		return -92
	}
	return 56 + 7*grain(p.seed+5, x/4, y/4, z/6)
}

func (p *Phantom) paintScapulae(c *canvas) {
	if c.z > 165 {
		return
	}
	for _, side := range []float64{-1, 1} {
		cageA, cageB := p.cage(c.z)
		along := func(at float64) point { // along the cage's back, at is the angle from straight behind
			return point{side * (cageA + 15) * math.Sin(at), cageCentre + (cageB+13)*math.Cos(at), c.z}
		}
		from, to := 0.62+c.z/700, 1.35-c.z/500
		const pieces = 9
		for _, layer := range []struct{ margin, hu float64 }{{4.5, 52}, {0, 560}} {
			for k := range pieces {
				bone := tube{from: along(from + (to-from)*float64(k)/pieces), to: along(from + (to-from)*float64(k+1)/pieces),
					radius: 2.2 + 1.8*step(5, 8, float64(k))}
				bone.paint(c, layer.margin, layer.hu, wall, inWall)
			}
		}
		if c.z < 70 {
			head := tube{point{side * 150, 8, 0}, point{side * 156, 12, 50}, 17, 330}
			head.paint(c, 2, 640, wall, inWall)
			head.paint(c, 0, 280, wall, inWall)
		}
	}
}

func inWall(t tissue) bool { return t == wall }

func (p *Phantom) paintSternum(c *canvas) {
	if c.z < 45 || c.z > 235 {
		return
	}
	_, cageB := p.cage(c.z)
	centre, wide := cageCentre-cageB-3, curve(c.z, 45, 27, 90, 17, 200, 15, 235, 6)
	c.each(-40, 40, centre-12, centre+12, func(i int, x, y float64) {
		switch in := norm(x/wide, (y-centre)/6.5); {
		case in < 0.72:
			c.set(i, wall, 170+60*grain(p.seed+6, x/2, y/2, c.z/2))
		case in < 1:
			c.set(i, wall, 520)
		case in < 1.5:
			c.set(i, wall, 40)
		}
	})
}

// lungTissue is denser towards the back, where blood gathers, and is never even.
func (p *Phantom) lungTissue(x, y, z float64) float64 {
	texture := 16*grain(p.seed+7, x/7, y/7, z/7) + 14*grain(p.seed+8, x/2.2, y/2.2, z/2.2)
	fissure := 0.0
	if d := math.Abs((y+10)*0.55 + (z-150)*0.8 - math.Abs(x)*0.1 + 5*grain(p.seed+9, x/40, 0, z/40)); d < 1.2 {
		fissure = 60
	}
	return -872 + 0.42*y + texture + fissure
}

func (p *Phantom) paintLungs(c *canvas) {
	for i := range p.vessels {
		v := &p.vessels[i]
		v.paint(c, 0, v.hu, lung, inLung)
	}
	n := p.Nodule
	c.each(n.X-20, n.X+20, n.Y-20, n.Y+20, func(i int, x, y float64) {
		dx, dy, dz := x-n.X, y-n.Y, -c.z-n.Z
		angle := math.Atan2(dy, dx)
		radius := n.Radius * (1 + 0.12*math.Sin(5*angle+1) + 0.08*math.Sin(9*angle))
		if share := min(1, (radius-norm(norm(dx, dy), dz))/1.6+0.5); share > 0 && c.tissue[i] == lung {
			c.hu[i] += float32(share) * (28 - c.hu[i])
		}
	})
}

// lungVessels grows a tree from each hilum, halving and thinning until it nears the pleura.
func lungVessels(r *rand.Rand) []tube {
	var all []tube
	var grow func(from point, dir point, radius float64, depth int)
	grow = func(from, dir point, radius float64, depth int) {
		if depth == 0 || radius < 0.35 {
			return
		}
		length := (10 + 16*r.Float64()) * math.Pow(radius/3, 0.25)
		bend := func(v float64) float64 { return v + 0.22*r.NormFloat64() }
		dir = unit(point{bend(dir.x), bend(dir.y), bend(dir.z)})
		to := point{from.x + dir.x*length, from.y + dir.y*length, from.z + dir.z*length}
		all = append(all, tube{from, to, radius, 38})
		side := unit(point{dir.y + 0.5*r.NormFloat64(), -dir.x + 0.5*r.NormFloat64(), r.NormFloat64()})
		for _, turn := range []float64{0.48, -0.48} {
			grow(to, unit(point{dir.x + turn*side.x, dir.y + turn*side.y, dir.z + turn*side.z}), radius*(0.74+0.13*r.Float64()), depth-1)
		}
	}
	for _, side := range []float64{-1, 1} {
		for k := range 16 {
			tilt := -1.2 + 2.6*float64(k)/15
			out := unit(point{side * (0.5 + 0.5*r.Float64()), 1.5*r.Float64() - 0.75, tilt})
			grow(point{side * 38, 12 + 7*r.NormFloat64(), 142 + 34*tilt}, out, 3.4, 9)
		}
	}
	return all
}

func unit(p point) point {
	l := norm(norm(p.x, p.y), p.z)
	return point{p.x / l, p.y / l, p.z / l}
}

// expose adds what the scanner adds: noise, more of it where the shoulders swallow the beam, then the blur of its
// reconstruction kernel. Values are cut to what 12 bits hold at an intercept of −1024.
func (p *Phantom) expose(c *canvas) []int16 {
	r := dice(p.seed^math.Float64bits(c.z), "noise")
	strong := 20 + 14*(1-step(0, 70, c.z))
	for i := range c.hu {
		sum := r.Uint64() // four 16-bit uniforms: near enough to a normal distribution
		noise := float64(sum&0xFFFF+sum>>16&0xFFFF+sum>>32&0xFFFF+sum>>48)/65536 - 2
		c.hu[i] += float32(noise * 1.73 * strong)
	}
	soft := make([]float32, len(c.hu))
	blur(c.hu, soft, c.rows, c.columns, 1, c.columns)
	blur(soft, c.hu, c.columns, c.rows, c.columns, 1)
	out := make([]int16, len(c.hu))
	for i, v := range c.hu {
		out[i] = int16(min(3071, max(-1024, math.Round(float64(v)))))
	}
	return out
}

// blur weighs each pixel with its two neighbours along one direction (1 2 1).
func blur(from, to []float32, lines, length, stride, lineStride int) {
	for l := range lines {
		for k := range length {
			i := l*lineStride + k*stride
			before, after := i, i
			if k > 0 {
				before = i - stride
			}
			if k+1 < length {
				after = i + stride
			}
			to[i] = (from[before] + 2*from[i] + from[after]) / 4
		}
	}
}
