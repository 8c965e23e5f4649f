package fhir_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// statement is what the test reads of the hub's CapabilityStatement.
type statement struct {
	Format, PatchFormat []string
	Implementation      struct{ URL string }
	Rest                []struct {
		Interaction []struct{ Code string }
		SearchParam []searchParam
		Operation   []struct{ Name string }
		Compartment []string
		Resource    []promised
	}
}

type searchParam struct{ Name, Type, Definition string }

type promised struct {
	Type                            string
	Interaction                     []struct{ Code string }
	SearchParam                     []searchParam
	SearchInclude, SearchRevInclude []string
	Operation                       []struct{ Name string }
	ConditionalCreate               bool
	ConditionalUpdate               bool
	ConditionalDelete               string
	UpdateCreate                    bool
}

func (p *promised) does(code string) bool {
	return slices.ContainsFunc(p.Interaction, func(i struct{ Code string }) bool { return i.Code == code })
}

func readStatement(t *testing.T, c *client) statement {
	t.Helper()
	var s statement
	if err := json.Unmarshal(c.get("metadata").want(200).body, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Rest) != 1 || len(s.Rest[0].Resource) < 140 || s.Implementation.URL != c.base {
		t.Fatalf("the statement is not whole: %d types at %s", len(s.Rest[0].Resource), s.Implementation.URL)
	}
	return s
}

// plausible are values that a parameter of each type takes.
var plausible = map[string][]string{
	"token": {"x"}, "string": {"a"}, "reference": {"Patient/1", "urn:x"}, "date": {"2024"}, "number": {"1"}, "quantity": {"1||mg"}, "uri": {"urn:x"},
	"composite": {"a$b", "a$1", "a$2024", "urn:x$b", "1$1", "Patient/1$b", "a$1$2", "a$a$a", "b$Patient/1", "1$a"},
}

// special are those of the parameters that are unlike others.
var special = map[string]string{"_filter": "_id eq x", "_has": "", "_list": "42", "near": "1|1|1|km"}

func TestEverySearchThatIsPromisedIsAnswered(t *testing.T) {
	c := clinic(t)
	s := readStatement(t, c)
	asked := 0
	answers := func(path string) bool { asked++; return c.get(path).status == 200 }
	for i, r := range s.Rest[0].Resource {
		for _, p := range r.SearchParam {
			if p.Name[0] == '_' && i%10 > 0 { // what all types have is asked of a part of them
				continue
			}
			values := plausible[p.Type]
			if v, ok := special[p.Name]; ok {
				values = []string{v}
			}
			name := p.Name
			if name == "_has" {
				if len(r.SearchRevInclude) == 0 {
					continue
				}
				typ, param, _ := strings.Cut(r.SearchRevInclude[1], ":")
				name, values = "_has:"+typ+":"+param+":_id", []string{"x"}
			}
			if len(values) == 0 {
				t.Errorf("%s: no value for %s of type %s", r.Type, p.Name, p.Type)
			}
			if !slices.ContainsFunc(values, func(v string) bool {
				return answers(r.Type + "?_count=1&" + url.QueryEscape(name) + "=" + url.QueryEscape(v))
			}) {
				a := c.get(r.Type + "?" + url.QueryEscape(name) + "=" + url.QueryEscape(values[0]))
				t.Errorf("%s?%s (%s) is promised, but: %s", r.Type, name, p.Type, a.body)
			}
		}
		for j, in := range r.SearchInclude {
			if j%8 == 1 { // a part of them: they are many
				if !answers(r.Type + "?_count=1&_include=" + in) {
					t.Errorf("%s: _include=%s is promised", r.Type, in)
				}
			}
		}
		for j, in := range r.SearchRevInclude {
			if j%40 == 1 && !answers(r.Type+"?_count=1&_revinclude="+in) {
				t.Errorf("%s: _revinclude=%s is promised", r.Type, in)
			}
		}
	}
	for _, p := range s.Rest[0].SearchParam {
		value := plausible[p.Type][0]
		if p.Name == "_type" {
			value = "Patient,Observation"
		}
		if !answers("?" + p.Name + "=" + value) {
			t.Errorf("?%s is promised", p.Name)
		}
	}
	for _, u := range s.Rest[0].Compartment {
		name := u[strings.LastIndexByte(u, '/')+1:]
		typ := strings.ToUpper(name[:1]) + name[1:]
		if !answers(typ+"/1/Observation") && !answers(typ+"/1/*") {
			t.Errorf("the compartment %s is promised", typ)
		}
	}
	t.Logf("%d requests", asked)
}

