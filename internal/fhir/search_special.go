package fhir

import (
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"concord/hub"
)

// inList compiles _list (R4 search.html#list): things that a List has as items.
func (s scope) inList(modifier, text string) ([]hub.Clause, error) {
	if err := s.checkModifier(listParam, modifier, nil); err != nil {
		return nil, err
	}
	values, err := s.alternatives(listParam, text)
	if err != nil {
		return nil, err
	}
	for i, id := range values {
		values[i] = strings.TrimPrefix(id, "List/")
		switch {
		case strings.HasPrefix(id, "$"):
			return nil, unsupported(listParam, "the hub keeps no functional lists such as "+strconv.Quote(id))
		case !ValidID(values[i]):
			return nil, invalid(listParam, "the id of a List is due")
		}
	}
	return s.has("List", "item", func(inner scope) ([]hub.Clause, error) {
		return inner.condition("_id", strings.Join(values, ","))
	})
}

// nearDefault is how far near reaches when it names no distance, in kilometres.
const nearDefault = 10

// near compiles latitude|longitude[|distance[|km or mi]] (R4 location.html#search).
func (s scope) near(p *Param, modifier, text string) ([]hub.Clause, error) {
	if err := s.checkModifier(p.Code, modifier, []string{"missing"}); err != nil {
		return nil, err
	}
	position := func(root Value) (lat, lon float64, ok bool) {
		lat, okLat := decimal(root.Get("position").Get("latitude"))
		lon, okLon := decimal(root.Get("position").Get("longitude"))
		return lat, lon, okLat && okLon
	}
	if modifier == "missing" {
		if text != "true" && text != "false" {
			return nil, p.invalid(text, ":missing is true or false")
		}
		return []hub.Clause{{Not: text == "true", Test: onRecord(func(root Value) bool { _, _, ok := position(root); return ok })}}, nil
	}
	values, err := s.alternatives(p.Code, text)
	if err != nil {
		return nil, err
	}
	circles := make([]circle, len(values))
	for i, value := range values {
		var ok bool
		if circles[i], ok = parseCircle(value); !ok {
			return nil, p.invalid(value, "latitude|longitude|distance|km or mi is due")
		}
	}
	return []hub.Clause{{Test: onRecord(func(root Value) bool {
		lat, lon, ok := position(root)
		return ok && slices.ContainsFunc(circles, func(c circle) bool { return c.distance(lat, lon) <= c.radius })
	})}}, nil
}

// circle is what lies within radius kilometres of a place in degrees (WGS 84).
type circle struct{ lat, lon, radius float64 }

func parseCircle(value string) (c circle, ok bool) {
	parts := splitValue(value, '|')
	if len(parts) < 2 || len(parts) > 4 {
		return c, false
	}
	kilometres := 1.0
	if len(parts) == 4 {
		switch parts[3] {
		case "", "km":
		case "m":
			kilometres = 0.001
		case "mi", "[mi_i]":
			kilometres = 1.609344
		default:
			return c, false
		}
	}
	c.radius = nearDefault
	for i, to := range []*float64{&c.lat, &c.lon, &c.radius}[:min(len(parts), 3)] {
		if i == 2 && parts[2] == "" {
			return c, len(parts) == 3 || parts[3] == ""
		}
		n, err := strconv.ParseFloat(parts[i], 64)
		if err != nil || !isDecimal(parts[i]) {
			return c, false
		}
		*to = n
	}
	if len(parts) > 2 {
		c.radius *= kilometres
	}
	return c, math.Abs(c.lat) <= 90 && math.Abs(c.lon) <= 180 && c.radius >= 0
}

// distance is in kilometres along a great circle (haversine formula, mean radius of the earth).
func (c circle) distance(lat, lon float64) float64 {
	const radius, degree = 6371.0088, math.Pi / 180
	sinLat, sinLon := math.Sin((lat-c.lat)*degree/2), math.Sin((lon-c.lon)*degree/2)
	h := sinLat*sinLat + math.Cos(c.lat*degree)*math.Cos(lat*degree)*sinLon*sinLon
	return 2 * radius * math.Asin(math.Min(1, math.Sqrt(h)))
}

// fullText compiles _text, on the narrative, and _content, on all texts of the resource (R4 search.html#content). All
// words of an alternative must occur, in any order; words in double quotes, next to each other.
func (s scope) fullText(code, modifier, text string) ([]hub.Clause, error) {
	if err := s.checkModifier(code, modifier, nil); err != nil {
		return nil, err
	}
	values, err := s.alternatives(code, text)
	if err != nil {
		return nil, err
	}
	alternatives := make([][]string, len(values))
	for i, value := range values {
		if alternatives[i] = phrases(unescapeValue(value)); len(alternatives[i]) == 0 {
			return nil, invalid(code, "no word to look for")
		}
	}
	return []hub.Clause{{Test: onRecord(func(root Value) bool {
		var b strings.Builder
		if code == textParam {
			narrative(&b, root.Get("text").Get("div").Text())
		} else {
			allTexts(&b, root)
		}
		whole := strings.Join(strings.Fields(fold(b.String())), " ")
		return slices.ContainsFunc(alternatives, func(words []string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !occurs(whole, w) })
		})
	})}}, nil
}

// phrases cuts a text search into folded words and quoted phrases.
func phrases(text string) []string {
	var all []string
	for i, part := range strings.Split(text, `"`) {
		words := strings.Fields(fold(part))
		if i%2 == 1 && len(words) > 0 {
			words = []string{strings.Join(words, " ")}
		}
		all = append(all, words...)
	}
	return all
}

// occurs reports whether word is in text, as a whole where the script separates words.
func occurs(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		first, width := utf8.DecodeRuneInString(word)
		last, _ := utf8.DecodeLastRuneInString(word)
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		if !(joined(before) && joined(first)) && !(joined(last) && joined(after)) {
			return true
		}
		from = i + width
	}
}

// joined reports whether r makes one word with a neighbour of its kind. Chinese and Japanese are written without spaces.
func joined(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// inline are the elements of XHTML that do not end a word.
const inline = " a abbr acronym b big cite code dfn em i kbd q samp small span strong sub sup tt u var "

// narrative adds the text of an XHTML fragment.
func narrative(b *strings.Builder, xhtml string) {
	for xhtml != "" {
		text, rest, found := strings.Cut(xhtml, "<")
		b.WriteString(html.UnescapeString(text))
		if !found {
			break
		}
		tag, after, _ := strings.Cut(rest, ">")
		name := strings.TrimPrefix(tag, "/")
		if end := strings.IndexAny(name, " \t\r\n/"); end >= 0 {
			name = name[:end]
		}
		if !strings.Contains(inline, " "+strings.ToLower(name)+" ") {
			b.WriteByte(' ')
		}
		xhtml = after
	}
	b.WriteByte('\n')
}

// allTexts adds all strings below v but for binary data.
func allTexts(b *strings.Builder, v Value) {
	switch v.Kind() {
	case String:
		b.WriteString(v.Text())
		b.WriteByte('\n')
	case Array:
		for item := range v.Items() {
			allTexts(b, item)
		}
	case Object:
		for name, member := range v.Members() {
			switch {
			case name == "data" && member.Kind() == String:
			case name == "div" && member.Kind() == String:
				narrative(b, member.Text())
			default:
				allTexts(b, member)
			}
		}
	}
}
