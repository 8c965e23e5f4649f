package messages_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"concord/hub"
	"concord/hub/messages"
)

// better are rules that say more of each resource.
func better(w *world) {
	w.mapper.mu.Lock()
	defer w.mapper.mu.Unlock()
	w.mapper.rules = "fake@2"
	w.mapper.edit = func(m *messages.Mapping) {
		for i := range m.Resources {
			if r := &m.Resources[i]; r.Name.Type == "Observation" {
				r.Body = []byte(strings.Replace(string(r.Body), `"status":"final"`, `"status":"corrected"`, 1))
			}
		}
	}
}

func TestAMessageMappedAgainKeepsItsEarlierAttempts(t *testing.T) {
	w := newWorld(t)
	id := w.send("m", "1", "10:00:00", report("7", "K=4.1")).Message.ID
	same, err := w.intake.Replay(t.Context(), as("m"), id, "m")
	if err != nil || same.Version != 1 || len(same.Earlier) != 0 {
		t.Errorf("where nothing changed it came out as %+v, %v", same, err)
	}
	better(w)
	if _, err := w.intake.Replay(t.Context(), as("m"), id, "m"); err != nil {
		t.Fatal(err)
	}
	m, err := w.log.Message(t.Context(), as("m"), id)
	if err != nil || m.Mapping != "fake@2" || m.By != "m" || len(m.Earlier) != 1 || m.Earlier[0].Mapping != "fake@1" || string(m.Earlier[0].Answer) != "answer: mapped" {
		t.Errorf("kept as %+v, %v", m, err)
	}
	w.says("Observation/m-o-7-K", `"status":"corrected"`)
	w.says(w.all("Provenance")[0], `"fake@2"`)
}

func TestAnOldMessageMappedAgainDoesNotUndoACorrection(t *testing.T) {
	w := newWorld(t)
	id := w.send("m", "1", "10:00:00", report("7", "K=4.1", "Na=140")).Message.ID
	w.send("m", "2", "10:05:00", report("7", "K=4.4"))
	better(w)
	m, err := w.intake.Replay(t.Context(), as("m"), id, "m")
	if err != nil || m.Status != messages.Mapped || m.Mapping != "fake@1" || m.Version != 1 {
		t.Errorf("came out as %+v, %v", m.Attempt, err)
	}
	if p, err := w.intake.PreviewAgain(t.Context(), as("m"), id); err != nil || p.Message.Status != messages.Mapped || len(p.Differences) != 0 {
		t.Errorf("previewed as %+v, %v", p, err)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`, `"status":"final"`)
	w.gone("Observation/m-o-7-Na")
}

func TestAResultOfTwoReportsStaysAsTheNewerOneSaidWhenTheOlderIsMappedAgain(t *testing.T) {
	w := newWorld(t)
	w.mapper.edit = func(m *messages.Mapping) {
		for i := range m.Resources {
			if r := &m.Resources[i]; r.Name.Type == "Observation" {
				r.Name.ID = "specimen"
			}
		}
	}
	first := w.send("m", "1", "10:00:00", report("7", "K=4.1")).Message.ID
	w.send("m", "2", "10:00:00", report("8", "K=4.2"))
	w.says("Observation/specimen", `"valueString":"4.2"`, `"versionId":"2"`)
	if p, err := w.intake.PreviewAgain(t.Context(), as("m"), first); err != nil || len(p.Differences) != 0 {
		t.Errorf("previewed as %+v, %v", p.Differences, err)
	}
	if m, err := w.intake.Replay(t.Context(), as("m"), first, "m"); err != nil || m.Version != 1 {
		t.Errorf("came out as %+v, %v", m.Attempt, err)
	}
	w.says("Observation/specimen", `"valueString":"4.2"`, `"versionId":"2"`)
	w.send("m", "3", "10:05:00", report("7", "K=4.3"))
	w.says("Observation/specimen", `"valueString":"4.3"`, `"versionId":"3"`)
}

func TestAMessageThatCannotBeReadIsNoDeadLetterWhenMappedAgain(t *testing.T) {
	w := newWorld(t)
	in := incoming("1", "10:00:00", "no message")
	in.Refused = &hub.Error{Kind: hub.Invalid, Path: "MSH-1", Msg: "this is no message"}
	out, err := w.intake.Take(t.Context(), as("m"), in)
	if err != nil || out.Message.Status != messages.Refused {
		t.Fatalf("came out as %+v, %v", out, err)
	}
	if p, err := w.intake.PreviewAgain(t.Context(), as("m"), out.Message.ID); err != nil || p.Message.Status != messages.Refused {
		t.Errorf("previewed as %s, %v", p.Message.Status, err)
	}
	if m, err := w.intake.Replay(t.Context(), as("m"), out.Message.ID, "m"); err != nil || m.Status != messages.Refused || m.Version != 1 {
		t.Errorf("came out as %s, attempt %d, %v", m.Status, m.Version, err)
	}
}

func TestADeadLetterSentAgainIsMappedOnceItCanBe(t *testing.T) {
	w := newWorld(t)
	text := report("7", "K=4.1")
	w.mapper.edit = func(m *messages.Mapping) { m.Resources[0].Body = []byte(`{"resourceType":"Observation"}`) }
	dead := w.send("m", "1", "10:00:00", text)
	again := w.send("m", "1", "10:00:00", text)
	if dead.Message.Status != messages.Dead || !again.Again {
		t.Fatalf("came out as %+v, then %+v", dead, again)
	}
	w.mapper.edit = nil
	now := w.send("m", "1", "10:00:00", text)
	if now.Again || now.Message.Status != messages.Mapped || now.Message.ID != dead.Message.ID || len(now.Message.Earlier) != 1 {
		t.Errorf("came out as %+v", now)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.1"`)
}

func TestAPreviewTellsTheDifferenceAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	id := w.send("m", "1", "10:00:00", report("7", "K=4.1", "Na=140")).Message.ID
	before := w.all(messages.Type)
	p, err := w.intake.Preview(t.Context(), as("m"), incoming("2", "10:05:00", report("7", "K=4.4", "Cl=101")))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range p.Differences {
		got[d.Name] = d.How
		for _, e := range d.Elements {
			got[e.Path] = string(e.Before) + " → " + string(e.After)
		}
	}
	for name, want := range map[string]string{"Observation/m-o-7-K": "changed", "Observation/m-o-7-Cl": "new", "Observation/m-o-7-Na": "removed",
		"Observation.valueString": `"4.1" → "4.4"`, "DiagnosticReport.result[1].reference": `"Observation/m-o-7-Na" → "Observation/m-o-7-Cl"`} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	if len(p.Resources) != 3 || p.Message.Status != messages.Mapped {
		t.Errorf("previewed %d resources as %s", len(p.Resources), p.Message.Status)
	}
	better(w)
	if p, err := w.intake.PreviewAgain(t.Context(), as("m"), id); err != nil || len(p.Differences) != 2 {
		t.Errorf("of the kept message: %+v, %v", p.Differences, err)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.1"`, `"versionId":"1"`)
	if after := w.all(messages.Type); !slices.Equal(before, after) {
		t.Errorf("the log has %v", after)
	}
}

func TestManyMessagesAreMappedAgainPageByPage(t *testing.T) {
	w := newWorld(t)
	for i := range 230 {
		w.send("m", fmt.Sprint(i), "", report(fmt.Sprint(i), "K=4.1"))
	}
	w.send("n", "x", "", report("x", "K=4.1"))
	better(w)
	jobs := messages.NewJobs(w.intake)
	j, err := jobs.Start(t.Context(), as("m"), messages.Filter{}, messages.MostRate)
	if err != nil || j.Total != 230 {
		t.Fatalf("began as %+v, %v", j, err)
	}
	if worked, err := jobs.Work(t.Context()); !worked || err != nil {
		t.Fatal(worked, err)
	}
	if j, err = jobs.Job(t.Context(), as("m"), j.ID); err != nil || j.Ended != messages.JobDone || j.Seen != 230 || j.Mapped != 230 {
		t.Errorf("ended as %+v, %v", j, err)
	}
	w.says("Observation/m-o-229-K", `"status":"corrected"`)
	w.says("Observation/n-o-x-K", `"status":"final"`)
	if _, err := jobs.Job(t.Context(), as("n"), j.ID); !hub.Is(err, hub.NotFound) {
		t.Errorf("another member sees the replay: %v", err)
	}
	if again, err := jobs.Start(t.Context(), as("m"), messages.Filter{}, 0); err != nil {
		t.Error(err)
	} else if again, err = jobs.Stop(t.Context(), as("m"), again.ID); err != nil || again.Ended != messages.JobStopped {
		t.Errorf("stopped as %+v, %v", again, err)
	}
	if worked, err := jobs.Work(t.Context()); worked || err != nil {
		t.Errorf("a stopped replay went on: %v", err)
	}
}

func TestAReplayGoesOnWhereAnotherHubLeftIt(t *testing.T) {
	w := newWorld(t)
	for i := range 250 {
		w.send("m", fmt.Sprint(i), "", report(fmt.Sprint(i), "K=4.1"))
	}
	better(w)
	var seen atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	w.intake.Observe = func(*messages.Message) {
		if seen.Add(1) == 120 {
			stop()
		}
	}
	first := messages.NewJobs(w.intake)
	j, err := first.Start(t.Context(), engineer(), messages.Filter{Member: "m"}, messages.MostRate)
	if err != nil {
		t.Fatal(err)
	}
	first.Work(ctx)
	w.intake.Observe = nil
	if j, err = first.Job(t.Context(), engineer(), j.ID); err != nil || j.Ended != "" || j.Seen != 100 {
		t.Fatalf("left as %+v, %v", j, err)
	}
	second := messages.NewJobs(w.intake)
	w.now = w.now.Add(messages.JobLost)
	if worked, err := second.Work(t.Context()); !worked || err != nil {
		t.Fatal(worked, err)
	}
	if j, err = second.Job(t.Context(), engineer(), j.ID); err != nil || j.Ended != messages.JobDone || j.Seen != 250 || j.Mapped+j.Unchanged != 250 {
		t.Errorf("ended as %+v, %v", j, err)
	}
	w.says("Observation/m-o-249-K", `"status":"corrected"`)
}
