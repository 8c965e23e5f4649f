package cdshooks

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/advice"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// call is one hook as it was sent.
type call struct {
	service   service
	version   dialect
	base      string
	tongue    tongue
	instance  string
	patient   string // context.patientId
	encounter string // context.encounterId, empty for none
	user      string // context.userId
	orders    []draft
	prefetch  fhir.Value
	// exceptions are flags for all orders, from the call's extension.
	exceptions []string
	// said is what the doctor must be told besides: what was sent and contradicts the hub.
	said []advice.Doubt
}

// draft is an order of the call.
type draft struct {
	advice.Order
	resource fhir.Value
	path     string
}

// Exceptions are read from an extension of an order and of the call that has this name.
const exceptionExtension = advice.ExceptionExtension

var (
	uuidGrammar = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	idGrammar   = regexp.MustCompile(`^[A-Za-z0-9\-.]{1,64}$`)
)

// limits of the JSON: deeper is no hook.
const mostDepth = 64

func invalid(path, msg string) error { return &hub.Error{Kind: hub.Invalid, Path: path, Msg: msg} }

// readJSON reads a body as JSON of limited size and depth.
func (s *server) readJSON(r *http.Request) (fhir.Value, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fhir.Value{}, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "a hook is application/json"}
	}
	body, err := webbody.Reader(r, s.Limits.Body)
	if err != nil {
		return fhir.Value{}, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fhir.Value{}, err
	}
	doc, err := fhir.Parse(data, fhir.Limits{Depth: mostDepth})
	if err != nil {
		return fhir.Value{}, err
	}
	if doc.Root().Kind() != fhir.Object {
		return fhir.Value{}, invalid("", "the body is a JSON object")
	}
	return doc.Root(), nil
}

// read reads a call and checks it against the standard (CDS Hooks 2.0, HTTP Request) and its hook's context.
func (s *server) read(r *http.Request, svc service) (*call, error) {
	root, err := s.readJSON(r)
	if err != nil {
		return nil, err
	}
	c := &call{service: svc, instance: root.Get("hookInstance").Text(), prefetch: root.Get("prefetch")}
	if hook := root.Get("hook"); hook.Kind() != fhir.String || hook.Text() != svc.Hook {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "hook", Msg: "this service is for the hook " + svc.Hook}
	}
	if !uuidGrammar.MatchString(c.instance) {
		return nil, invalid("hookInstance", "hookInstance is a UUID")
	}
	if err := checkServer(root); err != nil {
		return nil, err
	}
	if k := c.prefetch.Kind(); k != fhir.Absent && k != fhir.Null && k != fhir.Object {
		return nil, invalid("prefetch", "prefetch is an object")
	}
	context := root.Get("context")
	if context.Kind() != fhir.Object {
		return nil, invalid("context", "context is an object")
	}
	for e := range root.Get("extension").Get(exceptionExtension).Items() {
		c.exceptions = append(c.exceptions, e.Text())
	}
	return c, c.readContext(context)
}

// checkServer looks at the form of fhirServer and fhirAuthorization. Neither is used.
func checkServer(root fhir.Value) error {
	server, authorization := root.Get("fhirServer"), root.Get("fhirAuthorization")
	if authorization.Kind() != fhir.Absent {
		if authorization.Kind() != fhir.Object {
			return invalid("fhirAuthorization", "fhirAuthorization is an object")
		}
		if server.Kind() == fhir.Absent {
			return invalid("fhirServer", "fhirServer is needed beside fhirAuthorization")
		}
	}
	if server.Kind() == fhir.Absent {
		return nil
	}
	if u, err := url.Parse(server.Text()); server.Kind() != fhir.String || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return invalid("fhirServer", "fhirServer is an absolute http or https URL")
	}
	return nil
}

