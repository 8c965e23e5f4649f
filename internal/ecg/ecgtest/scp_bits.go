package ecgtest

// bits are written from the high end of each byte.
type bits struct {
	out []byte
	n   int
}

// put writes the n low bits of v, the highest first.
func (b *bits) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.out = append(b.out, 0)
		}
		b.out[b.n/8] |= byte(v>>i&1) << (7 - b.n%8)
		b.n++
	}
}

// word writes ones and zeros.
func (b *bits) word(s string) {
	for _, c := range s {
		b.put(uint32(c-'0'), 1)
	}
}

// tables is section 2.
func tables(c Coding) []byte {
	code := func(s []byte, prefix string, whole, sample, base int) []byte {
		reversed := 0
		for i, c := range prefix {
			reversed |= int(c-'0') << i
		}
		s = append(s, byte(len(prefix)), byte(whole), byte(sample))
		return long(word(s, base), reversed)
	}
	switch c {
	case Own:
		s := word(nil, 1, 4)
		s = code(s, "1", 1, 1, 0)
		s = code(s, "01", 6, 1, 0)
		s = code(s, "001", 19, 1, 0)
		return code(s, "0001", 4, 1, 9)
	case Switching:
		s := word(nil, 2, 2)
		s = code(s, "1", 1, 1, 0)
		s = code(s, "01", 2, 0, 2)
		s = word(s, 2)
		s = code(s, "0", 17, 1, 0)
		return code(s, "1", 1, 0, 1)
	}
	return word(nil, 19999)
}

func (c Coding) encode(values []int32) []byte {
	if c == Words {
		var out []byte
		for _, v := range values {
			out = word(out, int(v))
		}
		return out
	}
	var b bits
	for _, v := range values {
		switch c {
		case Default:
			b.standard(v)
		case Own:
			b.own(v)
		case Switching:
			if v == 0 {
				b.word("1")
				continue
			}
			b.word("010")
			b.put(uint32(v), 16)
			b.word("1")
		}
	}
	return b.out
}

func (b *bits) own(v int32) {
	switch {
	case v == 0:
		b.word("1")
	case v == 9:
		b.word("0001")
	case v >= -8 && v < 8:
		b.word("01")
		b.put(uint32(v), 4)
	default:
		b.word("001")
		b.put(uint32(v), 16)
	}
}

// standard is the default table.
func (b *bits) standard(v int32) {
	n := max(v, -v)
	switch {
	case n == 0:
		b.word("0")
	case n <= 8:
		for range n {
			b.word("1")
		}
		b.word("0")
		if v < 0 {
			b.word("1")
		} else {
			b.word("0")
		}
	case v >= -128 && v < 128:
		b.word("1111111110")
		b.put(uint32(v), 8)
	default:
		b.word("1111111111")
		b.put(uint32(v), 16)
	}
}
