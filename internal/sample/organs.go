package sample

import "math"

// mediastinum lists heart-near vessels, airways and gullet of an average chest; blood stands for the HU of the blood.
// Later ones are painted over earlier ones.
var mediastinum = []tube{
	{point{4, 30, -20}, point{4, 34, 190}, 7, 36},           // oesophagus
	{point{4, 34, 190}, point{16, 36, 280}, 8, 36},          //
	{point{-14, -12, -20}, point{-10, -12, 80}, 6, blood},   // brachiocephalic trunk
	{point{10, -16, -20}, point{6, -10, 80}, 4.5, blood},    // left carotid
	{point{26, 4, -20}, point{18, 6, 80}, 5, blood},         // left subclavian
	{point{-24, -24, -20}, point{-28, -16, 80}, 7.5, blood}, // right brachiocephalic vein
	{point{34, -28, 0}, point{-22, -24, 78}, 6.5, blood},    // left brachiocephalic vein
	{point{-29, -14, 80}, point{-30, -6, 170}, 10, blood},   // superior vena cava
	{point{-8, -20, 92}, point{24, 32, 92}, 12, blood},      // aortic arch
	{point{-10, -22, 92}, point{-14, -18, 130}, 15, blood},  // ascending aorta
	{point{-14, -18, 130}, point{2, -16, 185}, 16, blood},   //
	{point{26, 38, 92}, point{28, 44, 150}, 12, blood},      // descending aorta
	{point{28, 44, 150}, point{14, 42, 320}, 11.5, blood},   //
	{point{18, -26, 165}, point{20, -8, 125}, 13.5, blood},  // pulmonary trunk
	{point{20, -4, 128}, point{-38, 8, 134}, 9.5, blood},    // right pulmonary artery
	{point{22, -4, 122}, point{46, 16, 120}, 10, blood},     // left pulmonary artery
	{point{-38, 8, 134}, point{-52, 14, 165}, 7, blood},     //
	{point{46, 16, 120}, point{54, 22, 160}, 7, blood},      //
	{point{0, 12, 170}, point{-46, 18, 162}, 7, blood},      // pulmonary veins
	{point{8, 14, 172}, point{52, 20, 160}, 7, blood},       //
	{point{-30, -2, 215}, point{-26, 4, 320}, 11, blood},    // inferior vena cava
	{point{0, 2, -20}, point{0, 10, 108}, 8.5, air},         // trachea
	{point{0, 10, 108}, point{-26, 14, 138}, 7, air},        // main bronchi
	{point{0, 10, 108}, point{38, 18, 146}, 6.2, air},       //
	{point{-26, 14, 138}, point{-46, 22, 185}, 4.2, air},    // lower lobes
	{point{-26, 14, 138}, point{-58, -8, 128}, 3.2, air},    //
	{point{38, 18, 146}, point{52, 28, 190}, 4.2, air},      //
	{point{38, 18, 146}, point{60, -10, 132}, 3.2, air},     //
}

const (
	blood = math.MaxFloat64
	air   = -985
)

// ellipsoid is an organ or a chamber, turned in the plane of the slice.
type ellipsoid struct {
	centre  point
	a, b, c float64 // half axes along x, y and z before turning
	turn    float64 // radians
	hu      float64
}

// at is 0 in the centre, 1 on the surface.
func (e *ellipsoid) at(x, y, z float64) float64 {
	sin, cos := math.Sincos(e.turn)
	dx, dy := x-e.centre.x, y-e.centre.y
	return norm(norm((dx*cos+dy*sin)/e.a, (dy*cos-dx*sin)/e.b), (z-e.centre.z)/e.c)
}

var heart = ellipsoid{point{24, -18, 212}, 66, 47, 66, 0.5, 47}

var chambers = []ellipsoid{
	{point{-24, -12, 200}, 22, 24, 38, 0.3, blood}, // right atrium
	{point{8, -44, 215}, 33, 16, 40, 0.45, blood},  // right ventricle
	{point{46, -8, 218}, 33, 19, 42, 0.6, blood},   // left ventricle
	{point{8, 16, 190}, 28, 15, 24, 0.1, blood},    // left atrium
}

// paintMediastinum paints an envelope of fat round everything first, then the walls, then what they hold.
func (p *Phantom) paintMediastinum(c *canvas) {
	p.paintFat(c)
	for i := range mediastinum {
		if t := &mediastinum[i]; t.hu != air {
			t.paint(c, 5, -96, organ, inChest)
		} else {
			t.paint(c, 1.6, 20, organ, inChest)
		}
	}
	c.each(-80, 120, -90, 60, func(i int, x, y float64) {
		at := heart.at(x, y, c.z)
		lumps := 0.03 * grain(p.seed+10, x/14, y/14, c.z/14)
		switch {
		case at > 1.09+lumps || !inChest(c.tissue[i]):
		case at > 1+2*lumps:
			c.set(i, organ, -98)
		default:
			c.set(i, organ, heart.hu+3*grain(p.seed+11, x/6, y/6, c.z/6))
		}
	})
	c.each(-80, 120, -90, 60, func(i int, x, y float64) {
		for k := range chambers {
			if at := chambers[k].at(x, y, c.z); at < 1 && c.tissue[i] == organ {
				c.hu[i] = float32(p.blood - 3)
			}
		}
	})
	for i := range mediastinum {
		t := &mediastinum[i]
		if t.hu == blood {
			t.paint(c, 0, p.blood, organ, inChest)
		} else {
			t.paint(c, 0, t.hu, organ, inChest)
		}
	}
}

