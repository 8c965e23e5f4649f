package dicomweb

import (
	"strconv"
	"strings"
)

// media is a media type or range with its parameters, names in lower case.
type media struct {
	typ    string
	params map[string]string
	q      float64
}

// parseMedia reads one media type tolerantly: viewers send `type=application/dicom` without the quotes that RFC 2045
// wants around a slash.
func parseMedia(s string) media {
	head, rest, _ := cutUnquoted(s, ';')
	m := media{typ: strings.ToLower(strings.TrimSpace(head)), params: map[string]string{}, q: 1}
	for rest != "" {
		var one string
		one, rest, _ = cutUnquoted(rest, ';')
		name, value, ok := strings.Cut(one, "=")
		if !ok {
			continue
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = strings.ReplaceAll(value[1:len(value)-1], `\`, "")
		}
		if name == "q" {
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				m.q = q
			}
			continue
		}
		m.params[name] = value
	}
	if t, ok := m.params["type"]; ok {
		m.params["type"] = strings.ToLower(t)
	}
	return m
}

// parseAccept reads the Accept headers of a request, and the accept query parameter that PS3.18 8.3.3.1 allows in their
// place. No header at all accepts anything.
func parseAccept(headers []string, query string) []media {
	if query != "" {
		headers = []string{query}
	}
	var list []media
	for _, h := range headers {
		for h != "" {
			var one string
			one, h, _ = cutUnquoted(h, ',')
			if m := parseMedia(one); m.typ != "" && m.q > 0 {
				list = append(list, m)
			}
		}
	}
	if len(list) == 0 {
		return []media{{typ: "*/*", params: map[string]string{}, q: 1}}
	}
	return list
}

// cutUnquoted is strings.Cut outside of double quotes.
func cutUnquoted(s string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// frameTypes are the media types of encapsulated frames by transfer syntax (PS3.18 table 8.7.3-2).
var frameTypes = map[string]string{
	"1.2.840.10008.1.2.4.50": "image/jpeg", "1.2.840.10008.1.2.4.51": "image/jpeg",
	"1.2.840.10008.1.2.4.57": "image/jpeg", "1.2.840.10008.1.2.4.70": "image/jpeg",
	"1.2.840.10008.1.2.4.80": "image/jls", "1.2.840.10008.1.2.4.81": "image/jls",
	"1.2.840.10008.1.2.4.90": "image/jp2", "1.2.840.10008.1.2.4.91": "image/jp2",
	"1.2.840.10008.1.2.4.92": "image/jpx", "1.2.840.10008.1.2.4.93": "image/jpx",
	"1.2.840.10008.1.2.4.201": "image/jphc", "1.2.840.10008.1.2.4.202": "image/jphc", "1.2.840.10008.1.2.4.203": "image/jphc",
	"1.2.840.10008.1.2.5": "image/dicom-rle",
}

// takesSyntax says whether a range admits what is stored. The hub hands out what is stored and does not transcode: a range
// without a transfer syntax, with *, or with the stored one admits it.
func (m media) takesSyntax(stored string) bool {
	ts := m.params["transfer-syntax"]
	return ts == "" || ts == "*" || ts == stored
}

// instanceAnswer chooses how instances are sent: multipart or, for one, bare. ok is false when nothing fits.
func instanceAnswer(accept []media, syntaxes []string, single bool) (multipart, ok bool) {
	for _, m := range accept {
		fits := true
		for _, ts := range syntaxes {
			fits = fits && m.takesSyntax(ts)
		}
		if !fits {
			continue
		}
		switch m.typ {
		case "multipart/related":
			if t := m.params["type"]; t == "" || t == "application/dicom" || t == "*/*" {
				return true, true
			}
		case "multipart/*", "*/*":
			return true, true
		case "application/dicom", "application/*":
			if single {
				return false, true
			}
		}
	}
	return false, false
}

// frameAnswer chooses the media type of frames and whether they come as multipart. ok is false when nothing fits.
func frameAnswer(accept []media, stored string, count int) (typ string, multipart, ok bool) {
	own := frameTypes[stored]
	const octets = "application/octet-stream"
	for _, m := range accept {
		if !m.takesSyntax(stored) {
			continue
		}
		inner := m.typ
		multi := false
		switch m.typ {
		case "multipart/related", "multipart/*", "*/*":
			inner, multi = m.params["type"], true
		}
		if !multi && count > 1 {
			continue
		}
		switch {
		case inner == "" || inner == "*/*":
			return octets, multi, true
		case inner == octets || inner == "application/*":
			return octets, multi, true
		case inner == own || inner == "image/*" && own != "":
			return own, multi, true
		}
	}
	return "", false, false
}