func TestEveryOperationThatIsPromisedIsAnswered(t *testing.T) {
	c := clinic(t)
	s := readStatement(t, c)
	meta := `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`
	calls := map[string]func(typ string) answer{
		"meta":        func(typ string) answer { return c.get(strings.TrimPrefix(typ+"/$meta", "/")) },
		"meta-add":    func(string) answer { return c.post("Patient/p1/$meta-add", meta) },
		"meta-delete": func(string) answer { return c.post("Patient/p1/$meta-delete", meta) },
		"everything": func(typ string) answer {
			return c.get(map[string]string{"Patient": "Patient/p1", "Encounter": "Encounter/e1"}[typ] + "/$everything")
		},
		"lastn": func(typ string) answer { return c.get(typ + "/$lastn?patient=p1&category=vital-signs") },
		"match": func(string) answer {
			return c.post("Patient/$match", person("", "欧阳", "铭哲", "male", "1985-03-12", ""))
		},
		"ihe-pix": func(string) answer { return c.get("Patient/$ihe-pix?sourceIdentifier=" + c.base + "|Patient/p1") },
	}
	for _, r := range append(s.Rest[0].Resource, promised{Operation: s.Rest[0].Operation}) {
		for _, op := range r.Operation {
			call := calls[op.Name]
			if call == nil {
				switch op.Name {
				case "find-recognisable", "explain", "evaluate-measure": // need an adviser and a ledger, which the fixture does not have
				default:
					t.Errorf("%s/$%s is promised, and nothing here calls it", r.Type, op.Name)
				}
				continue
			}
			if a := call(r.Type); a.status != 200 {
				t.Errorf("%s/$%s is promised: %d %s", r.Type, op.Name, a.status, a.body)
			}
		}
	}
}

func TestEveryInteractionThatIsPromisedIsAnswered(t *testing.T) {
	const definitions = "../../.cache/fhir/package"
	if _, err := os.Stat(definitions); err != nil {
		t.Skip("skipped: scripts/fhir-definitions.sh has not fetched the published examples")
	}
	c := start(t)
	s := readStatement(t, c)
	t.Run("types", func(t *testing.T) {
		for _, r := range s.Rest[0].Resource {
			t.Run(r.Type, func(t *testing.T) {
				t.Parallel() // their writes share commits
				mine := *c
				mine.t = t
				livesThrough(t, &mine, r, examplesOf(t, definitions, r.Type))
			})
		}
	})
	for _, i := range s.Rest[0].Interaction {
		switch i.Code {
		case "batch", "transaction":
			c.post("", `{"resourceType":"Bundle","type":"`+i.Code+`","entry":[{"request":{"method":"GET","url":"Patient?_count=1"}}]}`).want(200).
				is("type", i.Code+"-response", "entry.0.resource.type", "searchset")
		case "search-system":
			c.get("?_count=1").want(200)
		case "history-system":
			c.get("_history?_count=1").want(200)
		default:
			t.Errorf("%s is promised, and nothing here asks for it", i.Code)
		}
	}
}

