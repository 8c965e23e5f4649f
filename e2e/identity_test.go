package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/hl7"
)

// TestIdentityAFHIRClientAsksWhoIsWho has a client that others wrote call $match and $ihe-pix.
func TestIdentityAFHIRClientAsksWhoIsWho(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	on := hubproc.Embedded(t)
	token := on.Member(t, "county")
	runClient(t, "fhir-kit-client", "node", "identity.mjs", hubproc.Start(t, on).URL+"/fhir", token)
}

// TestIdentityOnePersonOfThreeMembers has three members send one man, each with other faults, and asks two hubs for him.
func TestIdentityOnePersonOfThreeMembers(t *testing.T) {
	for name, world := range map[string]func(*testing.T) *registry{
		"embedded": func(t *testing.T) *registry { return startRegistry(t, hubproc.Embedded(t), 1) },
		"MinIO and Redis, two hubs": func(t *testing.T) *registry {
			return startRegistry(t, hubproc.Stores{Data: t.TempDir(), S3: startMinio(t).URL, Redis: startRedis(t).URL}, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := world(t)
			threeMembers(r)
		})
	}
}

func threeMembers(r *registry) {
	t := r.t
	const number, card = "340181198503124215", "E34018100017"
	r.put("county", person{id: "c1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12", phone: "13856012345", numbers: []string{citizenNumber + "|" + number, healthCard + "|" + card}})
	r.put("village", person{id: "v1", family: "欧阳", given: "明哲", sex: "male", birth: "1985-03-12", numbers: []string{citizenNumber + "|340181850312421"}})               // a homophone, the old number
	r.put("town", person{id: "t1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-21", phone: "+86 138 5601 2345", numbers: []string{healthCard + "|" + card}}) // two digits changed places
	r.put("town", person{id: "t9", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12"})                                                                         // a namesake
	for member, patient := range map[string]string{"county": "c1", "village": "v1", "town": "t1"} {
		r.measure(member, patient)
	}
	r.measure("town", "t9")
	r.become("c1", "v1", "t1")
	if got := r.results(r.as("county"), "t9"); !slices.Equal(got, []string{"t9"}) {
		t.Errorf("a name and a birth date linked: %v", got)
	}
	// The same by every way of asking for a patient.
	c := r.hubs[len(r.hubs)-1].Client(r.of["village"])
	for _, path := range []string{"/fhir/Observation?subject=Patient/v1", "/fhir/Patient/v1/Observation", "/fhir/Patient/v1/$everything?_type=Observation", "/fhir/Observation/$lastn?patient=v1&code=http://loinc.org|14749-6&max=9"} {
		if ids := r.ids(c, path); len(ids) != 3 {
			t.Errorf("%s finds %v", path, ids)
		}
	}
	// The person.
	ids := r.ids(c, "/fhir/Person?link=Patient/v1")
	if len(ids) != 1 {
		t.Fatalf("the persons of v1 are %v", ids)
	}
	if _, golden := r.ask(c, "/fhir/Person/"+ids[0]); golden["resourceType"] != "Person" || len(golden["link"].([]any)) != 3 {
		t.Errorf("%v", golden)
	}
	for _, query := range []string{"identifier=" + citizenNumber + "|" + number, "name=欧阳", "name=ouyang", "link=Patient/c1"} {
		name, value, _ := strings.Cut(query, "=")
		if got := r.ids(c, "/fhir/Person?"+name+"="+escaped(value)); !slices.Equal(got, ids) {
			t.Errorf("Person?%s finds %v, want %v", query, got, ids)
		}
	}
	if status, out := r.ask(c, "/fhir/Patient/$ihe-pix?sourceIdentifier="+escaped(citizenNumber+"|"+number)+"&targetSystem="+escaped(healthCard)); status != http.StatusOK || !strings.Contains(fmt.Sprint(out), card) {
		t.Errorf("$ihe-pix: %d %v", status, out)
	}
	// Each member's Patient is as it was sent.
	if _, own := r.ask(c, "/fhir/Patient/v1"); own["meta"].(map[string]any)["versionId"] != "1" || own["link"] != nil {
		t.Errorf("the hub changed a Patient: %v", own)
	}
	if a, err := r.as("village").JSON("DELETE", "/fhir/Patient/v1", nil); err != nil || a.Status != http.StatusNoContent && a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	r.become("c1", "t1")
}

// TestIdentityADoubtfulPairIsDecidedByAPersonAndUndone follows a pair through the commands.
func TestIdentityADoubtfulPairIsDecidedByAPersonAndUndone(t *testing.T) {
	on := hubproc.Embedded(t)
	r := startRegistry(t, on, 1)
	// One card; the given names differ: a changed name, or somebody else's card.
	r.put("county", person{id: "c1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12", numbers: []string{healthCard + "|E34018100018"}})
	r.put("village", person{id: "v1", family: "欧阳", given: "国强", sex: "male", birth: "1985-03-12", numbers: []string{healthCard + "|E34018100018"}})
	r.measure("county", "c1")
	r.measure("village", "v1")
	id := r.pair("open", "c1", "v1")
	if got := r.results(r.as("county"), "c1"); !slices.Equal(got, []string{"c1"}) {
		t.Errorf("a doubtful pair is linked: %v", got)
	}
	concord := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(hubproc.Binary(t), append(append([]string{"identity"}, args...), "--url", r.hubs[0].URL, "--token", r.engineer["county"])...).CombinedOutput()
		if err != nil {
			t.Fatalf("concord identity %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if list := concord("pairs"); !strings.Contains(list, id) || strings.Contains(list, "E34018100018") {
		t.Errorf("the list:\n%s", list)
	}
	concord("link", id, "--reason", "证件原件已核对")
	r.become("c1", "v1")
	if ids := r.pairs("decided", "c1", "v1"); len(ids) != 1 {
		t.Errorf("decided: %v", ids)
	}
	concord("undo", id, "--reason", "看错了")
	r.become("c1")
	r.become("v1")
	concord("separate", id, "--reason", "借用他人的卡")
	r.put("village", person{id: "v1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12", numbers: []string{healthCard + "|E34018100018"}})
	r.settle()
	r.become("c1") // a person's word holds, though the model would link them now
	_, one := r.ask(r.hubs[0].Client(r.engineer["county"]), "/identity/pairs/"+id)
	text, _ := json.Marshal(one)
	for _, want := range []string{"王芳", "证件原件已核对", "看错了", "借用他人的卡"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the history does not say %s: %s", want, text)
		}
	}
	r.hubs[0].Stop()
	on.Must(t, "fsck")
}

// TestIdentityWhatIsNeverLinked has members send twins, a newborn and its mother, and one number of two people.
func TestIdentityWhatIsNeverLinked(t *testing.T) {
	r := startRegistry(t, hubproc.Embedded(t), 1)
	const phone, number = "13856012399", "340181196205073027"
	home := `,"address":[{"state":"安徽省","city":"合肥市","district":"巢湖市","text":"安徽省合肥市巢湖市人民路12号3栋401室"}]`
	twin := func(order string) string { return home + `,"multipleBirthInteger":` + order }
	r.put("county", person{id: "twin1", family: "欧阳", given: "子涵", sex: "female", birth: "2020-01-01", phone: phone, more: twin("1")})
	r.put("village", person{id: "twin2", family: "欧阳", given: "子萱", sex: "female", birth: "2020-01-01", phone: phone, more: twin("2")})
	r.put("county", person{id: "mother", family: "王", given: "丽华", sex: "female", birth: "1990-05-07", phone: phone, more: home})
	r.put("village", person{id: "baby", family: "", given: "王丽华之子", sex: "male", birth: "2026-02-02", phone: phone, more: home})
	r.put("county", person{id: "right", family: "赵", given: "秀兰", sex: "female", birth: "1962-05-07", numbers: []string{citizenNumber + "|" + number}})
	r.put("village", person{id: "wrong", family: "钱", given: "建国", sex: "male", birth: "1949-10-01", numbers: []string{citizenNumber + "|" + number}})
	ids := []string{"twin1", "twin2", "mother", "baby", "right", "wrong"}
	for _, id := range ids {
		r.measure("town", id)
	}
	r.settle()
	for _, id := range ids {
		if got := r.results(r.as("county"), id); !slices.Equal(got, []string{id}) {
			t.Errorf("%s was linked: %v", id, got)
		}
	}
	r.pair("contradiction", "right", "wrong")
	if open := r.pairs("open", "twin1", "twin2"); len(open) != 0 {
		t.Errorf("somebody is asked about twins: %v", open)
	}
	asked := `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":` + person{id: "x", family: "赵", given: "秀兰", sex: "female", birth: "1962-05-07", numbers: []string{citizenNumber + "|" + number}}.body() +
		`},{"name":"onlyCertainMatches","valueBoolean":true}]}`
	a, err := r.as("town").JSON("POST", "/fhir/Patient/$match", []byte(asked))
	if err != nil || a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"total":0`) {
		t.Errorf("a quarantined number is certain: %v %v", a, err)
	}
}

// TestIdentityAChangedNumber has a member know a person's old number, and then both.
func TestIdentityAChangedNumber(t *testing.T) {
	r := startRegistry(t, hubproc.Embedded(t), 1)
	const before, card = "340181198503124215", "E34018100019"
	now := residentNumber("34018119850312423")
	old := person{id: "v1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12", phone: "13856012345", numbers: []string{citizenNumber + "|" + before, healthCard + "|" + card}}
	r.put("village", old)
	r.put("county", person{id: "c1", family: "欧阳", given: "铭哲", sex: "male", birth: "1985-03-12", phone: "13856012345", numbers: []string{citizenNumber + "|" + now, healthCard + "|" + card}})
	r.measure("county", "c1")
	r.measure("village", "v1")
	r.pair("open", "c1", "v1")
	r.become("c1")
	old.numbers = []string{citizenNumber + "|" + before + "|old", citizenNumber + "|" + now, healthCard + "|" + card}
	r.put("village", old)
	r.become("c1", "v1")
}

// residentNumber adds the check digit (GB 11643).
func residentNumber(first17 string) string {
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(first17[i]-'0') * w
	}
	return first17 + "10X98765432"[sum%11:sum%11+1]
}

// TestIdentityAMergeByMessage sends two patients and their merge (ADT^A40) over MLLP.
func TestIdentityAMergeByMessage(t *testing.T) {
	address := hubproc.FreeAddress(t)
	r := startRegistry(t, hubproc.Embedded(t), 1, "--mllp", address)
	send := func(message string) {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answer, err := exchange(c, hl7.NewFrames(c, 1<<20), message)
		if err != nil || answer.Text("MSA-1") != "AA" {
			t.Fatalf("%v %v", answer, err)
		}
	}
	header := func(event, control string) string {
		return "MSH|^~\\&|COUNTY|WARD|HUB|C|" + time.Now().Format("20060102150405-0700") + "||ADT^" + event + "|" + control + "|P|2.5.1||||||UNICODE UTF-8\rEVN||20260301080000+0800\r"
	}
	send(header("A28^ADT_A05", "1") + "PID|1||M1^^^COUNTY^MR||欧阳^铭哲||19850312|M\r")
	send(header("A28^ADT_A05", "2") + "PID|1||M2^^^COUNTY^MR||欧阳^某||19700101|M\r")
	c := r.as("county")
	find := func(number string) string {
		ids := r.ids(c, "/fhir/Patient?identifier="+number)
		if len(ids) != 1 {
			t.Fatalf("%s is the number of %v", number, ids)
		}
		return ids[0]
	}
	one, two := find("M1"), find("M2")
	r.measure("county", one)
	r.measure("county", two)
	send(header("A40^ADT_A39", "3") + "PID|1||M1^^^COUNTY^MR||欧阳^铭哲||19850312|M\rMRG|M2^^^COUNTY^MR\r")
	r.become(one, two)
}

// TestTheExamplesAboutIdentityRun executes the shell examples of docs/identity.md.
func TestTheExamplesAboutIdentityRun(t *testing.T) {
	r := startRegistry(t, hubproc.Embedded(t), 1)
	runExamples(t, "identity", "HUB="+r.hubs[0].URL+"/fhir", "COUNTY="+r.of["county"], "VILLAGE="+r.of["village"], "ENGINEER="+r.engineer["county"])
}
