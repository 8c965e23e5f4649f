package webserver

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// How much of a body that was refused is still read, and for how long.
const (
	heardBytes = 8 << 20
	heardTime  = time.Second
)

// hear reads on for a little, and drops what it reads, when a request was refused before its body had come: most clients
// send all of it before they look for an answer, and would see a broken connection instead of one. Who asked first whether
// to send (Expect, RFC 9110 §10.1.1) sends nothing then.
func (s *Server) hear(c *gin.Context) {
	body := &noted{ReadCloser: c.Request.Body} // as the connection has it, whatever bounds are laid on it
	if c.Request.ContentLength != 0 {
		c.Request.Body = body
	}
	c.Next()
	if c.Writer.Status() < http.StatusBadRequest || c.Request.ContentLength == 0 || body.ended.Load() || c.Request.Header.Get("Expect") != "" {
		return
	}
	conn := http.NewResponseController(c.Writer)
	if conn.Flush() != nil || conn.SetReadDeadline(time.Now().Add(heardTime)) != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, body, heardBytes); err == io.EOF {
		conn.SetReadDeadline(time.Time{})
	}
}

// noted is a body that notes its end.
type noted struct {
	io.ReadCloser
	ended atomic.Bool // net/http allows Read in another goroutine than the handler's
}

func (n *noted) Read(p []byte) (int, error) {
	size, err := n.ReadCloser.Read(p)
	if err != nil {
		n.ended.Store(true)
	}
	return size, err
}
