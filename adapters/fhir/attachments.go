package fhir

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Large base64Binary elements lie in a blob, one a record, each as a part of it; see fhir.Detached. Going in, they are
// put there before the write has its place in the queue: if it is refused, nobody refers to the blob. Coming out, an answer
// is a row of pieces, and those of attachments are read while they are sent.

// piece is a part of an answer's JSON: text, or an attachment.
type piece struct {
	text []byte
	rec  *hub.Record // whose attachment it is; nil for text
	part int
}

func textPiece(text []byte) piece { return piece{text: text} }

// size is the number of bytes that the piece is sent as.
func (p *piece) size() int64 {
	if p.rec == nil {
		return int64(len(p.text))
	}
	n := int64(0)
	spans := p.rec.Blob.Parts.Spans(p.part)
	for i := 1; i < len(spans); i += 2 {
		n += spans[i]
	}
	return (n + 2) / 3 * 4
}

// pieces are the JSON of a record as far as it was not cut off.
func pieces(rec *hub.Record) ([]piece, error) {
	if rec.Blob == nil {
		return []piece{textPiece(rec.Body)}, nil
	}
	doc, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", rec.Name.Type, &hub.Error{Kind: hub.Corrupt, Err: err})
	}
	var all []piece
	for text, i := range doc.Pieces() {
		all = append(all, textPiece(text))
		switch {
		case i < 0:
		case i >= rec.Blob.Parts.Len():
			return nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("version %d of a %s has no attachment %d", rec.Version, rec.Name.Type, i), Hint: "run: concord fsck"}
		default:
			all = append(all, piece{rec: rec, part: i})
		}
	}
	return all, nil
}

// attachment opens a part of the blob of a record that a Reader handed out to who.
func (s *Server) attachment(ctx context.Context, who access.Caller, rec *hub.Record, part int) (io.ReadCloser, error) {
	spans := rec.Blob.Parts.Spans(part)
	if len(spans) != 2 {
		return nil, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("attachment %d of a %s is not in one place", part, rec.Name.Type)}
	}
	return s.Reader.Blob(ctx, who, rec, spans[0], spans[1])
}

// send writes pieces one after the other. Nothing of an attachment but a buffer is in memory.
func (s *Server) send(ctx context.Context, who access.Caller, w io.Writer, all []piece) error {
	for i := range all {
		p := &all[i]
		if p.rec == nil {
			if _, err := w.Write(p.text); err != nil {
				return err
			}
			continue
		}
		if err := s.sendAttachment(ctx, who, w, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) sendAttachment(ctx context.Context, who access.Caller, w io.Writer, p *piece) error {
	r, err := s.attachment(ctx, who, p.rec, p.part)
	if err != nil {
		return err
	}
	defer r.Close()
	plain := make([]byte, 24<<10) // a multiple of three
	text := make([]byte, base64.StdEncoding.EncodedLen(len(plain)))
	for left := p.size(); ; {
		n, err := io.ReadFull(r, plain)
		base64.StdEncoding.Encode(text, plain[:n])
		sent, werr := w.Write(text[:base64.StdEncoding.EncodedLen(n)])
		if left -= int64(sent); werr != nil {
			return werr
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			if left == 0 {
				return nil
			}
			return &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("an attachment of a %s is not as long as it was", p.rec.Name.Type), Hint: "run: concord fsck"}
		default:
			return fmt.Errorf("send an attachment of a %s: %w", p.rec.Name.Type, &hub.Error{Kind: hub.Corrupt, Err: err})
		}
	}
}

// detach takes the large attachments of what is to be written out of it.
func (s *Server) detach(ctx context.Context, ops []*operation) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, op := range ops {
		if op.source == nil || op.blob != nil {
			continue
		}
		g.Go(func() error {
			d, err := op.source.Detach(s.Limits.Attachment, nil)
			if err != nil || len(d.Data) == 0 {
				return err
			}
			op.source = d.Doc
			op.blob, err = s.keepAll(ctx, d.Data, nil)
			return err
		})
	}
	return g.Wait()
}

// keepAll puts attachments into one new blob; those that are known are parts of the blob of a record.
func (s *Server) keepAll(ctx context.Context, all []fhir.Attachment, from *hub.Blob) (*hub.Blob, error) {
	var parts hub.Parts
	at := int64(0)
	blob, err := s.keep(ctx, "application/octet-stream", func(w io.Writer) error {
		for _, one := range all {
			n, err := int64(len(one.Bytes)), error(nil)
			if one.Bytes != nil {
				_, err = w.Write(one.Bytes)
			} else {
				n, err = s.copyPart(ctx, w, from, one.Known)
			}
			if err != nil {
				return err
			}
			parts.List = append(parts.List, []int64{at, n})
			at += n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	blob.Parts = &parts
	return blob, nil
}

// copyPart is for the hub's own use: nobody sees the bytes but who sees the version that is being made.
func (s *Server) copyPart(ctx context.Context, w io.Writer, from *hub.Blob, part int) (int64, error) {
	spans := from.Parts.Spans(part)
	if len(spans) != 2 {
		return 0, &hub.Error{Kind: hub.Corrupt, Msg: fmt.Sprintf("attachment %d is not in one place", part)}
	}
	r, err := from.Open(ctx, s.Blobs, spans[0], spans[1])
	if err != nil {
		return 0, fmt.Errorf("copy an attachment: %w", err)
	}
	defer r.Close()
	n, err := io.Copy(w, r)
	if err == nil && n != spans[1] {
		err = &hub.Error{Kind: hub.Corrupt, Msg: "an attachment is shorter than it was", Hint: "run: concord fsck"}
	}
	return n, err
}

// keep makes a new blob of what write writes, under a key of its own.
func (s *Server) keep(ctx context.Context, media string, write func(io.Writer) error) (*hub.Blob, error) {
	stage, err := s.Blobs.Stage(ctx)
	if err != nil {
		return nil, err
	}
	defer stage.Discard()
	sum, size := sha256.New(), counter(0)
	if err := write(io.MultiWriter(stage, sum, &size)); err != nil {
		return nil, err
	}
	key := fmt.Sprintf("blob/fhir/%s/%s", time.Now().UTC().Format("20060102/15"), strings.ToLower(rand.Text()))
	if err := stage.Publish(ctx, key); err != nil {
		return nil, fmt.Errorf("keep an attachment: %w", err)
	}
	if s.Took != nil {
		s.Took(int64(size))
	}
	return &hub.Blob{Key: key, Size: int64(size), SHA256: hex.EncodeToString(sum.Sum(nil)), Media: media}, nil
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
