package messages

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"concord/hub"
)

// Bytes are bytes of a message. In JSON they are a string if they are UTF-8, so that the log can be read by people, and
// else {"base64": "…"}.
type Bytes []byte

type base64Bytes struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if !utf8.Valid(b) {
		return json.Marshal(base64Bytes{b})
	}
	return hub.AppendText(make([]byte, 0, len(b)+len(b)/8+16), []byte(b)), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var coded base64Bytes
		err := json.Unmarshal(data, &coded)
		*b = coded.Base64
		return err
	}
	var text string
	err := json.Unmarshal(data, &text)
	*b = nil
	if text != "" {
		*b = Bytes(text)
	}
	return err
}

// compactJSON is v as JSON in one line, with < and & as they are.
func compactJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), err
}
