package cdshooks

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"concord/hub/recognition/advice"
	"concord/internal/fhir"
)

// summary is what patient-view shows: one card with what may be recognised, and none where there is nothing.
func (c *call) summary(s *server, a *advice.Advice) []card {
	if len(a.Answers) == 0 {
		return nil
	}
	t := c.tongue
	names := make([]string, len(a.Answers))
	ids := []string{"patient-view", a.Patient, a.Catalogue}
	var b strings.Builder
	for _, d := range c.said {
		fmt.Fprintf(&b, "> ⚠ %s\n\n", escape(t.of(d.Chinese, d.English)))
	}
	for i := range a.Answers {
		one := &a.Answers[i]
		best := one.Decision.Best()
		r := one.Result(best.ID)
		names[i] = c.nameOf(one)
		ids = append(ids, best.ID)
		facts := nonEmpty(escape(r.ProducerName), c.day(r.Taken), escape(r.Value))
		if !best.Expires.IsZero() {
			facts = append(facts, t.of("有效至", "good until")+" "+moment(best.Expires))
		}
		fmt.Fprintf(&b, "- **%s** %s\n", escape(names[i]), strings.Join(facts, t.of("，", ", ")))
	}
	list := strings.Join(names, t.of("、", ", "))
	return []card{{
		UUID:    uuid.NewSHA1(space(), []byte(strings.Join(ids, "\x00"))).String(),
		Summary: cut(t.say("%d 项结果可互认：%s", "%d results may be recognised: %s", len(names), list), 139),
		Detail:  b.String(), Indicator: "info", Source: c.source(s),
	}}
}

// mostPrefetched is how many prefetched resources are compared with the hub's.
const mostPrefetched = 1000

// doubts adds to what the doctor is told which prefetched resources the hub has otherwise. They change nothing: only what the
// hub has itself was judged.
func (c *call) doubts(a *advice.Advice) {
	known := map[string]*advice.Result{}
	for i := range a.Answers {
		for k := range a.Answers[i].Results {
			if r := &a.Answers[i].Results[k]; r.ID == r.Name.String() {
				known[r.ID] = r
			}
		}
	}
	n := 0
	compare := func(v fhir.Value) {
		r := known[v.Get("resourceType").Text()+"/"+v.Get("id").Text()]
		if n++; r == nil || n > mostPrefetched || !r.Differs(v) {
			return
		}
		c.said = append(c.said, advice.Doubt{Element: "prefetch",
			Chinese: "预取的 " + r.ID + " 与平台记录不符，未采用", English: "the prefetched " + r.ID + " is not as the hub has it; it was not used"})
	}
	for _, v := range c.prefetch.Members() {
		compare(v)
		for entry := range v.Get("entry").Items() {
			compare(entry.Get("resource"))
		}
	}
}
