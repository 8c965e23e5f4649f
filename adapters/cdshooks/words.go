package cdshooks

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/language"

	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// tongue is the language of a card: Chinese unless English is asked for.
type tongue bool

const (
	inChinese tongue = false
	inEnglish tongue = true
)

func tongueOf(accept string) tongue {
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return inChinese
	}
	_, i, _ := language.NewMatcher([]language.Tag{language.Chinese, language.English}).Match(tags...)
	return tongue(i == 1)
}

func (t tongue) of(chinese, english string) string {
	if t == inEnglish {
		return english
	}
	return chinese
}

func (t tongue) say(chinese, english string, args ...any) string {
	return fmt.Sprintf(t.of(chinese, english), args...)
}

func china() *time.Location { return fhir.ChinaTime() }

// day words when a result was taken.
func (c *call) day(s recognition.Span) string {
	if !s.Known() {
		return ""
	}
	return s.Latest.In(china()).Format("2006-01-02")
}

// moment words a time to the minute.
func moment(t time.Time) string { return t.In(china()).Format("2006-01-02 15:04") }

func nonEmpty(all ...string) (some []string) {
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

// plain is a text of somebody else's on one line, without anything that cannot be seen or that turns the line round.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	}), " ")
}

// cut shortens a text to so many characters, as browsers count them (UTF-16), and never inside one.
func cut(text string, most int) string {
	units := 0
	for i, r := range text {
		n := utf16.RuneLen(r)
		if units+n > most-1 && len(utf16.Encode([]rune(text[i:]))) > most-units {
			return text[:i] + "…"
		}
		units += n
	}
	return text
}

// escape makes a text of somebody else's mean nothing in Markdown or HTML (GitHub Flavored Markdown 6.1: a backslash before
// any ASCII punctuation makes it literal; entities serve clients that let HTML through).
func escape(text string) string {
	var b strings.Builder
	for _, r := range cut(plain(text), 300) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r < 0x80 && (unicode.IsPunct(r) || unicode.IsSymbol(r)):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mostShown is how many candidates a card lays out.
const mostShown = 3

// detail is the card's Markdown: the results, the best first, with every reason.
func (c *call) detail(one *advice.Answer) string {
	var b strings.Builder
	t := c.tongue
	for _, d := range c.said {
		fmt.Fprintf(&b, "> ⚠ %s\n\n", escape(t.of(d.Chinese, d.English)))
	}
	for d := range advice.Parts(&one.Decision) {
		if d.Item != nil && one.Decision.Panel != nil {
			fmt.Fprintf(&b, "### %s: %s\n\n", escape(t.of(d.Item.Chinese, d.Item.English)), c.outcome(d.Outcome))
		}
		c.reasonLines(&b, d.Reasons)
		shown := 0
		for j := range ranked(d) {
			if j.Outcome == recognition.NotRecognisable && shown > 0 {
				break
			}
			if shown++; shown > mostShown {
				break
			}
			c.candidate(&b, one, j)
		}
	}
	if one.More {
		fmt.Fprintf(&b, "%s\n\n", t.of("另有更早的结果，未列出。", "There are older results, which are not listed."))
	}
	fmt.Fprintf(&b, "%s %s", t.of("目录版本", "Catalogue"), escape(one.Decision.Catalogue))
	return b.String()
}

// candidate lays out one result.
func (c *call) candidate(b *strings.Builder, one *advice.Answer, j *recognition.Judgement) {
	t, r := c.tongue, one.Result(j.ID)
	var facts []string
	fact := func(chinese, english, text string) {
		if text != "" {
			facts = append(facts, t.of(chinese, english)+" "+text)
		}
	}
	fact("出具机构", "from", escape(r.ProducerName))
	if r.Taken.Known() {
		fact("检查（采样）时间", "taken", moment(r.Taken.Latest))
	}
	fact("结果", "value", escape(r.Value))
	if !j.Expires.IsZero() {
		fact("有效至", "good until", moment(j.Expires))
	}
	fact("互认标识", "mark", escape(j.Mark))
	fact("预计节省", "saves", escape(j.Saving.String()))
	fmt.Fprintf(b, "**%s** %s\n\n", c.outcome(j.Outcome), escape(r.Title))
	if len(facts) > 0 {
		fmt.Fprintf(b, "%s\n\n", strings.Join(facts, t.of("；", "; ")))
	}
	c.reasonLines(b, j.Reasons)
}

func (c *call) reasonLines(b *strings.Builder, reasons []recognition.Reason) {
	marks := map[recognition.Effect]string{recognition.Pass: "✓", recognition.Fail: "✗", recognition.Warn: "❗", recognition.Open: "？"}
	for _, r := range reasons {
		fmt.Fprintf(b, "- %s %s\n", marks[r.Effect], escape(c.tongue.of(r.Chinese(), r.English())))
	}
	if len(reasons) > 0 {
		b.WriteByte('\n')
	}
}

func (c *call) outcome(o recognition.Outcome) string {
	words := map[recognition.Outcome][2]string{
		recognition.Recognisable:    {"可互认", "may be recognised"},
		recognition.ReferenceOnly:   {"仅供参考", "for reference only"},
		recognition.NotRecognisable: {"不能互认", "not recognised"},
		recognition.Exempt:          {"可重做", "may be repeated"},
	}[o]
	return c.tongue.of(words[0], words[1])
}

// ranked yields the judgements of a decision, the best first.
func ranked(d *recognition.Decision) func(yield func(*recognition.Judgement) bool) {
	return func(yield func(*recognition.Judgement) bool) {
		rest := *d
		rest.Judgements = append([]recognition.Judgement(nil), d.Judgements...)
		for len(rest.Judgements) > 0 {
			best := rest.Best()
			one := *best
			if !yield(&one) {
				return
			}
			for i := range rest.Judgements {
				if rest.Judgements[i].ID == one.ID {
					rest.Judgements = append(rest.Judgements[:i], rest.Judgements[i+1:]...)
					break
				}
			}
		}
	}
}
