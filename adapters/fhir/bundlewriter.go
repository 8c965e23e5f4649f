package fhir

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// bundleWriter builds a Bundle around resources' bytes as they are stored. It does not copy them: text holds all else,
// and each of the resources says where in it it belongs.
type bundleWriter struct {
	text      bytes.Buffer
	resources []placedPiece
	links     int
	entries   int
	err       error // of the first record that could not be read
}

// placedPiece belongs into a text before its byte at.
type placedPiece struct {
	at int
	piece
}

func newBundle(typ string, total int64) *bundleWriter {
	b := &bundleWriter{}
	fmt.Fprintf(&b.text, `{"resourceType":"Bundle","id":"%s","meta":{"lastUpdated":"%s"},"type":"%s"`,
		newID(), time.Now().UTC().Format(fhir.InstantFormat), typ)
	if total >= 0 {
		fmt.Fprintf(&b.text, `,"total":%d`, total)
	}
	return b
}

func (b *bundleWriter) link(relation, url string) {
	if b.links == 0 {
		b.text.WriteString(`,"link":[`)
	} else {
		b.text.WriteByte(',')
	}
	b.links++
	b.text.WriteString(`{"relation":"` + relation + `","url":`)
	b.quoted(url)
	b.text.WriteByte('}')
}

func (b *bundleWriter) quoted(s string) {
	b.text.WriteByte('"')
	for i := 0; i < len(s); i++ { // URLs and messages of our own; encoding/json would write & as an escape
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.text.WriteByte('\\')
			b.text.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b.text, `\u%04x`, c)
		default:
			b.text.WriteByte(c)
		}
	}
	b.text.WriteByte('"')
}

// stored puts a resource here that is not copied; it must not change any more.
func (b *bundleWriter) stored(body []byte) { b.put([]piece{textPiece(body)}) }

// record puts a record here with its attachments.
func (b *bundleWriter) record(rec *hub.Record) {
	all, err := pieces(rec)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.put(all)
}

func (b *bundleWriter) put(all []piece) {
	for _, p := range all {
		b.resources = append(b.resources, placedPiece{b.text.Len(), p})
	}
}

// begin opens the next entry; the caller writes its members and the closing brace.
func (b *bundleWriter) begin() {
	if b.entries == 0 {
		if b.links > 0 {
			b.text.WriteByte(']')
		}
		b.text.WriteString(`,"entry":[{`)
	} else {
		b.text.WriteString(`,{`)
	}
	b.entries++
}

// hit adds a search result.
func (b *bundleWriter) hit(base string, rec *hub.Record, mode string) {
	b.begin()
	b.text.WriteString(`"fullUrl":`)
	b.quoted(base + "/" + rec.Name.String())
	b.text.WriteString(`,"resource":`)
	b.record(rec)
	b.text.WriteString(`,"search":{"mode":"` + mode + `"}}`)
}

// version adds an entry of a history: resource, request and response. What made a version is not kept: that a PUT did
// is always true of its effect.
func (b *bundleWriter) version(base string, rec *hub.Record) {
	b.begin()
	b.text.WriteString(`"fullUrl":`)
	b.quoted(base + "/" + rec.Name.String())
	method, status := "PUT", "200 OK"
	switch {
	case rec.Deleted:
		method, status = "DELETE", "204 No Content"
	case rec.Version == 1:
		status = "201 Created"
	}
	if !rec.Deleted {
		b.text.WriteString(`,"resource":`)
		b.record(rec)
	}
	fmt.Fprintf(&b.text, `,"request":{"method":"%s","url":"%s"},"response":{"status":"%s","etag":"W/\"%d\"","lastModified":"%s"}}`,
		method, rec.Name, status, rec.Version, rec.Time.UTC().Format(fhir.InstantFormat))
}

// problem adds the outcome of an entry that was refused.
func (b *bundleWriter) problem(status int, outcome []byte) {
	b.begin()
	fmt.Fprintf(&b.text, `"response":{"status":"%d %s","outcome":`, status, http.StatusText(status))
	b.stored(outcome)
	b.text.WriteString(`}}`)
}

// ignored says which parameters a lenient search left out (R4 search.html#errors).
func (b *bundleWriter) ignored(faults []error) {
	b.begin()
	b.text.WriteString(`"resource":{"resourceType":"OperationOutcome","issue":[`)
	for i, err := range faults {
		if i > 0 {
			b.text.WriteByte(',')
		}
		b.text.WriteString(`{"severity":"warning","code":"not-supported","diagnostics":`)
		b.quoted("ignored: " + err.Error())
		b.text.WriteByte('}')
	}
	b.text.WriteString(`]},"search":{"mode":"outcome"}}`)
}

// pieces ends the bundle and returns its JSON in pieces.
func (b *bundleWriter) pieces() ([]piece, error) {
	if b.entries > 0 || b.links > 0 {
		b.text.WriteByte(']')
	}
	b.text.WriteByte('}')
	text, from := b.text.Bytes(), 0
	all := make([]piece, 0, 2*len(b.resources)+1)
	for _, r := range b.resources {
		if r.at > from {
			all = append(all, textPiece(text[from:r.at]))
		}
		all = append(all, r.piece)
		from = r.at
	}
	return append(all, textPiece(text[from:])), b.err
}

// answer is the bundle as an answer.
func (b *bundleWriter) answer() (*answer, error) {
	all, err := b.pieces()
	return &answer{body: all}, err
}
