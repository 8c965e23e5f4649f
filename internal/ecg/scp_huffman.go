package ecg

// huffman are the tables of section 2: the default one, own ones, or none, when samples are words of 16 bits.
type huffman struct {
	tables []huffmanTree
	words  bool
}

// scpDefaultTables is the number in section 2 that stands for the default table (5.5.3).
const scpDefaultTables = 19999

const huffmanCodes = 4096 // of all tables together

// huffmanTree has two branches a node; a leaf is the negated index of its code, less one. Node 0 is the root, no branch leads to it.
type huffmanTree struct {
	nodes [][2]int32
	codes []huffmanCode
}

type huffmanCode struct {
	extra int // bits behind the prefix: a number in two's complement
	base  int32
	// next is the table to go on with, −1 for none: then the code is a sample.
	next int
}

// add puts a code of n bits into the tree; they are sent from the lowest of code on.
func (t *huffmanTree) add(code uint32, n int, c huffmanCode) bool {
	if len(t.nodes) == 0 {
		t.nodes = append(t.nodes, [2]int32{})
	}
	at := int32(0)
	for i := range n {
		branch := &t.nodes[at][code>>i&1]
		switch {
		case *branch < 0, i == n-1 && *branch != 0:
			return false // a code begins with another
		case i == n-1:
			t.codes = append(t.codes, c)
			*branch = -int32(len(t.codes))
		case *branch == 0:
			next := int32(len(t.nodes))
			*branch = next
			t.nodes = append(t.nodes, [2]int32{})
			at = next
		default:
			at = *branch
		}
	}
	return true
}

// defaultHuffman: 0 is "0"; ±v up to 8 are v ones, a zero and the sign; beyond, nine ones, then a zero and eight bits or a
// one and sixteen (5.5.4).
func defaultHuffman() huffman {
	var t huffmanTree
	t.add(0, 1, huffmanCode{next: -1})
	for v := range int32(8) {
		ones := uint32(1)<<(v+1) - 1
		t.add(ones, int(v)+3, huffmanCode{base: v + 1, next: -1})
		t.add(ones|1<<(v+2), int(v)+3, huffmanCode{base: -v - 1, next: -1})
	}
	t.add(0x1ff, 10, huffmanCode{extra: 8, next: -1})
	t.add(0x3ff, 10, huffmanCode{extra: 16, next: -1})
	return huffman{tables: []huffmanTree{t}}
}

// huffmanOf reads section 2. Without the section, samples are words (5.5.1).
func huffmanOf(section []byte) (huffman, error) {
	if section == nil {
		return huffman{words: true}, nil
	}
	c := cursor{b: section}
	n, total := c.u16(), 0
	switch {
	case n == scpDefaultTables:
		return defaultHuffman(), nil
	case n == 0:
		return huffman{words: true}, nil
	}
	var h huffman
	for range n {
		var t huffmanTree
		for range c.u16() {
			prefix, whole, sample := c.u8(), c.u8(), c.u8()
			base, code := c.s16(), c.u32()
			total++
			leaf := huffmanCode{extra: whole - prefix, base: int32(base), next: -1}
			if sample == 0 {
				leaf = huffmanCode{next: base - 1}
			}
			switch {
			case c.short:
				return h, invalid("section 2", "the Huffman tables are longer than their section")
			case total > huffmanCodes:
				return h, tooLarge("section 2", "the Huffman tables have more than %d codes", huffmanCodes)
			case prefix < 1 || prefix > 32 || leaf.extra < 0 || leaf.extra > 24 || leaf.next >= n || sample == 0 && leaf.next < 0:
				return h, invalid("section 2", "code %d of table %d is malformed", len(t.codes)+1, len(h.tables)+1)
			case !t.add(uint32(code), prefix, leaf):
				return h, invalid("section 2", "code %d of table %d begins with another", len(t.codes)+1, len(h.tables)+1)
			}
		}
		h.tables = append(h.tables, t)
	}
	return h, nil
}

// decode turns up to n values out of p and undoes differences of order 0, 1 or 2 (5.8.3). Fewer come back where p ends, ok
// is false where it holds no code. Each value costs a bit at least.
func (h huffman) decode(p []byte, n int64, order int) (out []int32, ok bool) {
	next := h.codes(p)
	if h.words {
		next = words(p)
	}
	for int64(len(out)) < n {
		v, state := next()
		if state != decoded {
			return out, state == exhausted
		}
		k := len(out)
		switch {
		case order == 1 && k >= 1:
			v += out[k-1]
		case order == 2 && k >= 2:
			v += 2*out[k-1] - out[k-2]
		}
		out = append(out, v)
	}
	return out, true
}

type decoding uint8

const (
	decoded decoding = iota
	exhausted
	noCode
)

func words(p []byte) func() (int32, decoding) {
	c := cursor{b: p}
	return func() (int32, decoding) {
		v := c.s16()
		if c.short {
			return 0, exhausted
		}
		return int32(v), decoded
	}
}

func (h huffman) codes(p []byte) func() (int32, decoding) {
	table, pos := 0, 0
	bit := func() (int32, bool) {
		if pos>>3 >= len(p) {
			return 0, false
		}
		b := p[pos>>3] >> (7 - pos&7) & 1
		pos++
		return int32(b), true
	}
	return func() (int32, decoding) {
		for {
			t := &h.tables[table]
			at := int32(0)
			for {
				b, ok := bit()
				if !ok {
					return 0, exhausted
				}
				if len(t.nodes) == 0 || t.nodes[at][b] == 0 {
					return 0, noCode
				}
				if at = t.nodes[at][b]; at < 0 {
					break
				}
			}
			c := t.codes[-at-1]
			if c.next >= 0 {
				table = c.next
				continue
			}
			var extra int32
			for i := range c.extra {
				b, ok := bit()
				if !ok {
					return 0, exhausted
				}
				if i == 0 {
					extra = -b
					continue
				}
				extra = extra<<1 | b
			}
			return c.base + extra, decoded
		}
	}
}
