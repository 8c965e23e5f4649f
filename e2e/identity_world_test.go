package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"concord/e2e/hubproc"
)

// Systems of numbers, as the hub's own model knows them.
const (
	citizenNumber = "urn:oid:2.16.156.10011.1.3"
	healthCard    = "urn:oid:2.16.156.10011.1.19"
)

// registry is a hub whose members keep their own patients.
type registry struct {
	t        *testing.T
	hubs     []*hubproc.Hub
	of       map[string]string // tokens by member
	engineer map[string]string // tokens of those who decide
}

// startRegistry runs n hubs on the stores, with the members county, village and town.
func startRegistry(t *testing.T, on hubproc.Stores, n int, flags ...string) *registry {
	t.Helper()
	r := &registry{t: t, of: map[string]string{}, engineer: map[string]string{}}
	for _, m := range []string{"county", "village", "town"} {
		on.Must(t, "member", "add", m, "--name", "机构 "+m, "--hl7-sender", strings.ToUpper(m))
		r.of[m] = on.Token(t, m)
		r.engineer[m] = on.Token(t, m, "--scope", "system/*.rs integration", "--person", "王芳")
	}
	for range n {
		r.hubs = append(r.hubs, hubproc.Start(t, on, flags...))
		flags = nil // addresses of other protocols are the first one's
	}
	return r
}

func (r *registry) as(member string) *hubproc.Client { return r.hubs[0].Client(r.of[member]) }

// person is what a member knows of somebody.
type person struct {
	id, family, given, sex, birth, phone string
	numbers                              []string // system|value, with |old behind what is not valid any more
	more                                 string   // further members of the resource
}

func (p person) body() string {
	identifiers := []map[string]string{}
	for _, n := range p.numbers {
		parts := strings.Split(n, "|")
		one := map[string]string{"system": parts[0], "value": parts[1]}
		if len(parts) > 2 {
			one["use"] = parts[2]
		}
		identifiers = append(identifiers, one)
	}
	list, _ := json.Marshal(identifiers)
	name := fmt.Sprintf(`"text":%q`, p.family+p.given)
	if p.family != "" {
		name += fmt.Sprintf(`,"family":%q,"given":[%q]`, p.family, p.given)
	}
	text := fmt.Sprintf(`{"resourceType":"Patient","id":%q,"active":true,"name":[{"use":"official",%s}],"gender":%q,"birthDate":%q`, p.id, name, p.sex, p.birth)
	if len(identifiers) > 0 {
		text += `,"identifier":` + string(list)
	}
	if p.phone != "" {
		text += `,"telecom":[{"system":"phone","use":"mobile","value":"` + p.phone + `"}]`
	}
	return text + p.more + "}"
}

// put writes a Patient as a member.
func (r *registry) put(member string, p person) {
	r.t.Helper()
	a, err := r.as(member).JSON("PUT", "/fhir/Patient/"+p.id, []byte(p.body()))
	if err != nil || a.Status != http.StatusOK && a.Status != http.StatusCreated {
		r.t.Fatalf("%s writes %s: %v %v", member, p.id, a, err)
	}
}

// measure writes a result of a Patient: the Observation o-[patient].
func (r *registry) measure(member, patient string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"resourceType":"Observation","id":"o-%[1]s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"14749-6"}]},"subject":{"reference":"Patient/%[1]s"},`+
		`"effectiveDateTime":"2026-03-01T08:00:00+08:00","valueQuantity":{"value":5.1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`, patient)
	if a, err := r.as(member).JSON("PUT", "/fhir/Observation/o-"+patient, []byte(body)); err != nil || a.Status != http.StatusCreated {
		r.t.Fatalf("%s writes a result of %s: %v %v", member, patient, a, err)
	}
}

// ask is a GET that answers JSON.
func (r *registry) ask(c *hubproc.Client, path string) (int, map[string]any) {
	r.t.Helper()
	a, err := c.Do("GET", path, nil, "Accept: application/json")
	if err != nil {
		r.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(a.Body, &out); err != nil {
		r.t.Fatalf("GET %s: %v", path, a)
	}
	return a.Status, out
}

// ids are the ids of a search's hits, sorted.
func (r *registry) ids(c *hubproc.Client, path string) []string {
	r.t.Helper()
	_, out := r.ask(c, path)
	var ids []string
	entries, _ := out["entry"].([]any)
	for _, e := range entries {
		ids = append(ids, e.(map[string]any)["resource"].(map[string]any)["id"].(string))
	}
	slices.Sort(ids)
	return ids
}

// results are the Patients whose results a search for one Patient finds, on the hub that c asks.
func (r *registry) results(c *hubproc.Client, patient string) []string {
	r.t.Helper()
	ids := r.ids(c, "/fhir/Observation?patient="+patient)
	for i := range ids {
		ids[i] = strings.TrimPrefix(ids[i], "o-")
	}
	return ids
}

// become waits until a search for the first Patient's results finds those of all of them, on every hub, and then asks for each
// of the others.
func (r *registry) become(patients ...string) {
	r.t.Helper()
	want := slices.Sorted(slices.Values(patients))
	for n, h := range r.hubs {
		c := h.Client(r.of["county"])
		await(r.t, fmt.Sprintf("hub %d to know that %v are one", n, patients), func() bool { return slices.Equal(r.results(c, patients[0]), want) })
		for _, p := range patients[1:] {
			if got := r.results(c, p); !slices.Equal(got, want) {
				r.t.Errorf("hub %d finds for %s the results of %v, want %v", n, p, got, want)
			}
		}
	}
}

// settle waits until the hub has judged all Patients: a newcomer who is certain to be linked, is.
func (r *registry) settle() {
	r.t.Helper()
	for _, m := range []string{"county", "town"} {
		p := person{id: "settle-" + m, family: "司马", given: "清河", sex: "female", birth: "1971-09-09", numbers: []string{healthCard + "|SETTLE0001"}}
		r.as(m).JSON("DELETE", "/fhir/Patient/"+p.id, nil)
		r.put(m, p)
	}
	await(r.t, "a newcomer to be linked", func() bool {
		return len(r.ids(r.as("county"), "/fhir/Person?link=Patient/settle-county")) == 1
	})
}

// pairs are the ids of the pairs in a state that Patients are of, as the engineer of county sees them.
func (r *registry) pairs(state string, patients ...string) (ids []string) {
	r.t.Helper()
	status, out := r.ask(r.hubs[0].Client(r.engineer["county"]), "/identity/pairs?state="+state+"&limit=200")
	if status != http.StatusOK {
		r.t.Fatalf("pairs: %d %v", status, out)
	}
	for _, p := range out["pairs"].([]any) {
		of := p.(map[string]any)["patients"].([]any)
		if slices.Contains(patients, strings.TrimPrefix(of[0].(string), "Patient/")) && slices.Contains(patients, strings.TrimPrefix(of[1].(string), "Patient/")) {
			ids = append(ids, p.(map[string]any)["id"].(string))
		}
	}
	return ids
}

// pair waits for the one pair of two Patients in a state.
func (r *registry) pair(state, a, b string) (id string) {
	r.t.Helper()
	await(r.t, "the pair of "+a+" and "+b, func() bool {
		ids := r.pairs(state, a, b)
		if len(ids) == 1 {
			id = ids[0]
		}
		return len(ids) == 1
	})
	return id
}

func escaped(s string) string { return url.QueryEscape(s) }
