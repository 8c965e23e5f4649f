package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
)

// registerHubs are hubs on one store, with two people who edit the catalogue.
type registerHubs struct {
	t         *testing.T
	stores    hubproc.Stores
	hubs      []*hubproc.Hub
	zhang, li string // tokens of scope catalogue
	member    string // a token of every scope of a member
}

func startRegister(t *testing.T, stores hubproc.Stores, n int) *registerHubs {
	r := &registerHubs{t: t, stores: stores, member: stores.Member(t, "county")}
	stores.Member(t, "village")
	r.zhang = stores.Token(t, "county", "--scope", "catalogue", "--person", "zhang")
	r.li = stores.Token(t, "village", "--scope", "catalogue", "--person", "李娜")
	for range n {
		h := hubproc.Start(t, stores)
		h.AwaitReady(20 * time.Second)
		r.hubs = append(r.hubs, h)
	}
	return r
}

// ask sends a request below /recognition to one of the hubs.
func (r *registerHubs) ask(hub int, token, method, path, body string) hubproc.Answer {
	r.t.Helper()
	a, err := r.hubs[hub].Client(token).Do(method, "/recognition"+path, []byte(body), "Content-Type: application/json")
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *registerHubs) version(hub int) string {
	r.t.Helper()
	a := r.ask(hub, r.member, http.MethodGet, "/catalogue", "")
	return hubproc.Decode[struct{ Version string }](r.t, a).Version
}

// command runs the program against the first hub, as a client of it.
func (r *registerHubs) command(t *testing.T, token string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(hubproc.Binary(t), append(args, "--to", r.hubs[0].URL, "--token", token)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// propose proposes an item's window and returns the proposal's id.
func (r *registerHubs) propose(hub int, token, item, window string) string {
	r.t.Helper()
	a := r.ask(hub, r.member, http.MethodGet, "/catalogue/"+item, "")
	one := hubproc.Decode[struct{ Item struct{ Row map[string]any } }](r.t, a).Item.Row
	one["window"] = window
	body, _ := json.Marshal(map[string]any{"reason": "省临检中心通知 " + window, "changes": []any{map[string]any{"item": item, "row": one}}})
	a = r.ask(hub, token, http.MethodPost, "/proposals", string(body))
	if a.Status != http.StatusCreated {
		r.t.Fatalf("propose: %s", a)
	}
	return hubproc.Decode[struct{ ID string }](r.t, a).ID
}

func TestTheCatalogueIsEditedByTwoPeopleOnTheEmbeddedDefault(t *testing.T) {
	editCatalogue(t, startRegister(t, hubproc.Embedded(t), 1))
}

func TestTheCatalogueIsEditedByTwoPeopleOnThreeHubs(t *testing.T) {
	minio, redis := startMinio(t), startRedis(t)
	editCatalogue(t, startRegister(t, hubproc.Stores{Data: t.TempDir(), S3: minio.URL, Redis: redis.URL}, 3))
}

func editCatalogue(t *testing.T, r *registerHubs) {
	last := len(r.hubs) - 1
	starter := r.version(0)
	id := r.propose(0, r.zhang, "alt", "21d")
	for say, c := range map[string]struct {
		token, path, body string
		status            int
	}{
		"the author releases":          {r.zhang, "/proposals/" + id + "/release", "", 403},
		"somebody without the scope":   {r.member, "/proposals/" + id + "/release", "", 403},
		"somebody without a token":     {"", "/proposals/" + id + "/release", "", 401},
		"a verdict that there is not":  {r.li, "/proposals/" + id + "/approve", "", 404},
		"a proposal that there is not": {r.li, "/proposals/0123/release", "", 404},
		"a rejection without a reason": {r.li, "/proposals/" + id + "/reject", "", 400},
		"a row that is wrong":          {r.zhang, "/proposals", `{"reason":"x","changes":[{"item":"alt","row":{"id":"alt"}}]}`, 400},
		"a column that there is not":   {r.zhang, "/proposals", `{"reason":"x","changes":[{"item":"alt","raw":{}}]}`, 400},
		"a proposal by a member":       {r.member, "/proposals", `{"reason":"x","changes":[{"item":"alt","retire":true}]}`, 403},
	} {
		if a := r.ask(0, c.token, http.MethodPost, c.path, c.body); a.Status != c.status {
			t.Errorf("%s: %s", say, a)
		}
	}
	if out := r.ask(last, r.li, http.MethodGet, "/proposals/"+id, ""); !strings.Contains(string(out.Body), "有效期: 14d → 21d") || !strings.Contains(string(out.Body), "window: 14d → 21d") {
		t.Errorf("what it changes: %s", out)
	}
	if a := r.ask(last, r.li, http.MethodPost, "/proposals/"+id+"/release", `{"reason":"核对无误"}`); a.Status != 200 || !strings.Contains(string(a.Body), starter+"+1") {
		t.Fatalf("release: %s", a)
	}
	await(t, "every hub has the release", func() bool {
		for i := range r.hubs {
			if r.version(i) != starter+"+1" {
				return false
			}
		}
		return true
	})
	r.decides(t, starter+"+1")
	r.notRound(t)

	// Of two who release at once one does.
	id = r.propose(0, r.zhang, "ast", "9d")
	wang := r.stores.Token(t, "county", "--scope", "catalogue", "--person", "wang")
	codes := make([]int, 6)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			a, err := r.hubs[i%len(r.hubs)].Client([]string{r.li, wang}[i%2]).Do(http.MethodPost, "/recognition/proposals/"+id+"/release", nil)
			if err != nil {
				t.Error(err)
			}
			codes[i] = a.Status
		})
	}
	wg.Wait()
	won := 0
	for _, c := range codes {
		if c == 200 {
			won++
		} else if c != 409 {
			t.Errorf("answered %d", c)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d releases held", won, len(codes))
	}
	r.imports(t)
	r.commands(t)

	// The index is emptied, the hubs start anew: nothing is otherwise.
	version := r.version(0)
	before := r.ask(0, r.member, http.MethodGet, "/releases", "")
	for _, h := range r.hubs {
		h.Stop()
	}
	r.stores.Must(t, "rebuild")
	for _, h := range r.hubs {
		h.Restart()
		h.AwaitReady(20 * time.Second)
	}
	for i := range r.hubs {
		await(t, "the register is read again", func() bool {
			return r.ask(i, r.member, http.MethodGet, "/releases", "").Status == 200 && r.version(i) == version
		})
		if after := r.ask(i, r.member, http.MethodGet, "/releases", ""); string(after.Body) != string(before.Body) {
			t.Errorf("hub %d: %s, before: %s", i, after, before)
		}
	}
	for _, h := range r.hubs {
		h.Stop()
	}
	if out, errs, err := r.stores.Command(t, "fsck", "--deep"); err != nil {
		t.Errorf("fsck: %v\n%s%s", err, out, errs)
	}
}

