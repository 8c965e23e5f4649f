package dicomweb

import (
	"slices"
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
	m.typ = registered(m.typ)
	if t, ok := m.params["type"]; ok {
		m.params["type"] = registered(strings.ToLower(t))
	}
	return m
}

// registered is the name of a media type that clients still call as earlier editions of PS3.18 did.
func registered(typ string) string {
	switch typ {
	case "image/x-dicom-rle":
		return "image/dicom-rle"
	case "image/x-jls":
		return "image/jls"
	}
	return typ
}

// parseAccept reads the Accept headers of a request, and the accept query parameters that PS3.18 8.3.3.1 allows in their
// place: the ranges that are wanted, the most wanted first. No header at all accepts anything, one that only refuses nothing.
func parseAccept(headers, query []string) []media {
	lists := headers
	if len(query) > 0 {
		lists = query
	}
	var list []media
	refused := false
	for _, h := range lists {
		for h != "" {
			var one string
			one, h, _ = cutUnquoted(h, ',')
			m := parseMedia(one)
			if m.typ == "" {
				continue
			}
			if m.q <= 0 {
				refused = true
				continue
			}
			if len(query) > 0 {
				m.restorePlus()
			}
			list = append(list, m)
		}
	}
	if len(list) == 0 && !refused {
		return []media{{typ: "*/*", params: map[string]string{}, q: 1}}
	}
	slices.SortStableFunc(list, func(a, b media) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	return list
}

// restorePlus puts the + back into types that came in a URL, where application/dicom+json reads as if it had a blank.
func (m *media) restorePlus() {
	m.typ = strings.ReplaceAll(m.typ, " ", "+")
	if t, ok := m.params["type"]; ok {
		m.params["type"] = strings.ReplaceAll(t, " ", "+")
	}
}

// inner is the type of the parts of a multipart range, of another the type itself.
func (m media) inner() string {
	if m.multipart() {
		return m.params["type"]
	}
	return m.typ
}

func (m media) multipart() bool { return m.typ == "multipart/related" || m.typ == "multipart/*" }

// covers says whether the range m admits the type typ, which "" and */* always do.
func covers(m, typ string) bool {
	if m == "" || m == "*/*" || m == typ {
		return true
	}
	group, wild := strings.CutSuffix(m, "*")
	return wild && strings.HasPrefix(typ, group)
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

// takesGzip reads Accept-Encoding as far as gzip is concerned (RFC 9110 12.5.3).
func takesGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if m := parseMedia(one); m.typ == "gzip" || m.typ == "x-gzip" {
			return m.q > 0
		}
	}
	return false
}
