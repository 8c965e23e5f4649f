package upload

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
)

// multipart is a multipart/related body over files, each part read when its turn comes.
type multipart struct {
	boundary string
	size     int64
	files    []File
	parts    []*part // of the last open
	moved    func(int64)
}

const crlf = "\r\n"

func newMultipart(files []File, moved func(int64)) *multipart {
	m := &multipart{boundary: "concord-" + rand.Text(), files: files, moved: moved}
	for i, f := range files {
		m.size += int64(len(m.head(i))) + f.Size
	}
	m.size += int64(len(m.tail()))
	return m
}

func (m *multipart) head(i int) string {
	lead := crlf
	if i == 0 {
		lead = ""
	}
	return lead + "--" + m.boundary + crlf + "Content-Type: application/dicom" + crlf + crlf
}

func (m *multipart) tail() string { return crlf + "--" + m.boundary + "--" + crlf }

// open begins the body anew.
func (m *multipart) open() io.ReadCloser {
	m.rewind()
	m.parts = make([]*part, len(m.files))
	readers := make([]io.Reader, 0, 2*len(m.files)+1)
	for i, f := range m.files {
		m.parts[i] = &part{file: f, left: f.Size, hash: sha256.New(), moved: m.moved}
		readers = append(readers, strings.NewReader(m.head(i)), m.parts[i])
	}
	return &multipartBody{io.MultiReader(append(readers, strings.NewReader(m.tail()))...), m.parts}
}

// rewind takes back what the last open told moved.
func (m *multipart) rewind() {
	for _, p := range m.parts {
		m.moved(-p.sent())
	}
	m.parts = nil
}

// settle tells moved of the bytes that the hub answered without reading.
func (m *multipart) settle() {
	for _, p := range m.parts {
		m.moved(p.file.Size - p.sent())
	}
}

// broken returns the part that could not be read from disk, if any.
func (m *multipart) broken() (int, error) {
	for i, p := range m.parts {
		if err := p.failed(); err != nil {
			return i, err
		}
	}
	return 0, nil
}

func (m *multipart) local() error {
	_, err := m.broken()
	return err
}

func (m *multipart) digest(i int) string { return m.parts[i].digest() }

type multipartBody struct {
	io.Reader
	parts []*part
}

func (b *multipartBody) Close() error {
	for _, p := range b.parts {
		p.close()
	}
	return nil
}

// part reads exactly file.Size bytes of a file, opened at the first Read, and hashes them.
type part struct {
	file       File
	moved      func(int64)
	sync.Mutex // the transport may still read while the answer is there
	source     io.ReadCloser
	left       int64
	hash       hash.Hash
	err        error
	closed     bool
}

func (p *part) Read(b []byte) (int, error) {
	p.Lock()
	defer p.Unlock()
	if p.closed || p.err != nil {
		return 0, io.ErrClosedPipe
	}
	if p.left == 0 {
		p.shut()
		return 0, io.EOF
	}
	if p.source == nil {
		if p.source, p.err = p.file.open(); p.err != nil {
			return 0, p.err
		}
	}
	n, err := p.source.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.hash.Write(b[:n])
	p.moved(int64(n))
	switch {
	case err == io.EOF && p.left > 0:
		p.err = fmt.Errorf("the file became shorter while it was sent")
	case err != nil && err != io.EOF:
		p.err = err
	}
	return n, p.err
}

func (p *part) shut() {
	if p.source != nil {
		p.source.Close()
		p.source = nil
	}
}

func (p *part) close() {
	p.Lock()
	defer p.Unlock()
	p.closed = true
	p.shut()
}

// sent ends the part and says how much of it was read.
func (p *part) sent() int64 {
	p.close()
	return p.file.Size - p.left
}

func (p *part) failed() error {
	p.Lock()
	defer p.Unlock()
	return p.err
}

func (p *part) digest() string {
	p.Lock()
	defer p.Unlock()
	if p.left > 0 {
		return ""
	}
	return hex.EncodeToString(p.hash.Sum(nil))
}
