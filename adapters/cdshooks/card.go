package cdshooks

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"concord/hub/recognition"
	"concord/hub/recognition/advice"
	"concord/hub/recognition/ledger"
)

// card is CDS Hooks 2.0, Card Attributes.
type card struct {
	UUID              string       `json:"uuid"`
	Summary           string       `json:"summary"`
	Detail            string       `json:"detail,omitempty"`
	Indicator         string       `json:"indicator"`
	Source            source       `json:"source"`
	Suggestions       []suggestion `json:"suggestions,omitempty"`
	SelectionBehavior string       `json:"selectionBehavior,omitempty"`
	OverrideReasons   []coding     `json:"overrideReasons,omitempty"`
	Links             []link       `json:"links,omitempty"`
}

type source struct {
	Label string  `json:"label"`
	URL   string  `json:"url,omitempty"`
	Icon  string  `json:"icon,omitempty"`
	Topic *coding `json:"topic,omitempty"`
}

type coding struct {
	Code    string `json:"code"`
	System  string `json:"system"`
	Display string `json:"display,omitempty"`
}

type link struct {
	Label string `json:"label"`
	URL   string `json:"url"`
	Type  string `json:"type"`
}

type suggestion struct {
	Label         string   `json:"label"`
	UUID          string   `json:"uuid"`
	IsRecommended bool     `json:"isRecommended,omitempty"`
	Actions       []action `json:"actions"`
}

// action is one of a suggestion. To delete, 2.0 has resourceId, a relative reference; 1.1 has that text as the resource.
type action struct {
	Type        string `json:"type"`
	Description string `json:"description"`
	Resource    any    `json:"resource,omitempty"`
	ResourceID  string `json:"resourceId,omitempty"`
}

// Systems of the codes on cards.
const (
	topicSystem    = "urn:concord:recognition:topic"
	overrideSystem = "urn:concord:recognition:reason"
)

// space is the name space of the UUIDs of cards and suggestions (RFC 9562, version 5).
func space() uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("urn:concord:recognition:card"))
}

// cardID is the same for the same advice on the same draft in the same visit, or on the same day where no visit is named: a
// card that was shown when the order was selected and is shown again when it is signed is one card.
func cardID(member string, a *advice.Advice, one *advice.Answer, c *call) uuid.UUID {
	visit := c.encounter
	if visit == "" {
		visit = a.At.In(china()).Format(time.DateOnly)
	}
	parts := []string{member, a.Patient, visit, one.Order.ID, string(one.Decision.Outcome), a.Catalogue}
	for _, code := range one.Order.Exam.Codes {
		parts = append(parts, code.System+"|"+code.Code)
	}
	for d := range advice.Parts(&one.Decision) {
		if best := d.Best(); best != nil {
			parts = append(parts, best.ID)
		}
	}
	return uuid.NewSHA1(space(), []byte(strings.Join(parts, "\x00")))
}

// summaryOf is what the doctor reads first.
func (c *call) summaryOf(one *advice.Answer) string {
	t, d := c.tongue, &one.Decision
	name := c.nameOf(one)
	best := d.Best()
	if d.Panel != nil {
		passed := 0
		for i := range d.Members {
			if d.Members[i].Outcome == recognition.Recognisable {
				passed++
			}
		}
		return t.say("%s：%d/%d 项可互认", "%s: %d of %d may be recognised", name, passed, len(d.Members))
	}
	if best == nil {
		return name
	}
	r := one.Result(best.ID)
	about := strings.Join(nonEmpty(plain(r.ProducerName), c.day(r.Taken), plain(r.Value)), t.say("，", ", "))
	switch d.Outcome {
	case recognition.Recognisable:
		return t.say("可互认，不必重做：%s（%s）", "May be recognised, no need to repeat: %s (%s)", name, about)
	case recognition.Exempt:
		return t.say("已有结果，本次可重做：%s（%s）", "A result exists; it may be repeated: %s (%s)", name, about)
	}
	return t.say("已有结果，仅供参考：%s（%s）", "A result exists, for reference only: %s (%s)", name, about)
}

// nameOf is what the order is called: by the catalogue, else by its sender.
func (c *call) nameOf(one *advice.Answer) string {
	switch d := &one.Decision; {
	case d.Panel != nil:
		return c.tongue.of(d.Panel.Chinese, d.Panel.English)
	case d.Item != nil:
		return c.tongue.of(d.Item.Chinese, d.Item.English)
	}
	for _, text := range one.Order.Exam.Text {
		return plain(text)
	}
	return one.Order.ID
}

// card shows the advice on one order.
func (c *call) card(s *server, id uuid.UUID, one *advice.Answer, at time.Time) card {
	d := &one.Decision
	out := card{
		UUID: id.String(), Summary: cut(c.summaryOf(one), 139), Detail: c.detail(one), Indicator: "info",
		Source: c.source(s), OverrideReasons: c.reasons(s, one), Links: c.links(s, one),
	}
	if d.Outcome == recognition.Recognisable {
		out.Indicator = "warning"
	}
	if out.Suggestions = c.suggestions(s, id, one, at); len(out.Suggestions) > 0 {
		out.SelectionBehavior = "at-most-one"
	}
	return out
}

func (c *call) source(s *server) source {
	return source{
		Label: s.Source, URL: c.base + "/docs/cds-hooks", Icon: c.base + "/assets/icon.png",
		Topic: &coding{"mutual-recognition", topicSystem, c.tongue.of("检查检验结果互认", "Mutual recognition of results")},
	}
}

