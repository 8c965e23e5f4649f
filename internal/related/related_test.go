package related

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns the parts of a body, "type:content" each, and how it ended.
func read(body io.Reader, boundary string) (parts []string, err error) {
	m, err := NewReader(body, boundary)
	if err != nil {
		return nil, err
	}
	for {
		p, err := m.Next()
		if err != nil {
			return parts, err
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return parts, err
		}
		parts = append(parts, p.ContentType+":"+string(data))
	}
}

func TestPartsAreReadAsTheyWereSent(t *testing.T) {
	long := strings.Repeat("\r\n--b\r-", 30_000)
	for name, c := range map[string]struct {
		body  string
		parts []string
	}{
		"two parts":                       {"--bound\r\nContent-Type: a/b\r\n\r\none\r\n--bound\r\n\r\ntwo\r\n--bound--\r\n", []string{"a/b:one", ":two"}},
		"no line end after the last":      {"--bound\r\n\r\none\r\n--bound--", []string{":one"}},
		"a preamble and an epilogue":      {"hello\r\n\r\n--bound\r\n\r\none\r\n--bound--\r\nmore\r\n--bound\r\n\r\nnot\r\n", []string{":one"}},
		"a line end before the first":     {"\r\n--bound\r\n\r\none\r\n--bound--", []string{":one"}},
		"white space after a delimiter":   {"--bound \t\r\n\r\none\r\n--bound  \r\n\r\ntwo\r\n--bound--", []string{":one", ":two"}},
		"empty parts":                     {"--bound\r\n\r\n\r\n--bound\r\n\r\n\r\n--bound--", []string{":", ":"}},
		"another boundary before":         {"--boundary\r\n\r\nzero\r\n--bound\r\n\r\none\r\n--bound--", []string{":one"}},
		"no parts":                        {"--bound--\r\n", nil},
		"line ends in the content":        {"--bound\r\n\r\n\r\n\r\n\r\n--bound--", []string{":\r\n\r\n"}},
		"another boundary in the content": {"--bound\r\n\r\n\r\n--boundary\r\n\r\n--bo\r\n--bound--", []string{":\r\n--boundary\r\n\r\n--bo"}},
		"header names in any case":        {"--bound\r\nX-More: 1\r\ncontent-TYPE:\ta/b; c=d \r\nContent-Length: 3\r\n\r\none\r\n--bound--", []string{"a/b; c=d:one"}},
		"lines without carriage return":   {"--bound\nContent-Type: a/b\n\none\r\n--bound--", []string{"a/b:one"}},
		"more than a buffer":              {"--bound\r\n\r\n" + long + "\r\n--bound\r\n\r\n" + long + long + "\r\n--bound--", []string{":" + long, ":" + long + long}},
	} {
		for how, from := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r },
			"single bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "the end with the bytes": iotest.DataErrReader} {
			parts, err := read(from(strings.NewReader(c.body)), "bound")
			if err != io.EOF || len(parts) != len(c.parts) {
				t.Errorf("%s, %s: %d parts, %v", name, how, len(parts), err)
				continue
			}
			for i := range parts {
				if parts[i] != c.parts[i] {
					t.Errorf("%s, %s: part %d is %.60q, expected %.60q", name, how, i, parts[i], c.parts[i])
				}
			}
		}
	}
}

func TestABodyThatBreaksOffIsNeverWhole(t *testing.T) {
	body := "--bound\r\nContent-Type: a/b\r\n\r\none\r\n--bound\r\nContent-Type: a/b\r\n\r\ntwo\r\n--bound--"
	for n := range len(body) {
		if parts, err := read(strings.NewReader(body[:n]), "bound"); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at byte %d: parts %q, %v", n, parts, err)
		}
		reset := errors.New("connection reset")
		if _, err := read(io.MultiReader(strings.NewReader(body[:n]), iotest.ErrReader(reset)), "bound"); !errors.Is(err, reset) {
			t.Errorf("connection reset at byte %d: %v", n, err)
		}
	}
}

func TestMalformedBodiesAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"a header without a colon":     "--bound\r\nnonsense\r\n\r\none\r\n--bound--",
		"a header without end":         "--bound\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\none\r\n--bound--",
		"many headers":                 "--bound\r\n" + strings.Repeat("X: xxxxxxxxxxxxxxxxxxxx\r\n", 1000) + "\r\none\r\n--bound--",
		"text behind a delimiter":      "--bound x\r\n\r\none\r\n--bound--",
		"one hyphen behind delimiters": "--bound\r\n\r\none\r\n--bound-\r\n\r\n",
	} {
		if parts, err := read(strings.NewReader(body), "bound"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: parts %q, %v", name, parts, err)
		}
	}
	for _, boundary := range []string{"", strings.Repeat("b", 201)} {
		if _, err := NewReader(strings.NewReader(""), boundary); !errors.Is(err, ErrMalformed) {
			t.Errorf("a boundary of %d bytes: %v", len(boundary), err)
		}
	}
}

func TestARestThatNobodyReadIsPassedOver(t *testing.T) {
	body := "--bound\r\n\r\n" + strings.Repeat("one", 50_000) + "\r\n--bound\r\n\r\ntwo\r\n--bound--"
	m, err := NewReader(strings.NewReader(body), "bound")
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Next()
	if err != nil {
		t.Fatal(err)
	}
	if piece, err := p.Take(4); string(piece) != "oneo" || err != nil {
		t.Errorf("first bytes %q, %v", piece, err)
	}
	if p, err = m.Next(); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(p); string(data) != "two" || err != nil {
		t.Errorf("second part %q, %v", data, err)
	}
	for range 2 {
		if _, err := m.Next(); err != io.EOF {
			t.Errorf("after the last part: %v", err)
		}
	}
}

// What mime/multipart writes is read as it was, whatever the content and the pieces it comes in.
func FuzzReadsWhatMultipartWrites(f *testing.F) {
	f.Add([]byte("one"), []byte("two"), "bound", 3)
	f.Add([]byte("\r\n--boun"), []byte("\r\n--bound"), "bound", 1)
	f.Add(bytes.Repeat([]byte("\r\n--"), 30_000), []byte{}, "b", 1000)
	f.Fuzz(func(t *testing.T, one, two []byte, boundary string, piece int) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		if w.SetBoundary(boundary) != nil {
			return
		}
		for _, data := range [][]byte{one, two} {
			p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"a/b"}})
			if err != nil {
				t.Fatal(err)
			}
			p.Write(data)
		}
		w.Close()
		if bytes.Count(body.Bytes(), []byte("--"+boundary)) != 3 {
			return // the content has the boundary in it
		}
		parts, err := read(&pieces{body.Bytes(), max(1, piece&0xFFFF)}, boundary)
		if err != io.EOF || len(parts) != 2 || parts[0] != "a/b:"+string(one) || parts[1] != "a/b:"+string(two) {
			t.Fatalf("%d parts, %v", len(parts), err)
		}
	})
}

func FuzzNeverPanicsNorTakesAnEndForGranted(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Type: a/b\r\n\r\none\r\n--b--"))
	f.Add([]byte("x\r\n--b \r\n a: b\r\n\r\n\r\n--b-"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := read(bytes.NewReader(body), "b")
		if err == io.EOF && !bytes.Contains(body, []byte("--b--")) {
			t.Fatalf("ended without a closing delimiter: %q", body)
		}
	})
}

// pieces gives at most n bytes at a time.
type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.n)], p.b)
	p.b = p.b[n:]
	return n, nil
}

// BenchmarkParts compares with mime/multipart on parts of the size of a CT slice.
func BenchmarkParts(b *testing.B) {
	content := make([]byte, 526<<10)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for range 10 {
		p, _ := w.CreatePart(nil)
		p.Write(content)
	}
	w.Close()
	b.Run("related", func(b *testing.B) {
		b.SetBytes(int64(body.Len()))
		for b.Loop() {
			m, _ := NewReader(bytes.NewReader(body.Bytes()), w.Boundary())
			for p, err := m.Next(); err == nil; p, err = m.Next() {
				for err == nil {
					_, err = p.Take(bufferSize)
				}
			}
		}
	})
	b.Run("multipart", func(b *testing.B) {
		buf := make([]byte, 128<<10)
		b.SetBytes(int64(body.Len()))
		for b.Loop() {
			m := multipart.NewReader(bytes.NewReader(body.Bytes()), w.Boundary())
			for p, err := m.NextRawPart(); err == nil; p, err = m.NextRawPart() {
				for err == nil {
					_, err = p.Read(buf)
				}
			}
		}
	})
}
