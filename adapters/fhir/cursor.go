package fhir

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"concord/hub"
)

// A cursor is the place where a page ended, signed together with the question it belongs to: base64url of a 16-byte
// HMAC-SHA-256 and the place as JSON. The hub keeps nothing about it.

// cursorParam carries it.
const cursorParam = "_after"

const macSize = 16

func cursorMAC(key []byte, question string, place []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("cursor\x00" + question + "\x00"))
	m.Write(place)
	return m.Sum(nil)[:macSize]
}

func sealCursor(key []byte, question string, place any) string {
	raw, _ := json.Marshal(place) // numbers, booleans and names: always possible
	return base64.RawURLEncoding.EncodeToString(append(cursorMAC(key, question, raw), raw...))
}

// openCursor reads a cursor into place; a cursor that the hub did not give for this question is Invalid.
func openCursor(key []byte, question, cursor string, place any) error {
	bad := &hub.Error{Kind: hub.Invalid, Path: cursorParam, Msg: "the page cursor is not one that the hub gave for this search", Hint: "start again from the first page"}
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) <= macSize {
		return bad
	}
	raw := data[macSize:]
	if !hmac.Equal(data[:macSize], cursorMAC(key, question, raw)) || json.Unmarshal(raw, place) != nil {
		return bad
	}
	return nil
}

// pages are the links between the pages of one question.
type pages struct {
	key      []byte
	url      string // of the question without parameters
	applied  string // its parameters as they were understood
	question string // what cursors are bound to
	cursor   string // of this page, empty on the first
}

// pages binds the answer's pages to the path and to what was applied.
func (s *Server) pages(q *question, applied, cursor string) pages {
	url := q.url()
	if n := len(q.path); n > 0 && q.path[n-1] == "_search" { // its links are for GET
		url = (&question{base: q.base, path: q.path[:n-1]}).url()
	}
	return pages{s.CursorKey, url, applied, url[len(q.base):] + "?" + applied, cursor}
}

// open reads this page's cursor into place; ok is false on the first page.
func (p *pages) open(place any) (ok bool, err error) {
	if p.cursor == "" {
		return false, nil
	}
	return true, openCursor(p.key, p.question, p.cursor, place)
}

// link writes self, first and, where next is not nil, next.
func (p *pages) link(b *bundleWriter, next any) {
	b.link("self", join(p.url, withCursor(p.applied, p.cursor)))
	if next != nil || p.cursor != "" {
		b.link("first", join(p.url, p.applied))
	}
	if next != nil {
		b.link("next", join(p.url, withCursor(p.applied, sealCursor(p.key, p.question, next))))
	}
}

func join(u, query string) string {
	if query == "" {
		return u
	}
	return u + "?" + query
}

func withCursor(query, cursor string) string {
	if cursor == "" {
		return query
	}
	if query != "" {
		query += "&"
	}
	return query + cursorParam + "=" + cursor
}