// reasons are what a doctor may answer who repeats the test all the same; the one that the order suggests comes first.
func (c *call) reasons(s *server, one *advice.Answer) []coding {
	if one.Decision.Outcome == recognition.ReferenceOnly {
		return nil // there is nothing to override
	}
	var list []coding
	for _, r := range s.Adviser.Catalogue().Refusals {
		this := coding{r.Code, overrideSystem, r.Chinese + " · " + r.English}
		if r.Code == one.Decision.Override {
			list = append([]coding{this}, list...)
		} else {
			list = append(list, this)
		}
	}
	return list
}

// links lead to the best results, first to what can be opened in a browser.
func (c *call) links(s *server, one *advice.Answer) (list []link) {
	l := advice.Links{Base: c.base, Viewer: s.Viewer}
	met := map[string]bool{}
	for d := range advice.Parts(&one.Decision) {
		best := d.Best()
		if best == nil || best.Outcome == recognition.NotRecognisable {
			continue
		}
		r := one.Result(best.ID)
		for _, to := range l.Of(r, one.Reports) {
			if !met[to.URL] && len(list) < 20 {
				met[to.URL] = true
				list = append(list, link{c.tongue.of(to.Chinese, to.English), to.URL, "absolute"})
			}
		}
	}
	return list
}

// suggestions let the doctor take the earlier result with one click: the draft goes, and a reference to the result takes its
// place. Where the result is for reference, the draft stays and refers to it.
func (c *call) suggestions(s *server, id uuid.UUID, one *advice.Answer, at time.Time) []suggestion {
	of := c.draftOf(one.Order.ID)
	if of == nil {
		return nil
	}
	part := func(what string) string { return uuid.NewSHA1(id, []byte(what)).String() }
	switch one.Decision.Outcome {
	case recognition.Recognisable:
		gone := action{Type: "delete", Description: c.tongue.of("取消本次申请", "Cancel this order"), ResourceID: one.Order.ID}
		if c.version == v11 {
			gone.Resource, gone.ResourceID = one.Order.ID, ""
		}
		actions := []action{gone}
		for d := range advice.Parts(&one.Decision) {
			if best := d.Best(); best != nil && best.Outcome == recognition.Recognisable {
				r := one.Result(best.ID)
				actions = append(actions, action{Type: "create", Description: c.tongue.of("引用已有结果", "Refer to the earlier result"), Resource: c.reference(r, one, at)})
			}
		}
		return []suggestion{{c.tongue.of("采用已有结果，取消本次申请", "Use the earlier result and cancel this order"), part("accept"), true, actions}}
	case recognition.ReferenceOnly, recognition.Exempt:
		best := one.Decision.Best()
		if best == nil || best.Outcome == recognition.NotRecognisable {
			return nil
		}
		r := one.Result(best.ID)
		updated := c.referring(of, r)
		if updated == nil {
			return nil
		}
		return []suggestion{{Label: c.tongue.of("在申请中引用已有结果", "Refer to the earlier result in the order"), UUID: part("refer"),
			Actions: []action{{Type: "update", Description: c.tongue.of("把已有结果列入申请的参考资料", "Add the earlier result to the order's supporting information"), Resource: updated}}}}
	}
	return nil
}

func (c *call) draftOf(id string) *draft {
	for i := range c.orders {
		if c.orders[i].ID == id {
			return &c.orders[i]
		}
	}
	return nil
}

type object = map[string]any

// reference is a DocumentReference to an earlier result at the hub, in place of the order.
func (c *call) reference(r *advice.Result, one *advice.Answer, at time.Time) object {
	out := object{
		"resourceType": "DocumentReference", "status": "current", "date": at.Format(time.RFC3339),
		"type":    object{"text": "互认结果 Recognised result"},
		"subject": object{"reference": "Patient/" + c.patient},
		"content": []object{{"attachment": object{"contentType": "application/fhir+json", "url": c.base + "/fhir/" + r.Name.String(), "title": cut(c.nameOf(one), 200)}}},
	}
	if c.encounter != "" {
		out["context"] = object{"encounter": []object{{"reference": "Encounter/" + c.encounter}}}
	}
	if r.ProducerName != "" {
		out["custodian"] = object{"display": r.ProducerName}
	}
	return out
}

// referring is the draft with the result among its supporting information, otherwise as it was sent.
func (c *call) referring(of *draft, r *advice.Result) object {
	dec := json.NewDecoder(strings.NewReader(string(of.resource.Raw())))
	dec.UseNumber()
	var order object
	if dec.Decode(&order) != nil {
		return nil
	}
	list, _ := order["supportingInfo"].([]any)
	order["supportingInfo"] = append(list, object{"reference": c.base + "/fhir/" + r.Name.String(), "display": cut(plain(r.Title), 200)})
	if r.Title == "" {
		order["supportingInfo"].([]any)[len(list)].(object)["display"] = string(r.Name.Type)
	}
	return order
}

// offer is what the ledger keeps of a card.
func (c *call) offer(id uuid.UUID, a *advice.Advice, one *advice.Answer, i int) ledger.Offer {
	o := ledger.Offer{Patient: a.Patient, Answer: *one, Card: id.String(), Hook: c.service.Hook, Instance: c.instance, Encounter: c.encounter, At: a.At}
	if of := c.draftOf(one.Order.ID); of != nil {
		for ident := range of.resource.Get("identifier").Items() {
			if v := ident.Get("value").Text(); v != "" {
				o.Identifiers = append(o.Identifiers, ledger.Identifier{System: ident.Get("system").Text(), Value: v})
			}
		}
	}
	o.Modality, o.BodyPart = strings.Join(one.Order.Exam.Modalities, " "), strings.Join(one.Order.Exam.Regions, " ")
	sent := c.prefetched("encounter", "Encounter")
	for ident := range sent.Get("identifier").Items() {
		if o.Visit == "" {
			o.Visit = ident.Get("value").Text()
		}
	}
	o.Department = sent.Get("serviceType").Get("text").Text()
	return o
}
