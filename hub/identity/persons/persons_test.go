package persons_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/audit"
	"concord/hub/commit"
	"concord/hub/identity"
	"concord/hub/identity/persons"
	"concord/hub/lookup"
	"concord/hub/projection"
	"concord/internal/fhir"
	"concord/internal/memobjects"
	"concord/mappings"
	"concord/storage/index"
	"concord/storage/keeper"
)

const records hub.Partition = "records"

// world is a store and an index, with one hub or several on them.
type world struct {
	t       *testing.T
	objects *memobjects.Store
	index   hub.Index
	model   *identity.Model
	hubs    []*one
}

// one is a hub.
type one struct {
	follower  *projection.Follower
	writer    *commit.Committer
	linker    *persons.Linker
	directory *persons.Directory
	board     *persons.Board
	reader    *lookup.Reader
}

type silent struct{}

func (silent) Note(context.Context, audit.Event) error { return nil }

func open(t *testing.T, hubs int) *world {
	t.Helper()
	k := keeper.New(keeper.Options{})
	conn := index.ConnectLocal(k)
	t.Cleanup(func() { conn.Close(); k.Close() })
	return openOn(t, index.Open(conn, index.StandardLayout(0)), hubs)
}

func openOn(t *testing.T, ix hub.Index, hubs int) *world {
	t.Helper()
	model, err := mappings.ParseIdentity(mappings.IdentityTables(), mappings.IdentityWeights())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, objects: &memobjects.Store{}, index: ix, model: model}
	for range hubs {
		w.hubs = append(w.hubs, w.start())
	}
	return w
}