// readContext reads the context of the hook: order-select 1.0, order-sign 1.0 and 1.1, patient-view 1.0.
func (c *call) readContext(v fhir.Value) error {
	c.user, c.patient, c.encounter = v.Get("userId").Text(), v.Get("patientId").Text(), v.Get("encounterId").Text()
	typ, id, found := strings.Cut(c.user, "/")
	if !found || !idGrammar.MatchString(id) || !slices.Contains([]string{"Practitioner", "PractitionerRole", "Patient", "RelatedPerson"}, typ) {
		return invalid("context.userId", "userId is a reference such as Practitioner/abc")
	}
	c.patient = strings.TrimPrefix(c.patient, "Patient/")
	if !idGrammar.MatchString(c.patient) {
		return invalid("context.patientId", "patientId is the id of a Patient")
	}
	c.encounter = strings.TrimPrefix(c.encounter, "Encounter/")
	if e := v.Get("encounterId"); e.Kind() != fhir.Absent && !idGrammar.MatchString(c.encounter) {
		return invalid("context.encounterId", "encounterId is the id of an Encounter")
	}
	if c.service.Hook == patientView {
		return nil
	}
	bundle := v.Get("draftOrders")
	if bundle.Get("resourceType").Text() != "Bundle" {
		return invalid("context.draftOrders", "draftOrders is a Bundle")
	}
	var selected []string
	if c.service.Hook == orderSelect {
		selections := v.Get("selections")
		if selections.Kind() != fhir.Array {
			return invalid("context.selections", "selections is an array of references into draftOrders")
		}
		for s := range selections.Items() {
			selected = append(selected, s.Text())
		}
	}
	return c.readOrders(bundle, selected)
}

// readOrders reads the drafts that may be examinations; at order-select, those selected.
func (c *call) readOrders(bundle fhir.Value, selected []string) error {
	met := map[string]bool{}
	i := -1
	for entry := range bundle.Get("entry").Items() {
		i++
		path := fmt.Sprintf("context.draftOrders.entry[%d].resource", i)
		r := entry.Get("resource")
		typ, id := r.Get("resourceType").Text(), r.Get("id").Text()
		if typ == "" {
			return invalid(path, "the entry has no resource")
		}
		if !idGrammar.MatchString(id) {
			return invalid(path+".id", "a draft order has an id, by which cards refer to it")
		}
		name := typ + "/" + id
		if met[name] {
			return invalid(path+".id", "two draft orders have one id")
		}
		met[name] = true
		if typ != "ServiceRequest" || c.service.Hook == orderSelect && !slices.Contains(selected, name) && !slices.Contains(selected, id) {
			continue
		}
		if subject := r.Get("subject").Get("reference"); subject.Kind() != fhir.Absent && !strings.HasSuffix("/"+subject.Text(), "/Patient/"+c.patient) {
			return invalid(path+".subject", "the order is for another patient than context.patientId")
		}
		o := draft{advice.Draft(name, r), r, path}
		if len(o.Exam.Codes) == 0 && len(o.Exam.Text) == 0 {
			continue // not filled in yet: what may be said of it comes with the next call
		}
		c.orders = append(c.orders, o)
	}
	for i, s := range selected {
		if !met[s] && !slices.ContainsFunc(c.orders, func(o draft) bool { return strings.HasSuffix(o.ID, "/"+s) }) {
			return invalid(fmt.Sprintf("context.selections[%d]", i), "the selection is not among draftOrders")
		}
	}
	return nil
}

// prefetched is a resource that was sent along; absent where it was not, or could not be had (null, an OperationOutcome).
func (c *call) prefetched(key, typ string) fhir.Value {
	v := c.prefetch.Get(key)
	if v.Get("resourceType").Text() == "Bundle" { // the answer to a search
		for entry := range v.Get("entry").Items() {
			v = entry.Get("resource")
			break
		}
	}
	if v.Get("resourceType").Text() != typ {
		return fhir.Value{}
	}
	return v
}

// class is that of the encounter. The hub's own record of it is believed before what was sent along.
func (s *server) class(ctx context.Context, who access.Caller, c *call) (string, error) {
	sent := c.prefetched("encounter", "Encounter")
	class := sent.Get("class").Get("code").Text()
	if c.encounter == "" {
		return class, nil
	}
	if id := sent.Get("id").Text(); id != "" && id != c.encounter {
		c.said = append(c.said, advice.Doubt{Element: "prefetch.encounter", Chinese: "预取的就诊不是本次就诊，未采用", English: "the prefetched encounter is another one; it was not used"})
		class = ""
	}
	own, err := s.Adviser.Encounter(ctx, who, c.encounter)
	if err != nil || own == "" {
		return class, err
	}
	if class != "" && class != own {
		c.said = append(c.said, advice.Doubt{Element: "prefetch.encounter.class", Chinese: "预取的就诊类型与平台记录不符，以平台为准", English: "the prefetched encounter's class is not the hub's, which was used"})
	}
	return own, nil
}
