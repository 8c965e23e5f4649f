package hl7

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"concord/hub"
)

func frames(t *testing.T, r io.Reader, limit int) (all []string, broken int, err error) {
	f := NewFrames(r, limit)
	for {
		m, err := f.Next()
		if err != nil {
			return all, f.Broken, err
		}
		all = append(all, string(m))
	}
}

func TestFramesComeOutWhateverIsBetweenThem(t *testing.T) {
	for name, c := range map[string]struct {
		sent   string
		want   string
		broken int
	}{
		"one":                          {"\x0bA\x1c\r", "A", 0},
		"two in one packet":            {"\x0bA\x1c\r\x0bB\x1c\r", "A B", 0},
		"noise and line ends":          {"hello\r\n\x0bA\x1c\r\n\r\n\x0bB\x1c\r", "A B", 0},
		"no CR at the end":             {"\x0bA\x1c\x0bB\x1c", "A B", 0},
		"FS inside":                    {"\x0bA\x1cB\x1c\r", "A\x1cB", 0},
		"begun anew":                   {"\x0bhalf of i\x0bA\x1c\r", "A", 1},
		"longer than what is buffered": {"\x0b" + strings.Repeat("x", 9000) + "\x1c\r\x0bB\x1c\r", strings.Repeat("x", 9000) + " B", 0},
		"begun anew after much":        {"\x0b" + strings.Repeat("x", 9000) + "\x0bA\x1c\r", "A", 1},
		"nothing":                      {"", "", 0},
		"an empty one":                 {"\x0b\x1c\r\x0bB\x1c\r", " B", 0},
	} {
		for _, way := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			got, broken, err := frames(t, way(strings.NewReader(c.sent)), 1<<20)
			if strings.Join(got, " ") != c.want || broken != c.broken || err != io.EOF {
				t.Errorf("%s: %q, %d broken, %v", name, got, broken, err)
			}
		}
	}
}

func TestFramesThatAreNoneEndTheReading(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		is   func(error) bool
	}{
		"half a frame": {"\x0bMSH|", func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"no end":       {"\x0b" + strings.Repeat("x", 2000), func(err error) bool { return hub.Is(err, hub.TooLarge) }},
		"too large":    {"\x0b" + strings.Repeat("x", 1001) + "\x1c\r", func(err error) bool { return hub.Is(err, hub.TooLarge) }},
		"no frame":     {strings.Repeat("GET / HTTP/1.1\r\n", 200), func(err error) bool { return hub.Is(err, hub.Invalid) }},
	} {
		got, _, err := frames(t, strings.NewReader(c.sent), 1000)
		if len(got) != 0 || !c.is(err) {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
	if got, _, _ := frames(t, strings.NewReader("\x0b"+strings.Repeat("x", 1000)+"\x1c\r"), 1000); len(got) != 1 {
		t.Error("a message of just the limit is not taken")
	}
}

func TestAFrameWithoutEndIsCutAtTheCap(t *testing.T) {
	endless := &countingReader{}
	f := NewFrames(endless, 10<<20)
	room := 0
	f.Room = func(n int) error { room += n; return nil }
	begun, err := f.Next()
	if !hub.Is(err, hub.TooLarge) || endless.n > 11<<20 || room > 11<<20 || len(begun) < 10<<20 {
		t.Errorf("%v after %d bytes", err, endless.n)
	}
	no := errors.New("no room")
	f = NewFrames(&countingReader{}, 10<<20)
	f.Room = func(int) error { return no }
	if _, err := f.Next(); !errors.Is(err, no) {
		t.Errorf("without room: %v", err)
	}
}

type countingReader struct{ n int }

func (c *countingReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if c.n == 0 {
		p[0] = frameStart
	}
	c.n += len(p)
	return len(p), nil
}

func FuzzFrames(f *testing.F) {
	for _, s := range []string{"\x0bA\x1c\r", "noise\x0bA\x1cB\x1c\x0bC\x1c\r", "\x0b\x0b\x1c\x1c\r", "\x1c\r\x0b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		whole, _, _ := frames(t, bytes.NewReader(sent), 64)
		bytewise, _, _ := frames(t, iotest.OneByteReader(bytes.NewReader(sent)), 64)
		if strings.Join(whole, "\x0b") != strings.Join(bytewise, "\x0b") {
			t.Fatalf("%q at once, %q byte by byte", whole, bytewise)
		}
		for _, m := range whole {
			if len(m) > 64 || strings.ContainsRune(m, frameStart) {
				t.Fatalf("a frame %q", m)
			}
			back, _, _ := frames(t, bytes.NewReader(AppendFrame(nil, []byte(m))), 64)
			if len(back) != 1 || back[0] != m {
				if !strings.Contains(m, "\x1c") { // FS at its end and CR are an end
					t.Fatalf("%q came back as %q", m, back)
				}
			}
		}
	})
}
