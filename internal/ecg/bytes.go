package ecg

import "encoding/binary"

// cursor reads little-endian numbers from bytes that are there; past their end it gives zeros and is short.
type cursor struct {
	b     []byte
	at    int
	short bool
}

func (c *cursor) left() int { return len(c.b) - c.at }

// take is the next n bytes, or nil when fewer are left.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > c.left() {
		c.short, c.at = true, len(c.b)
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) u8() int {
	if p := c.take(1); p != nil {
		return int(p[0])
	}
	return 0
}

func (c *cursor) u16() int {
	if p := c.take(2); p != nil {
		return int(binary.LittleEndian.Uint16(p))
	}
	return 0
}

func (c *cursor) s16() int { return int(int16(c.u16())) }

func (c *cursor) u32() int64 {
	if p := c.take(4); p != nil {
		return int64(binary.LittleEndian.Uint32(p))
	}
	return 0
}
