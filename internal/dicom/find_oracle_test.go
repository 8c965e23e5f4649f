package dicom

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/width"
	"pgregory.net/rapid"

	"concord/hub"
)

// The oracle reads PS3.4 C.2.2.2 once more, slowly and without an index: one function a rule, over decoded JSON.

type oracle map[string]struct {
	VR    string `json:"vr"`
	Value []any
}

func decode(t testing.TB, body string) oracle {
	var o oracle
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return o
}

// values of an attribute as text; of names one text for each value, its groups joined.
func (o oracle) values(tag string) (all []string) {
	for _, v := range o[tag].Value {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case float64:
			all = append(all, strconv.FormatFloat(v, 'g', -1, 64))
		case map[string]any:
			groups := []string{}
			for _, g := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
				s, _ := v[g].(string)
				groups = append(groups, s)
			}
			all = append(all, strings.Join(groups, "="))
		}
	}
	return all
}

// asked is one parameter of a question.
type asked struct {
	path  []string // keywords or tags
	tags  []string // the same as tags
	vr    string
	value string
}

func (a asked) holds(t testing.TB, o oracle, combined bool) bool {
	if len(a.tags) > 1 {
		t.Fatal("sequences are asked for together")
	}
	if a.value == `""` {
		return len(o.values(a.tags[0])) == 0
	}
	var alternatives []string
	for _, v := range strings.Split(a.value, `\`) {
		if v = strings.TrimSpace(v); v != "" {
			alternatives = append(alternatives, v)
		}
	}
	if len(alternatives) == 0 || slices.ContainsFunc(alternatives, func(v string) bool {
		return strings.Trim(v, "*") == "" || a.vr == "PN" && strings.Trim(v, "*^= ") == ""
	}) {
		return true
	}
	for _, want := range alternatives {
		for _, have := range o.values(a.tags[0]) {
			if oneValue(a.vr, want, have) {
				return true
			}
		}
	}
	return false
}

func oneValue(vr, want, have string) bool {
	switch vr {
	case "DA":
		return inRange(want, have, "20060102", func(s string) string { return s }, func(s string) string { return s })
	case "TM":
		return inRange(want, have, "", func(s string) string { return pad(s, "000000.000000") }, func(s string) string { return pad(s, "595959.999999") })
	case "PN":
		return oneName(want, have)
	case "IS":
		w, _ := strconv.Atoi(want)
		h, _ := strconv.Atoi(have)
		return w == h
	case "UI":
		return want == have
	}
	return regexp.MustCompile("^(?s:" + wildcard(want) + ")$").MatchString(have)
}

func wildcard(s string) string {
	return strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(s))
}

// pad completes a time from the right: 10 begins at 100000.000000 and ends at 105959.999999.
func pad(s, with string) string {
	if i := strings.IndexByte(s, '.'); i < 0 && len(s) == 6 {
		s += "."
	}
	return s + with[len(s):]
}

// inRange compares as text what is written with so many digits. The record's value covers a stretch, too.
func inRange(want, have, layout string, lo, hi func(string) string) bool {
	if layout != "" {
		if _, err := time.Parse(layout, have); err != nil {
			return false
		}
	}
	from, to, isRange := strings.Cut(want, "-")
	if !isRange {
		to = from
	}
	return (from == "" || hi(have) >= lo(from)) && (to == "" || lo(have) <= hi(to))
}

func oneName(want, have string) bool {
	norm := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(width.Fold.String(s)))
		for _, r := range s {
			if r >= 0x3000 {
				return strings.NewReplacer("^", "", " ", "").Replace(s)
			}
		}
		return strings.TrimRight(strings.ReplaceAll(s, " ", "^"), "^")
	}
	group := func(want, have string) bool {
		if norm(have) == "" {
			return false
		}
		p := wildcard(norm(want))
		for strings.HasSuffix(p, `\^.*`) {
			p = strings.TrimSuffix(p, `\^.*`) + `(\^.*)?`
			if !strings.HasSuffix(strings.TrimSuffix(p, `(\^.*)?`), `\^.*`) {
				break
			}
		}
		return regexp.MustCompile("^" + p + "$").MatchString(norm(have))
	}
	if !strings.Contains(want, "=") {
		return slices.ContainsFunc(strings.Split(have, "="), func(h string) bool { return group(want, h) })
	}
	groups := strings.Split(have, "=")
	for i, w := range strings.Split(want, "=") {
		if strings.Trim(w, "*^ ") != "" && (i >= len(groups) || !group(w, groups[i])) {
			return false
		}
	}
	return true
}

// questionOf draws parameters and says whether the oracle finds the body by them.
type drawn struct {
	params map[string][]string
	list   []asked
}

func asks(keyword, tag, vr string, values ...string) func(*rapid.T) asked {
	return func(t *rapid.T) asked {
		name := keyword
		if rapid.Bool().Draw(t, "by tag") {
			name = tag
		}
		return asked{[]string{name}, []string{tag}, vr, rapid.SampledFrom(values).Draw(t, keyword)}
	}
}

func draw(t *rapid.T, from []func(*rapid.T) asked) drawn {
	d := drawn{params: map[string][]string{}}
	used := map[string]bool{}
	for range rapid.IntRange(1, 3).Draw(t, "keys") {
		a := rapid.SampledFrom(from).Draw(t, "key")(t)
		if used[a.tags[0]] {
			continue
		}
		used[a.tags[0]] = true
		d.list = append(d.list, a)
		d.params[a.path[0]] = append(d.params[a.path[0]], a.value)
	}
	return d
}

func studyQuestions() []func(*rapid.T) asked {
	return []func(*rapid.T) asked{
		asks("PatientID", "00100020", "LO", "A1", "a1", "A*", "?1", "*B*", "A1 B", "", `A1\B2`, `""`, `A?\b*`, "日*"),
		asks("AccessionNumber", "00080050", "SH", "X-1", "X*", "x*", "*", `""`),
		asks("StudyDescription", "00081030", "LO", "Chest CT", "chest*", "*胸部*", "*CT*", "???", `""`),
		asks("StudyDate", "00080020", "DA", "20240102", "20240102-20240103", "-20240102", "20240103-", "", `""`, `20240101\20240104`),
		asks("StudyTime", "00080030", "TM", "10", "1015", "101530.5", "101530.123456", "10-11", "-1015", "1016-", "101530.123456-"),
		asks("PatientName", "00100010", "PN", "Wang^Xiao", "wang xiao", "WANG*", "Wang^*", "王*", "王^小", "王小", "Wang*=王*", "=王*", "wang=*", "ｗａｎｇ*", "?ang^xiao", "*xiao", `Li^Lei\王*`, "*^*", "Wang", `""`),
		asks("PatientSex", "00100040", "CS", "M", "F", "?", "[M]", `M\O`, `""`),
		asks("ModalitiesInStudy", "00080061", "CS", "CT", "C*", `MR\CT`, "PT", `""`),
	}
}

func text(t *rapid.T, name string, values ...string) string {
	return rapid.SampledFrom(values).Draw(t, name)
}

func studyRecord(t *rapid.T) string {
	parts := []string{}
	put := func(tag, vr string, values ...string) {
		for i, v := range values {
			if v == "" {
				return
			}
			if !strings.HasPrefix(v, "{") {
				quoted, _ := json.Marshal(v)
				values[i] = string(quoted)
			}
		}
		parts = append(parts, fmt.Sprintf(`"%s":{"vr":"%s","Value":[%s]}`, tag, vr, strings.Join(values, ",")))
	}
	put("00080020", "DA", text(t, "date", "20240101", "20240102", "20240103", "20240104", "2024", ""))
	put("00080030", "TM", text(t, "time", "10", "1015", "101530", "101530.12345", "101530.123456", "110000", ""))
	put("00080050", "SH", text(t, "accession", "X-1", "x-2", ""))
	put("00080061", "CS", strings.Split(text(t, "modalities", "CT", "CT,MR", "US", ""), ",")...)
	put("00081030", "LO", text(t, "description", "Chest CT", "CHEST", "胸部 CT", "胸部x", ""))
	if name := text(t, "name", `Wang^Xiao=王^小`, `Wang`, `WANG^XIAO`, `Li^Lei=李^雷=Li`, `Wang Xiao`, `=王小`, ``); name != "" {
		groups := strings.Split(name, "=")
		object := map[string]string{}
		for i, key := range []string{"Alphabetic", "Ideographic", "Phonetic"} {
			if i < len(groups) && groups[i] != "" {
				object[key] = groups[i]
			}
		}
		data, _ := json.Marshal(object)
		put("00100010", "PN", string(data))
	}
	put("00100020", "LO", text(t, "id", "A1", "a1", "AB", "A1 B", "B2", "日1", ""))
	put("00100040", "CS", text(t, "sex", "M", "F", "[M]", ""))
	put("0020000D", "UI", "1.2.3")
	return "{" + strings.Join(parts, ",") + "}"
}

// finds runs a question as the hub does: terms first, then the record.
func finds(t testing.TB, level Level, params map[string][]string, body string) bool {
	f, err := CompileQIDO(level, params)
	if err != nil {
		t.Fatalf("%v: %v", params, err)
	}
	project := map[Level]func([]byte) (hub.Entry, error){Study: ProjectStudy, Series: ProjectSeries, Instance: ProjectInstance}[level]
	entry, err := project([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	q := f.Query()
	ok, err := q.Meets(&hub.Record{Body: []byte(body)}, &entry)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := f.Keys.Matches([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if matches != ok {
		t.Fatalf("%v: the index and its tests say %v, the keys alone %v\n%s", params, ok, matches, body)
	}
	return ok
}

func TestStudiesAreFoundAsTheSlowReadingOfTheStandardFindsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body := studyRecord(rt)
		d := draw(rt, studyQuestions())
		want := true
		o := decode(t, body)
		for _, a := range d.list {
			want = want && a.holds(t, o, false)
		}
		if combinable(d) {
			want = moments(d, o, want, t)
		}
		if got := finds(t, Study, d.params, body); got != want {
			rt.Fatalf("%v finds it: %v, want %v\n%s", d.params, got, want, body)
		}
	})
}

// combinable tells whether date and time are ranges of the same form.
func combinable(d drawn) bool {
	date, time := d.value("00080020"), d.value("00080030")
	if strings.Contains(date, `\`) || !strings.Contains(date, "-") || !strings.Contains(time, "-") {
		return false
	}
	return strings.HasPrefix(date, "-") == strings.HasPrefix(time, "-") && strings.HasSuffix(date, "-") == strings.HasSuffix(time, "-")
}

func (d drawn) value(tag string) string {
	for _, a := range d.list {
		if a.tags[0] == tag {
			return a.value
		}
	}
	return ""
}

// moments replaces the conditions on date and time by one on both.
func moments(d drawn, o oracle, _ bool, t testing.TB) bool {
	for _, a := range d.list {
		if a.tags[0] != "00080020" && a.tags[0] != "00080030" && !a.holds(t, o, false) {
			return false
		}
	}
	dates, times := o.values("00080020"), o.values("00080030")
	if len(dates) == 0 || len(dates[0]) != 8 {
		return false
	}
	lo, hi := dates[0]+"000000.000000", dates[0]+"235959.999999"
	if len(times) > 0 {
		lo, hi = dates[0]+pad(times[0], "000000.000000"), dates[0]+pad(times[0], "595959.999999")
	}
	fromDate, toDate, _ := strings.Cut(d.value("00080020"), "-")
	fromTime, toTime, _ := strings.Cut(d.value("00080030"), "-")
	return (fromDate == "" || hi >= fromDate+pad(fromTime, "000000.000000")) && (toDate == "" || lo <= toDate+pad(toTime, "595959.999999"))
}

// TestItemsOfSequencesAreMatchedAsAWhole: what is asked of a sequence must be in one item.
func TestItemsOfSequencesAreMatchedAsAWhole(t *testing.T) {
	steps, procedures := []string{"S1", "S2", ""}, []string{"R1", "R2", ""}
	rapid.Check(t, func(rt *rapid.T) {
		var items []string
		type item struct{ step, procedure string }
		var have []item
		for range rapid.IntRange(0, 3).Draw(rt, "items") {
			i := item{text(rt, "step", steps...), text(rt, "procedure", procedures...)}
			have = append(have, i)
			var parts []string
			if i.step != "" {
				parts = append(parts, `"00400009":{"vr":"SH","Value":["`+i.step+`"]}`)
			}
			if i.procedure != "" {
				parts = append(parts, `"00401001":{"vr":"SH","Value":["`+i.procedure+`"]}`)
			}
			items = append(items, "{"+strings.Join(parts, ",")+"}")
		}
		body := `{"0020000D":{"vr":"UI","Value":["1.2"]},"0020000E":{"vr":"UI","Value":["1.2.3"]},"00400275":{"vr":"SQ","Value":[` + strings.Join(items, ",") + `]}}`
		step, procedure := text(rt, "wanted step", "S1", "S2", "S?", ""), text(rt, "wanted procedure", "R1", "R2", "R*", "")
		params := map[string][]string{"00400275.00400009": {step}, "RequestAttributesSequence.RequestedProcedureID": {procedure}}
		want := step == "" && procedure == "" || slices.ContainsFunc(have, func(i item) bool {
			return (step == "" || i.step != "" && (i.step == step || step == "S?")) && (procedure == "" || i.procedure != "" && (i.procedure == procedure || procedure == "R*"))
		})
		if got := finds(t, Series, params, body); got != want {
			rt.Fatalf("%v finds it: %v, want %v\n%s", params, got, want, body)
		}
	})
}