// livesThrough takes one resource through every interaction that its type is promised.
func livesThrough(t *testing.T, c *client, r promised, examples []string) {
	if r.Type == "Binary" { // who may read the published one may read this
		c.put("DocumentReference/example", `{"resourceType":"DocumentReference","id":"example","status":"current","content":[{"attachment":{"url":"Binary/example"}}]}`).want(201)
	}
	var created answer
	example := ""
	for _, example = range examples { // a few of those published are wrong
		if created = c.post(r.Type, example); created.status == 201 {
			break
		}
	}
	switch created.status {
	case 0: // R4 publishes none
		return
	case 201:
	default:
		t.Errorf("%s: created: %d %.300s", r.Type, created.status, created.body)
		return
	}
	id := created.at("id")
	if r.does("read") {
		c.get(r.Type + "/" + id).want(200)
	}
	if r.does("vread") {
		c.get(r.Type + "/" + id + "/_history/1").want(200)
	}
	if r.does("update") && r.Type != "Binary" {
		c.put(r.Type+"/"+id, string(created.body), `If-Match: W/"1"`).want(200)
	}
	if r.does("patch") && r.Type != "Binary" {
		c.do("PATCH", r.Type+"/"+id, `[{"op":"add","path":"/language","value":"en"}]`, "Content-Type: application/json-patch+json").want(200).is("language", "en")
	}
	if r.does("history-instance") {
		c.get(r.Type + "/" + id + "/_history").want(200)
	}
	if r.does("history-type") {
		c.get(r.Type + "/_history").want(200)
	}
	if r.does("search-type") {
		c.get(r.Type+"?_id="+id).want(200).is("total", "1")
		c.do("POST", r.Type+"/_search", "_id="+id, "Content-Type: application/x-www-form-urlencoded").want(200).is("total", "1")
	}
	if r.ConditionalCreate {
		c.post(r.Type, example, "If-None-Exist: _id="+id).want(200)
	}
	if r.ConditionalUpdate && r.Type != "Binary" {
		c.put(r.Type+"?_id="+id, string(created.body)).want(200)
	}
	if r.UpdateCreate {
		c.put(r.Type+"/mine", strings.Replace(string(created.body), `"id":"`+id+`"`, `"id":"mine"`, 1)).want(201)
	}
	if r.ConditionalDelete != "not-supported" && r.ConditionalDelete != "" {
		c.delete(r.Type + "?_id=mine").want(204)
	}
	if r.does("delete") {
		c.delete(r.Type + "/" + id).want(204)
		c.get(r.Type + "/" + id).want(410)
	}
}

// own are examples of types whose published ones refer to what R4 does not let them.
var own = map[string]string{
	"DeviceMetric":       `{"resourceType":"DeviceMetric","type":{"text":"x"},"category":"setting"}`,
	"DeviceUseStatement": `{"resourceType":"DeviceUseStatement","status":"active","subject":{"display":"x"},"device":{"display":"x"}}`,
}

// examplesOf are published examples of the type, without their ids.
func examplesOf(t *testing.T, dir, typ string) []string {
	if own, ok := own[typ]; ok {
		return []string{own}
	}
	var all []string
	paths, _ := filepath.Glob(filepath.Join(dir, typ+"-*.json"))
	for _, path := range paths[:min(len(paths), 20)] {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var r map[string]json.RawMessage
		if err := json.Unmarshal(data, &r); err != nil || string(r["resourceType"]) != `"`+typ+`"` {
			continue
		}
		delete(r, "id")
		delete(r, "meta")
		out, _ := json.Marshal(r)
		all = append(all, string(out))
	}
	return all
}

func TestTheStatementCanBeCutDownToo(t *testing.T) {
	c := start(t)
	c.get("metadata?_summary=true").want(200).is("resourceType", "CapabilityStatement", "fhirVersion", "4.0.1", "meta.tag.0.code", "SUBSETTED")
	c.get("metadata?_elements=software").want(200).is("software.name", "Concord", "kind", "instance", "rest", "")
	whole := c.get("metadata").want(200)
	whole.is("rest.0.security.extension.0.extension.0.valueUri", strings.TrimSuffix(whole.at("implementation.url"), "/fhir")+"/oauth/token")
	c.get("metadata?mode=full").want(200)
	c.get("metadata?mode=terminology").want(400)
	c.get("metadata?mdoe=full").want(400)
}