func (w *world) start() *one {
	w.t.Helper()
	projectors := &projection.Projectors{Default: fhir.NewProjection(nil).With(w.model.Terms), ByType: map[string]hub.Projector{
		persons.PairType: pairs{}, "hub.mark": none{}}}
	log := &projection.Log{Objects: w.objects, Partition: records, Cache: projection.NewCache(64 << 20)}
	h := &one{follower: projection.NewFollower(log, w.index, projectors)}
	if err := h.follower.CatchUp(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	h.writer = commit.New(log, h.follower, commit.Options{})
	h.directory = &persons.Directory{Follower: h.follower}
	h.linker = &persons.Linker{Follower: h.follower, Writer: h.writer, Model: w.model}
	h.reader = lookup.New(w.index, w.objects, map[hub.Partition]*projection.Follower{records: h.follower}, access.Mutual{}, silent{})
	h.reader.Records, h.reader.Linked = records, h.directory.LinkedAll
	h.board = &persons.Board{Reader: h.reader, Records: records, Follower: h.follower, Writer: h.writer, Model: w.model, Trail: silent{}, Now: time.Now}
	w.t.Cleanup(h.writer.Close)
	return h
}

type pairs struct{}

func (pairs) Project(rec *hub.Record) (hub.Entry, error) { return persons.ProjectPair(rec.Body) }

type none struct{}

func (none) Project(*hub.Record) (hub.Entry, error) { return hub.Entry{}, nil }

// put writes a resource as a member, or deletes it where body is empty.
func (w *world) put(member, ref, body string) {
	w.t.Helper()
	typ, id, _ := strings.Cut(ref, "/")
	name := hub.Name{Type: typ, ID: id}
	h := w.hubs[0]
	_, err := h.writer.Submit(w.t.Context(), commit.Write{Member: member, Names: []hub.Name{name}, Plan: func(context.Context, *commit.View) ([]commit.Draft, error) {
		if body == "" {
			return []commit.Draft{{Name: name, Member: member, Delete: true}}, nil
		}
		doc, err := fhir.Parse([]byte(body), fhir.Limits{})
		if err != nil {
			return nil, err
		}
		return []commit.Draft{{Name: name, Member: member, Body: func(v uint64, at time.Time) []byte { return doc.Splice(id, v, at) }}}, nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// settle has the linkers do what there is to do.
func (w *world) settle() {
	w.t.Helper()
	for _, h := range w.hubs {
		for more := true; more; {
			var err error
			if more, err = h.linker.Advance(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// linked are the ids that are one person with id, joined.
func (w *world) linked(id string) string {
	w.t.Helper()
	of, err := w.hubs[len(w.hubs)-1].directory.Linked(w.t.Context(), "Patient/"+id)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.ReplaceAll(strings.Join(of, " "), "Patient/", "")
}

// who is a Patient in few words.
type who struct {
	number, name, birth, sex, phone, address, more string
}

func (p who) body() string {
	o := map[string]any{"resourceType": "Patient", "birthDate": p.birth, "gender": p.sex,
		"name": []any{map[string]any{"text": p.name, "family": string([]rune(p.name)[:1]), "given": []any{string([]rune(p.name)[1:])}}}}
	if p.number != "" {
		o["identifier"] = []any{map[string]any{"system": "urn:oid:2.16.156.10011.1.3", "value": p.number}}
	}
	if p.phone != "" {
		o["telecom"] = []any{map[string]any{"system": "phone", "value": p.phone}}
	}
	if p.address != "" {
		o["address"] = []any{map[string]any{"text": p.address}}
	}
	body, _ := json.Marshal(o)
	if p.more != "" {
		return string(body[:len(body)-1]) + "," + p.more + "}"
	}
	return string(body)
}

func zhang() who {
	return who{number: "110101199003072252", name: "张建国", birth: "1990-03-07", sex: "male", phone: "13800138000", address: "江苏省苏州市临江县解放路12号"}
}

var engineer = access.NewCaller("lead", "system/*.cruds "+access.Integration, "t")

func TestPatientsOfOnePersonAreFoundTogether(t *testing.T) {
	w := open(t, 2)
	w.put("a", "Patient/a1", zhang().body())
	b := zhang()
	b.phone, b.name = "", "张建國"
	w.put("b", "Patient/b1", b.body())
	c := zhang()
	c.number, c.name, c.birth, c.phone = "110101198511163316", "李小龙", "1985-11-16", "13900000000"
	w.put("c", "Patient/c1", c.body())
	w.settle()
	if got := w.linked("a1"); got != "a1 b1" {
		t.Fatalf("a1 is linked to %q", got)
	}
	if got := w.linked("c1"); got != "c1" {
		t.Errorf("a stranger is linked to %q", got)
	}
	for ref, patient := range map[string]string{"Observation/oa": "a1", "Observation/ob": "b1", "Observation/oc": "c1"} {
		w.put("a", ref, fmt.Sprintf(`{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/%s"}}`, patient))
	}
	found := func(typ, query string) string {
		t.Helper()
		params, err := fhir.Pairs(query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := fhir.CompileSearch(typ, params, fhir.SearchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		q.Query.Limit, q.Query.Count = 10, true
		res, err := w.hubs[1].reader.Search(t.Context(), engineer, []hub.Partition{records}, q.Query, "")
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range res.Records {
			ids = append(ids, r.Name.ID)
		}
		if int(res.Total) != len(ids) {
			t.Errorf("%s: total %d of %v", query, res.Total, ids)
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	for query, want := range map[string]string{
		"patient=a1": "oa ob", "subject=Patient/b1": "oa ob", "patient=c1": "oc", "patient=a1,c1": "oa ob oc",
		"patient.name=建国": "oa ob", "subject:Patient.phone=13800138000": "oa ob",
	} {
		if got := found("Observation", query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	if got := found("Person", "link=Patient/a1"); !strings.HasPrefix(got, "p-") {
		t.Errorf("the person is %q", got)
	}
	w.put("b", "Patient/b1", c.body()) // it was somebody else's chart
	w.settle()
	if a, b := w.linked("a1"), w.linked("b1"); a != "a1" || b != "b1 c1" {
		t.Errorf("after the change a1 is %q and b1 is %q", a, b)
	}
	w.put("c", "Patient/c1", "")
	w.settle()
	if b := w.linked("b1"); b != "b1" {
		t.Errorf("after a deletion b1 is %q", b)
	}
}

func TestAPersonsWordHoldsAndCanBeUndone(t *testing.T) {
	w := open(t, 1)
	w.put("a", "Patient/a", zhang().body())
	other := zhang()
	other.number, other.address, other.phone = "", "", "" // a name and a birth date alone
	w.put("b", "Patient/b", other.body())
	w.put("c", "Patient/c", zhang().body())
	w.settle()
	board := w.hubs[0].board
	if got := w.linked("a"); got != "a c" {
		t.Fatalf("a is %q", got)
	}
	if _, err := board.Link(t.Context(), engineer, "a", "b", "the family book says so"); err != nil {
		t.Fatal(err)
	}
	if got := w.linked("b"); got != "a b c" {
		t.Fatalf("after a link b is %q", got)
	}
	w.put("b", "Patient/b", other.body())
	w.settle()
	if got := w.linked("b"); got != "a b c" {
		t.Errorf("the model undid a person's word: b is %q", got)
	}
	if _, err := board.Undo(t.Context(), engineer, "a", "b", "it was another book"); err != nil {
		t.Fatal(err)
	}
	if a, b := w.linked("a"), w.linked("b"); a != "a c" || b != "b" {
		t.Errorf("after the undo a is %q and b is %q", a, b)
	}
	if _, err := board.Separate(t.Context(), engineer, "Patient/a", "Patient/c", "father and son"); err != nil {
		t.Fatal(err)
	}
	w.put("c", "Patient/c", zhang().body())
	w.settle()
	if a := w.linked("a"); a != "a" {
		t.Errorf("after they were said to be two a is %q", a)
	}
	if _, err := board.Undo(t.Context(), engineer, "a", "c", "no"); err != nil {
		t.Fatal(err)
	}
	if a := w.linked("a"); a != "a c" {
		t.Errorf("after that was undone a is %q", a)
	}
	stranger := zhang()
	stranger.number, stranger.name, stranger.birth = "110101198511163316", "李小龙", "1985-11-16"
	w.put("d", "Patient/d", stranger.body())
	w.settle()
	if _, err := board.Link(t.Context(), engineer, "a", "d", "x"); !hub.Is(err, hub.Conflict) {
		t.Errorf("two valid citizen numbers were linked: %v", err)
	}
	for name, err := range map[string]error{
		"no reason":     second(board.Link(t.Context(), engineer, "a", "b", " ")),
		"a long reason": second(board.Link(t.Context(), engineer, "a", "b", strings.Repeat("长", 501))),
		"one Patient":   second(board.Link(t.Context(), engineer, "a", "a", "x")),
	} {
		if !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(board.Link(t.Context(), access.NewCaller("lead", "system/*.cruds", "t"), "a", "b", "x")); !hub.Is(err, hub.Forbidden) {
		t.Errorf("somebody without the scope decides: %v", err)
	}
}

func second(_ persons.Pair, err error) error { return err }

func TestASharedNumberOfTwoPeopleQuarantinesBoth(t *testing.T) {
	w := open(t, 1)
	w.put("a", "Patient/a", zhang().body())
	thief := zhang()
	thief.name, thief.birth, thief.sex, thief.phone, thief.address = "王秀英", "1951-12-30", "female", "13511112222", "江苏省苏州市临江县人民路3号"
	w.put("b", "Patient/b", thief.body())
	w.settle()
	if a := w.linked("a"); a != "a" {
		t.Errorf("a is %q", a)
	}
	for _, id := range []string{"Patient/a", "Patient/b"} {
		if is, err := w.hubs[0].directory.Quarantined(t.Context(), id); err != nil || !is {
			t.Errorf("%s is not quarantined (%v)", id, err)
		}
	}
	if n, err := w.hubs[0].directory.Pairs(t.Context(), persons.Contradiction); n != 1 || err != nil {
		t.Errorf("%d contradictions are counted (%v)", n, err)
	}
	if n, err := w.hubs[0].directory.Persons(t.Context()); n != 0 || err != nil {
		t.Errorf("%d persons are counted (%v)", n, err)
	}
	list, _, err := w.hubs[0].board.List(t.Context(), engineer, persons.Filter{Limit: 10})
	if err != nil || len(list) != 1 || list[0].State != persons.Contradiction {
		t.Fatalf("the work list is %v (%v)", list, err)
	}
	if _, err := w.hubs[0].board.Separate(t.Context(), engineer, "a", "b", "b gave her son's card"); err != nil {
		t.Fatal(err)
	}
	if is, err := w.hubs[0].directory.Quarantined(t.Context(), "Patient/a"); err != nil || is {
		t.Errorf("still quarantined (%v)", err)
	}
}

func TestAMergeBySenderLinksOldAndNew(t *testing.T) {
	w := open(t, 1)
	old := zhang()
	old.number, old.phone, old.address, old.birth, old.name = "", "", "", "1991-01-01", "张某"
	old.more = `"active":false,"link":[{"other":{"reference":"Patient/new"},"type":"replaced-by"}]`
	w.put("a", "Patient/old", old.body())
	w.put("a", "Patient/new", zhang().body())
	w.put("b", "Patient/foreign", strings.Replace(old.body(), "x", "x", 1)) // another member cannot say so
	w.settle()
	if got := w.linked("old"); got != "new old" {
		t.Errorf("old is %q", got)
	}
	gone := zhang()
	gone.more = `"active":false`
	w.put("c", "Patient/inactive", gone.body())
	w.settle()
	if got := w.linked("inactive"); got != "inactive" {
		t.Errorf("what is out of use is linked to %q", got)
	}
}

func TestJudgingAgainChangesNothingThatIsRight(t *testing.T) {
	w := open(t, 1)
	h := w.hubs[0]
	w.put("a", "Patient/a", zhang().body())
	w.put("b", "Patient/b", zhang().body())
	ahead := func() persons.Preview {
		t.Helper()
		p, err := persons.Ahead(t.Context(), h.follower, w.model, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := ahead(); p.Made != 1 || p.Pairs["gone → linked"] != 1 || p.Patients != 2 {
		t.Errorf("before anything is judged: %+v", p)
	}
	if got := w.linked("a"); got != "a" {
		t.Errorf("a preview linked %q", got)
	}
	w.settle()
	if p := ahead(); p.Made+p.Changed+p.Ended+len(p.Pairs) > 0 {
		t.Errorf("afterwards: %+v", p)
	}
	before, err := w.index.Marks(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	if err := persons.Again(t.Context(), h.follower, h.writer); err != nil {
		t.Fatal(err)
	}
	w.settle()
	after, err := w.index.Marks(t.Context(), records)
	if err != nil || after.Applied != before.Applied+2 { // the mark, twice
		t.Errorf("judging again wrote %d commits (%v)", after.Applied-before.Applied, err)
	}
	if got := w.linked("a"); got != "a b" {
		t.Errorf("a is %q", got)
	}
}
