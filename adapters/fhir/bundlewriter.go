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
	resources []placedBytes
	links     int
	entries   int
}

// placedBytes belong into a text before its byte at.
type placedBytes struct {
	at    int
	bytes []byte
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

// stored puts bytes here that are not copied; they must not change any more.
func (b *bundleWriter) stored(bodies ...[]byte) {
	for _, body := range bodies {
		b.resources = append(b.resources, placedBytes{b.text.Len(), body})
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
	b.stored(rec.Body)
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
		b.stored(rec.Body)
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
func (b *bundleWriter) pieces() [][]byte {
	if b.entries > 0 || b.links > 0 {
		b.text.WriteByte(']')
	}
	b.text.WriteByte('}')
	text, from := b.text.Bytes(), 0
	all := make([][]byte, 0, 2*len(b.resources)+1)
	for _, r := range b.resources {
		all = append(all, text[from:r.at], r.bytes)
		from = r.at
	}
	return append(all, text[from:])
}
