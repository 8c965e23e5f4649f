package fhir

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"concord/hub"
)

// A cursor is the position where a page ended, signed together with the search it belongs to: base64url of a 16-byte
// HMAC-SHA-256 and the position as JSON. The hub keeps nothing about it.

const macSize = 16

func cursorMAC(key []byte, search string, position []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("cursor\x00" + search + "\x00"))
	m.Write(position)
	return m.Sum(nil)[:macSize]
}

func sealCursor(key []byte, search string, p *hub.Position) string {
	raw, _ := json.Marshal(p) // numbers, booleans and a name: always possible
	return base64.RawURLEncoding.EncodeToString(append(cursorMAC(key, search, raw), raw...))
}

func openCursor(key []byte, search, cursor string) (*hub.Position, error) {
	bad := &hub.Error{Kind: hub.Invalid, Path: cursorParam, Msg: "the page cursor is not one that the hub gave for this search", Hint: "start again from the first page"}
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) <= macSize {
		return nil, bad
	}
	raw := data[macSize:]
	if !hmac.Equal(data[:macSize], cursorMAC(key, search, raw)) {
		return nil, bad
	}
	var p hub.Position
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, bad
	}
	return &p, nil
}