// paintFat is the loose tissue in front of and between the great vessels, widest at the top.
func (p *Phantom) paintFat(c *canvas) {
	_, cageB := p.cage(c.z)
	half := curve(c.z, -20, 42, 60, 33, 110, 26, 170, 22, 300, 30)
	c.each(-70, 70, -120, 75, func(i int, x, y float64) {
		front := (y - cageCentre) / cageB // −1 at the breast bone
		waist := half * (0.32 + 0.68*step(-1.05, -0.25, front)) * (1 - 0.3*step(0.25, 0.75, front))
		waist += 3 * grain(p.seed+12, 0, y/16, c.z/25)
		if math.Abs(x-4) < waist && c.tissue[i] == lung {
			c.set(i, organ, -88+18*grain(p.seed+13, x/5, y/5, c.z/8))
		}
	})
	for k := range 6 { // lymph nodes
		at := point{-14 + 9*float64(k), -30 + 11*float64(k%4), 85 + 14*float64(k)}
		node := tube{at, point{at.x + 3, at.y + 2, at.z + 4}, 2.2, 40}
		node.paint(c, 0, node.hu, organ, func(t tissue) bool { return t == organ })
	}
}

// paintAbdomen lets liver, stomach and spleen rise into the domes of the diaphragm.
func (p *Phantom) paintAbdomen(c *canvas) {
	liver := ellipsoid{point{-60, -4, 335}, 104, 104, 106, 0, 58}
	left := ellipsoid{point{74, 2, 335}, 78, 96, 92, 0, 46}
	stomach := ellipsoid{point{68, -26, 328}, 50, 42, 76, 0.4, 22}
	spleen := ellipsoid{point{94, 44, 328}, 30, 46, 76, -0.5, 52}
	enhanced := 0.0
	if p.blood > 100 {
		enhanced = 55
	}
	c.each(-160, 160, -120, 110, func(i int, x, y float64) {
		if !inChest(c.tissue[i]) {
			return
		}
		switch {
		case liver.at(x, y, c.z) < 1 && x < 40:
			vein := 0.0
			if d := math.Abs(grain(p.seed+14, x/26, y/26, c.z/26)); d < 0.06 {
				vein = -12 + 0.6*enhanced
			}
			c.set(i, organ, liver.hu+enhanced+vein)
		case c.tissue[i] != lung || left.at(x, y, c.z) >= 1:
		case stomach.at(x, y, c.z) < 1 && y < -38:
			c.set(i, organ, -960) // the bubble of air rises to the front
		case stomach.at(x, y, c.z) < 1:
			c.set(i, organ, stomach.hu)
		case spleen.at(x, y, c.z) < 1:
			c.set(i, organ, spleen.hu+enhanced)
		case left.at(x, y, c.z) > 0.93:
			c.set(i, organ, 48)
		default:
			c.set(i, organ, -100)
		}
	})
}

// paintSpine paints vertebrae of 25 mm, a disc between each two, and the processes that the muscles hold.
func (p *Phantom) paintSpine(c *canvas) {
	back := curve(c.z, -20, 34, 60, 48, 200, 54, 300, 50) * p.size // y of the vertebral bodies
	level := c.z/25 - math.Floor(c.z/25)
	disc := level > 0.82
	body := ellipsoid{point{0, back, c.z}, 19, 16, 1, 0, 0}
	canal := ellipsoid{point{0, back + 22, c.z}, 10, 8.5, 1, 0, 0}
	soft := ellipsoid{point{0, back + 2, c.z}, 25, 21, 1, 0, 0}
	c.each(-60, 60, back-30, back+70, func(i int, x, y float64) {
		in := body.at(x, y, c.z)
		ring := canal.at(x, y, c.z)
		switch {
		case ring < 0.55:
			c.set(i, wall, 38) // cord
		case ring < 1:
			c.set(i, wall, 12)
		case in < 1 && disc:
			c.set(i, wall, 85)
		case in < 0.9:
			c.set(i, wall, 175+70*grain(p.seed+15, x/1.8, y/1.8, c.z/1.8))
		case in < 1:
			c.set(i, wall, 560)
		case ring < 1.5 && y > back+10 && !disc:
			c.set(i, wall, 540)
		case soft.at(x, y, c.z) < 1 && c.tissue[i] != wall:
			c.set(i, wall, 30)
		}
	})
	low := math.Floor(c.z/25) * 25
	for _, bone := range []tube{
		{point{0, back + 33, low + 4}, point{0, back + 50, low + 22}, 3.6, 430},
		{point{12, back + 26, low + 8}, point{36, back + 32, low + 8}, 5.5, 380},
		{point{-12, back + 26, low + 8}, point{-36, back + 32, low + 8}, 5.5, 380},
	} {
		bone.paint(c, 1.2, 600, wall, anywhere)
		bone.paint(c, 0, bone.hu-120, wall, anywhere)
	}
}
