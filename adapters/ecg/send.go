package ecg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"concord/hub/ecg"
	wave "concord/internal/ecg"
)

// original sends the bytes as they came, to be saved and not shown.
func (s *server) original(c *gin.Context, o *ecg.Original) {
	if s.unchanged(c, o, "original") {
		return
	}
	media, _, err := mime.ParseMediaType(o.Media)
	if err != nil {
		media = "application/octet-stream"
	}
	h := c.Writer.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="`+o.ID+ecg.Suffix(wave.Format(o.Format))+`"`)
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeader(http.StatusOK)
		return
	}
	body, err := o.Open(c.Request.Context())
	if err != nil {
		WriteError(c, err)
		return
	}
	defer body.Close()
	c.Writer.WriteHeader(http.StatusOK)
	if _, err := io.Copy(c.Writer, body); err != nil {
		c.Error(err) // the length given before tells the client that this is cut short
	}
}

// patience is how long a client may take to read a form that is sent while its recording is in memory.
const patience = 2 * time.Minute

// send writes a form; an error before its first byte is answered as one.
func (s *server) send(c *gin.Context, f form, r *recording) {
	h := c.Writer.Header()
	h.Set("Content-Type", f.media)
	if f.suffix != "" {
		disposition := "inline"
		if f.suffix != ".svg" && f.suffix != ".png" {
			disposition = "attachment"
		}
		h.Set("Content-Disposition", disposition+`; filename="`+r.original.ID+f.suffix+`"`)
	}
	if !f.streamed { // who reads slowly keeps nobody else waiting
		var whole bytes.Buffer
		err := f.write(s, &whole, r)
		r.leave()
		if err != nil {
			WriteError(c, err)
			return
		}
		h.Set("Content-Length", strconv.Itoa(whole.Len()))
		c.Writer.WriteHeader(http.StatusOK)
		if c.Request.Method != http.MethodHead {
			c.Writer.Write(whole.Bytes())
		}
		return
	}
	connection := http.NewResponseController(c.Writer)
	connection.SetWriteDeadline(time.Now().Add(patience)) // not supported only by test recorders
	defer connection.SetWriteDeadline(time.Time{})
	w := &begun{c: c, drop: c.Request.Method == http.MethodHead}
	switch err := f.write(s, w, r); {
	case err == nil:
		w.begin()
	case !w.yet:
		WriteError(c, err)
	default:
		c.Error(err)
		panic(http.ErrAbortHandler)
	}
}

// begun knows whether the answer has begun.
type begun struct {
	c    *gin.Context
	yet  bool
	drop bool
}

func (b *begun) begin() {
	if !b.yet {
		b.yet = true
		b.c.Writer.WriteHeader(http.StatusOK)
		b.c.Writer.WriteHeaderNow()
	}
}

func (b *begun) Write(p []byte) (int, error) {
	b.begin()
	if b.drop {
		return len(p), nil
	}
	if err := b.c.Request.Context().Err(); err != nil {
		return 0, err
	}
	return b.c.Writer.Write(p)
}

// unchanged sets the tag of a form and answers 304 where the client has it. A form follows from the bytes, the parameters and
// the hub's version; the facts from the resource, too.
func (s *server) unchanged(c *gin.Context, o *ecg.Original, name string) bool {
	sum := sha256.New()
	for _, part := range []string{o.SHA256, name, c.Request.URL.Query().Encode(), s.Version, s.PublicURL} {
		io.WriteString(sum, part+"\x00")
	}
	if name == "facts" || name == "sampled-data" {
		io.WriteString(sum, o.Changed)
	}
	tag := `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`
	if name == "original" {
		tag = `"` + o.SHA256 + `"`
	}
	c.Header("ETag", tag)
	c.Header("Cache-Control", "private, no-cache")
	for one := range strings.SplitSeq(strings.Join(c.Request.Header.Values("If-None-Match"), ","), ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return true
		}
	}
	return false
}