// decides asks on every hub whether a result of 20 days ago may be recognised, as it may since the release.
func (r *registerHubs) decides(t *testing.T, version string) {
	t.Helper()
	client := r.hubs[0].Client(r.member)
	for path, body := range map[string]string{
		"/fhir/Patient/p1": `{"resourceType":"Patient","id":"p1"}`,
		"/fhir/Observation/o1": `{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1742-6"}]},"subject":{"reference":"Patient/p1"},
			"effectiveDateTime":"` + time.Now().AddDate(0, 0, -20).Format(time.RFC3339) + `","valueQuantity":{"value":20,"unit":"U/L","system":"http://unitsofmeasure.org","code":"U/L"}}`,
	} {
		if a, err := client.JSON("PUT", path, []byte(body)); err != nil || a.Status != 201 {
			t.Fatalf("%s: %s, %v", path, a, err)
		}
	}
	for i, h := range r.hubs {
		a, err := h.Client(r.member).Get("/fhir/ServiceRequest/$find-recognisable?patient=p1&code=http://loinc.org|1742-6&encounter-class=AMB")
		if err != nil || a.Status != 200 || !strings.Contains(string(a.Body), `"valueString":"`+version+`"`) || !strings.Contains(string(a.Body), `"valueCode":"in-window"`) {
			t.Errorf("hub %d: %s, %v", i, a, err)
		}
	}
}

// notRound tries every way of writing that members have on what the register has released.
func (r *registerHubs) notRound(t *testing.T) {
	t.Helper()
	client := r.hubs[0].Client(r.member)
	there, err := client.Get("/fhir/ObservationDefinition/concord.item.alt")
	if err != nil || there.Status != 200 {
		t.Fatalf("the item's resource: %s, %v", there, err)
	}
	edited := strings.Replace(string(there.Body), `"value":21`, `"value":365`, 1)
	const qualification = `{"resourceType":"Basic","code":{"coding":[{"system":"urn:concord:recognition","code":"recognition-qualification"}]},"subject":{"identifier":{"system":"urn:concord:member","value":"county"}}}`
	entry := func(method, url, resource string) string {
		if resource != "" {
			resource = `"resource":` + resource + `,`
		}
		return fmt.Sprintf(`{%s"request":{"method":%q,"url":%q}}`, resource, method, url)
	}
	bundle := func(kind string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	for say, c := range map[string]struct{ method, path, media, body string }{
		"PUT":                      {"PUT", "/ObservationDefinition/concord.item.alt", "", edited},
		"PUT of one not yet there": {"PUT", "/ObservationDefinition/concord.item.ggt", "", strings.ReplaceAll(edited, "item.alt", "item.ggt")},
		"POST":                     {"POST", "/ObservationDefinition", "", edited},
		"DELETE":                   {"DELETE", "/ObservationDefinition/concord.item.alt", "", ""},
		"JSON Patch":               {"PATCH", "/ObservationDefinition/concord.item.alt", "application/json-patch+json", `[{"op":"add","path":"/preferredReportName","value":"x"}]`},
		"FHIRPath Patch":           {"PATCH", "/ObservationDefinition/concord.item.alt", "", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"ObservationDefinition.preferredReportName"}]}]}`},
		"conditional update":       {"PUT", "/ObservationDefinition?_id=concord.item.alt", "", edited},
		"conditional patch":        {"PATCH", "/ObservationDefinition?_id=concord.item.alt", "application/json-patch+json", `[{"op":"add","path":"/preferredReportName","value":"x"}]`},
		"conditional delete":       {"DELETE", "/ObservationDefinition?_id=concord.item.alt", "", ""},
		"transaction":              {"POST", "", "", bundle("transaction", entry("PUT", "ObservationDefinition/concord.item.alt", edited))},
		"batch":                    {"POST", "", "", bundle("batch", entry("PUT", "ObservationDefinition/concord.item.alt", edited), entry("DELETE", "ObservationDefinition/concord.item.alt", ""))},
		"$meta-add":                {"POST", "/ObservationDefinition/concord.item.alt/$meta-add", "", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"urn:x","code":"y"}]}}]}`},
		"a qualification":          {"POST", "/Basic", "", qualification},
		"a release's provenance":   {"PUT", "/Provenance/concord.release.7", "", `{"resourceType":"Provenance","id":"concord.release.7","target":[{"display":"x"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`},
	} {
		media := c.media
		if media == "" {
			media = "application/fhir+json"
		}
		a, err := client.Do(c.method, "/fhir"+c.path, []byte(c.body), "Content-Type: "+media)
		if err != nil {
			t.Fatal(err)
		}
		refused := a.Status == 403
		if say == "batch" {
			refused = a.Status == 200 && strings.Count(string(a.Body), `"403 Forbidden"`) == 2
		}
		if !refused || !strings.Contains(string(a.Body), "/recognition/proposals") || !strings.Contains(string(a.Body), "OperationOutcome") {
			t.Errorf("%s: %s", say, a)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := r.command(t, r.member, "upload", dir, "--resume-file", filepath.Join(dir, "journal")); err == nil || !strings.Contains(out, "/recognition/proposals") {
		t.Errorf("upload: %v\n%s", err, out)
	}
	after, err := client.Get("/fhir/ObservationDefinition/concord.item.alt")
	if err != nil || string(after.Body) != string(there.Body) {
		t.Errorf("the resource is otherwise: %s, %v", after, err)
	}
	if found, err := client.Get("/fhir/ObservationDefinition?_summary=count"); err != nil || !strings.Contains(string(found.Body), `"total":1`) {
		t.Errorf("%s, %v", found, err)
	}
	// What was refused to PUT is taken as a proposal.
	body := `{"reason":"改为 365 天","resources":[` + edited + `]}`
	if a := r.ask(0, r.zhang, http.MethodPost, "/proposals", body); a.Status != 201 || !strings.Contains(string(a.Body), "21d → 365d") {
		t.Errorf("the resource as a proposal: %s", a)
	}
}

// imports has a table imported.
func (r *registerHubs) imports(t *testing.T) {
	t.Helper()
	const head = "机构,项目,起始日期,截止日期,结果,互认标识,范围\n"
	good := head + "county,谷丙转氨酶,2026-01-01,2026-12-31,合格,全国HR,全国\n机构 village,AST,2026-01-01,2026-12-31,不合格,,\n"
	faulty := good + "mars,AST,2026-01-01,2026-12-31,合格,,\n"
	for _, c := range []struct {
		say, token, query, body string
		status                  int
		contains                string
	}{
		{"without the scope", r.member, "", good, 403, "catalogue"},
		{"looked at only", r.zhang, "?dry-run=true", faulty, 200, `"row":4,"column":"机构"`},
		{"with a fault", r.zhang, "?reason=x", faulty, 422, `"row":4`},
		{"no table", r.zhang, "?reason=x", "PK\x03\x04nonsense", 400, "XLSX"},
		{"without a reason", r.zhang, "", good, 400, "reason"},
		{"its good lines", r.zhang, "?reason=x&skip-faulty=true", faulty, 200, `"proposal"`},
	} {
		if a := r.ask(0, c.token, http.MethodPost, "/qualifications/import"+c.query, c.body); a.Status != c.status || !strings.Contains(string(a.Body), c.contains) {
			t.Errorf("%s: %s", c.say, a)
		}
	}
	open := hubproc.Decode[struct{ Proposals []struct{ ID, Reason string } }](t, r.ask(0, r.li, http.MethodGet, "/proposals?state=open", "")).Proposals
	for _, p := range open {
		if p.Reason == "x" {
			if a := r.ask(0, r.li, http.MethodPost, "/proposals/"+p.ID+"/release", ""); a.Status != 200 {
				t.Fatalf("release: %s", a)
			}
		}
	}
	if a := r.ask(0, r.zhang, http.MethodPost, "/qualifications/import?reason=x", good); a.Status != 200 || strings.Contains(string(a.Body), `"proposal"`) {
		t.Errorf("imported again: %s", a)
	}
	client := r.hubs[len(r.hubs)-1].Client(r.member)
	await(t, "the qualifications are found", func() bool {
		a, err := client.Get("/fhir/Basic?code=urn:concord:recognition|recognition-qualification&_summary=count")
		return err == nil && strings.Contains(string(a.Body), `"total":2`)
	})
	if a := r.ask(0, r.member, http.MethodGet, "/qualifications?institution=county&day=2026-06-01", ""); !strings.Contains(string(a.Body), "全国HR") || !strings.Contains(string(a.Body), `"total":1`) {
		t.Errorf("%s", a)
	}
}

// commands does by the command line what was done by requests.
func (r *registerHubs) commands(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rows := file("rows.yaml", "items:\n  - {id: ggt, kind: laboratory, zh: γ-谷氨酰转移酶, en: Gamma glutamyl transferase, loinc: [2324-2], window: 8d, source: D}\nretire: [ca125]\n")
	table := file("2026.csv", "机构,项目,起始日期,截止日期,结果\ncounty,GGT,2027-01-01,2027-12-31,合格\n")
	faulty := file("faulty.csv", "机构,项目,起始日期,截止日期,结果\nmars,GGT,2027-01-01,2027-12-31,合格\n")
	template := filepath.Join(dir, "template.xlsx")
	id := ""
	for _, c := range []struct {
		say, token string
		args       []string
		fails      bool
		contains   string
	}{
		{"lint", "", []string{"lint", rows}, false, "no fault"},
		{"show", r.member, []string{"show"}, false, "谷"},
		{"propose", r.zhang, []string{"propose", rows, "--reason", "年度修订"}, false, "14d → 8d"},
		{"release one's own", r.zhang, []string{"release", "ID"}, true, "their own"},
		{"diff", r.li, []string{"diff", "ID"}, false, "停用"},
		{"release", r.li, []string{"release", "ID"}, false, "in force: starter"},
		{"releases", r.member, []string{"releases"}, false, "年度修订"},
		{"rollback", r.zhang, []string{"rollback", "4", "--reason", "误操作"}, false, "back to the starter's row"},
		{"reject", r.li, []string{"reject", "ID", "--reason", "不必"}, false, "rejected"},
		{"import dry", r.zhang, []string{"qualification", "import", faulty, "--dry-run"}, true, "row 2 机构"},
		{"import", r.zhang, []string{"qualification", "import", table}, false, "proposal"},
		{"list", r.member, []string{"qualification", "list"}, false, "全国HR"},
		{"expiring", r.member, []string{"qualification", "expiring", "--days", "3650"}, false, "county"},
		{"template", r.member, []string{"qualification", "template", template}, false, ""},
	} {
		args := c.args
		if args[0] != "qualification" {
			args = append([]string{"catalogue"}, args...)
		}
		for i := range args {
			if args[i] == "ID" {
				args[i] = id
			}
		}
		var out string
		var err error
		if c.token == "" {
			var text []byte
			text, err = exec.Command(hubproc.Binary(t), args...).CombinedOutput()
			out = string(text)
		} else {
			out, err = r.command(t, c.token, args...)
		}
		if (err != nil) != c.fails || !strings.Contains(out, c.contains) {
			t.Errorf("%s: %v\n%s", c.say, err, out)
		}
		if rest, ok := strings.CutPrefix(out, "proposal "); ok && len(rest) > 16 {
			id = rest[:16]
		}
	}
}
