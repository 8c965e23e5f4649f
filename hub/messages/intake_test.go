package messages_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"concord/hub"
	"concord/hub/messages"
)

func TestAMessageAndWhatItMeansAreThereTogether(t *testing.T) {
	w := newWorld(t)
	out := w.send("m", "1", "10:00:00", report("7", "K=4.1", "Na=140"))
	if out.Again || out.Message.Status != messages.Mapped || string(out.Message.Answer) != "answer: mapped" {
		t.Errorf("the outcome is %+v", out)
	}
	if want := []string{"Observation/m-o-7-K", "Observation/m-o-7-Na", "DiagnosticReport/m-r-7"}; !slices.Equal(out.Message.Made, want) {
		t.Errorf("made %v, not %v", out.Message.Made, want)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.1"`, `"versionId":"1"`, `"id":"m-o-7-K"`)
	notes := w.all("Provenance")
	if len(notes) != 1 {
		t.Fatalf("there are %d Provenances, not one of the report", len(notes))
	}
	w.says(notes[0], `"value":"`+out.Message.ID+`"`, `"value":"fake@1"`, `{"reference":"DiagnosticReport/m-r-7"}`, `"start":"2026-03-01T10:00:00.000Z"`)
	w.says(messages.Type+"/"+out.Message.ID, `"control":"1"`, `report 7`)
}

func TestARepeatedMessageIsAnsweredAgainAndStoredOnce(t *testing.T) {
	w := newWorld(t)
	first := w.send("m", "1", "10:00:00", report("7", "K=4.1"))
	w.mapper.rules = "fake@2"
	again := w.send("m", "1", "10:00:00", report("7", "K=4.1"))
	if !again.Again || again.Message.ID != first.Message.ID || string(again.Message.Answer) != "answer: mapped" || again.Message.Mapping != "fake@1" {
		t.Errorf("the repeated message came out as %+v", again)
	}
	if _, version := w.body("Observation/m-o-7-K"); version != 1 {
		t.Errorf("the result has version %d", version)
	}
	if all := w.all(messages.Type); len(all) != 1 {
		t.Errorf("%d messages are kept", len(all))
	}
}

func TestOtherBytesUnderOneControlIDAreBothKeptAndTold(t *testing.T) {
	w := newWorld(t)
	first := w.send("m", "1", "10:00:00", report("7", "K=4.1"))
	other := w.send("m", "1", "10:00:01", report("8", "K=9.9"))
	if other.Again || other.Message.ID == first.Message.ID || other.Message.Differs != first.Message.ID {
		t.Errorf("the other message came out as %+v", other)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.1"`)
	w.says("Observation/m-o-8-K", `"valueString":"9.9"`)
	if again := w.send("m", "1", "10:00:01", report("8", "K=9.9")); !again.Again || again.Message.ID != other.Message.ID {
		t.Errorf("the other message, repeated, came out as %+v", again)
	}
	if elsewhere := w.send("n", "1", "10:00:00", report("7", "K=4.1")); elsewhere.Again {
		t.Error("another member's message was taken for a repetition")
	}
}

func TestACorrectionReplacesTheReportAsAWhole(t *testing.T) {
	w := newWorld(t)
	w.send("m", "1", "10:00:00", report("7", "K=4.1", "Na=140"))
	w.send("m", "2", "10:00:00", report("8", "K=5"))
	out := w.send("m", "3", "10:05:00", report("7", "K=4.4", "Cl=101"))
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`, `"versionId":"2"`)
	w.says("Observation/m-o-7-Cl", `"valueString":"101"`)
	w.gone("Observation/m-o-7-Na")
	w.says("Observation/m-o-8-K", `"valueString":"5"`)
	if !slices.Equal(out.Message.Removed, []string{"Observation/m-o-7-Na"}) {
		t.Errorf("removed %v", out.Message.Removed)
	}
	w.send("m", "4", "10:06:00", report("7", "K=4.4", "Cl=101"))
	if _, version := w.body("Observation/m-o-7-K"); version != 2 {
		t.Errorf("a result that did not change has version %d", version)
	}
}

func TestAnOlderMessageThatComesLateChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.send("m", "2", "10:05:00", report("7", "K=4.4"))
	out := w.send("m", "1", "10:00:00", report("7", "K=4.1"))
	if out.Message.Status != messages.Late || len(out.Message.Made) != 0 || len(out.Message.Faults) != 1 {
		t.Errorf("the late message came out as %+v", out.Message.Attempt)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`)
	// The time of the report itself, where there is one, says more than that of the message.
	w.send("m", "3", "10:10:00", reportAt("7", "09:00:00", "K=4.0"))
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`)
}

func TestOfTwoMessagesOfOneTimeTheLaterReceivedHasTheLastWord(t *testing.T) {
	w := newWorld(t)
	first := w.send("m", "1", "10:00:00", report("7", "K=4.1"))
	w.send("m", "2", "10:00:00", report("7", "K=4.4"))
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`)
	if _, err := w.intake.Replay(t.Context(), as("m"), first.Message.ID, "m"); err != nil {
		t.Fatal(err)
	}
	w.says("Observation/m-o-7-K", `"valueString":"4.4"`)
}

func TestAClockThatIsAheadDoesNotKeepCorrectionsOut(t *testing.T) {
	w := newWorld(t)
	w.send("m", "1", "23:59:00", report("7", "K=4.1"))
	w.send("m", "2", "11:00:00", report("7", "K=4.2"))
	w.says("Observation/m-o-7-K", `"valueString":"4.1"`) // said before the other one was received
	w.send("m", "3", "12:30:00", report("7", "K=4.3"))
	w.says("Observation/m-o-7-K", `"valueString":"4.3"`)
}

func TestAPatientIsMergedElementByElement(t *testing.T) {
	w := newWorld(t)
	w.send("m", "1", "10:00:00", shared(`{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mr","value":"1"},{"system":"urn:card","value":"X"}],"name":[{"text":"张伟"}],"deceasedBoolean":false,"birthDate":"1970-01-01"}`))
	w.send("m", "2", "10:01:00", shared(`{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mr","value":"1"},{"system":"urn:phone","value":"Y"}],"name":[{"text":"张大伟"}],"deceasedDateTime":"2026-02-01"}`))
	w.says("Patient/m-p1", `"value":"X"`, `"value":"Y"`, `"张大伟"`, `"birthDate":"1970-01-01"`, `"deceasedDateTime"`)
	body, version := w.body("Patient/m-p1")
	if strings.Contains(body, "deceasedBoolean") || strings.Count(body, `"urn:mr"`) != 1 || version != 2 {
		t.Errorf("the patient is %s", body)
	}
	out := w.send("m", "3", "10:02:00", shared(`{"resourceType":"Patient","id":"p1","name":[{"text":"张大伟"}]}`))
	if _, version := w.body("Patient/m-p1"); version != 2 || out.Message.Status != messages.Mapped {
		t.Errorf("what says nothing new made version %d", version)
	}
	late := w.send("m", "4", "09:00:00", shared(`{"resourceType":"Patient","id":"p1","name":[{"text":"old"}]}`))
	w.says("Patient/m-p1", `"张大伟"`)
	if late.Message.Status != messages.Late {
		t.Errorf("the older message is %s", late.Message.Status)
	}
	w.send("m", "5", "10:03:00", `{"resources":[{"cleared":["birthDate"],"body":{"resourceType":"Patient","id":"p1"}}]}`)
	if body, _ := w.body("Patient/m-p1"); strings.Contains(body, "birthDate") {
		t.Errorf("what was cleared is still there: %s", body)
	}
	w.send("m", "6", "10:04:00", `{"resources":[{"yields":["gender","active"],"body":{"resourceType":"Patient","id":"p1","gender":"male","active":true}}]}`)
	w.send("m", "7", "10:05:00", `{"resources":[{"yields":["gender"],"body":{"resourceType":"Patient","id":"p1","gender":"unknown","active":false}}]}`)
	w.says("Patient/m-p1", `"gender":"male"`, `"active":false`)
}

func TestPatientsThatWereMergedAreLinked(t *testing.T) {
	w := newWorld(t)
	w.send("m", "1", "10:00:00", shared(`{"resourceType":"Patient","id":"a","name":[{"text":"A"}]}`, `{"resourceType":"Patient","id":"b","name":[{"text":"B"}]}`))
	w.send("m", "2", "10:01:00", shared(
		`{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/m-b"},"type":"replaces"}]}`,
		`{"resourceType":"Patient","id":"b","active":false,"link":[{"other":{"reference":"Patient/m-a"},"type":"replaced-by"}]}`))
	w.send("m", "3", "10:02:00", shared(`{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/m-c"},"type":"replaces"}]}`))
	w.says("Patient/m-a", `"Patient/m-b"`, `"Patient/m-c"`, `"A"`)
	w.says("Patient/m-b", `"replaced-by"`, `"active":false`, `"B"`)
}

func TestWhatCannotBeMappedIsKeptWithItsReason(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		text string
		kind string
	}{
		"a message without sense":                 {"nonsense", "invalid"},
		"a resource that R4 does not allow":       {shared(`{"resourceType":"Patient","id":"p1","nmae":[]}`), "invalid"},
		"a mapping that panics":                   {`{"panic":true}`, "internal"},
		"a part of what it says that is unusable": {shared(`{"resourceType":"Patient","id":"p2"}`, `{"resourceType":"Nothing","id":"p1"}`), "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.send("m", name, "", c.text)
			m := out.Message
			if m.Status != messages.Dead || len(m.Faults) == 0 || !m.Faults[0].Fatal || m.Faults[0].Kind != c.kind || string(m.Answer) != "answer: dead" {
				t.Errorf("came out as %+v", m.Attempt)
			}
			if string(m.Raw) != c.text {
				t.Errorf("kept as %s", m.Raw)
			}
		})
	}
	w.gone("Patient/m-p2")
}

func TestWhatCannotBeReadIsKeptAndNotMapped(t *testing.T) {
	w := newWorld(t)
	in := incoming("1", "", report("7", "K=4.1"))
	in.Refused = &hub.Error{Kind: hub.Invalid, Path: "MSH-12", Msg: "no such version"}
	out, err := w.intake.Take(t.Context(), as("m"), in)
	if err != nil || out.Message.Status != messages.Refused || out.Message.Faults[0].Place != "MSH-12" {
		t.Errorf("came out as %+v, %v", out.Message, err)
	}
	w.gone("Observation/m-o-7-K")
}

func TestAnotherMembersResourceIsNotChanged(t *testing.T) {
	w := newWorld(t)
	w.mapper.edit = func(m *messages.Mapping) { m.Resources[0].Name.ID = "same" }
	w.send("m", "1", "10:00:00", shared(`{"resourceType":"Patient","id":"x","name":[{"text":"A"}]}`))
	out := w.send("n", "1", "10:01:00", shared(`{"resourceType":"Patient","id":"x","name":[{"text":"B"}]}`))
	if out.Message.Status != messages.Dead || out.Message.Faults[0].Kind != "forbidden" || string(out.Message.Answer) != "answer: dead" {
		t.Errorf("came out as %+v", out.Message.Attempt)
	}
	w.says("Patient/same", `"A"`)
}

func TestBytesThatAreNotTextAndLargeOnesComeBackAsSent(t *testing.T) {
	w := newWorld(t)
	for _, raw := range []string{"\xff\xfe\x00GB\xb1\xfe", strings.Repeat("x", messages.InlineBytes+1), strings.Repeat("\xc1|", messages.InlineBytes)} {
		out := w.send("m", fmt.Sprint(len(raw)), "", raw)
		m, err := w.log.Message(t.Context(), as("m"), out.Message.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.log.Raw(t.Context(), as("m"), &m)
		if err != nil || string(got) != raw {
			t.Errorf("%d bytes came back as %d, %v", len(raw), len(got), err)
		}
	}
}

func TestALargeAttachmentLiesInABlob(t *testing.T) {
	w := newWorld(t)
	data := strings.Repeat("QUJD", 64<<10)
	w.send("m", "1", "10:00:00", `{"resources":[{"part":"d","body":{"resourceType":"Binary","id":"b","contentType":"application/pdf","data":"`+data+`"}}]}`)
	if body, _ := w.body("Binary/m-b"); len(body) > 1000 || !strings.Contains(body, `"data":"@0"`) {
		t.Errorf("the record has %d bytes", len(body))
	}
}

func TestManySendersRepeatingThemselvesStoreEachMessageOnce(t *testing.T) {
	w := newWorld(t)
	const senders, each = 40, 25
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				text := report(fmt.Sprintf("%d-%d", s, i), "K=4.1", "Na=140")
				if s%2 == 0 { // all of these speak of one report
					text = report("shared", fmt.Sprintf("K=%d", i))
				}
				in := incoming(fmt.Sprintf("%d/%d", s, i), "", text)
				var pair sync.WaitGroup
				for range 2 {
					pair.Go(func() {
						if _, err := w.intake.Take(t.Context(), as("m"), in); err != nil {
							t.Error(err)
						}
					})
				}
				pair.Wait()
			}
		})
	}
	wg.Wait()
	if n := len(w.all(messages.Type)); n != senders*each {
		t.Errorf("%d messages are kept, not %d", n, senders*each)
	}
	if n := len(w.all("DiagnosticReport")); n != senders/2*each+1 {
		t.Errorf("there are %d reports", n)
	}
}

func TestWhatTwoReportsHaveIsNotOnesToTakeAway(t *testing.T) {
	w := newWorld(t)
	both := func(number string, with bool) string {
		list := fmt.Sprintf(`{"part":"report %s","body":{"resourceType":"DiagnosticReport","id":"r-%s","status":"final","code":{"text":"panel"}}}`, number, number)
		if with {
			list += fmt.Sprintf(`,{"part":"report %s","body":{"resourceType":"Observation","id":"o-both","status":"final","code":{"text":"K"},"valueString":"4.1"}}`, number)
		}
		return `{"resources":[` + list + `]}`
	}
	w.send("m", "1", "10:00:00", both("7", true))
	w.send("m", "2", "10:00:00", both("8", true))
	if out := w.send("m", "3", "10:05:00", both("7", false)); len(out.Message.Removed) > 0 {
		t.Errorf("removed %v, which report 8 has", out.Message.Removed)
	}
	w.says("Observation/m-o-both", `"valueString":"4.1"`)
	if out := w.send("m", "4", "10:06:00", both("8", false)); !slices.Equal(out.Message.Removed, []string{"Observation/m-o-both"}) {
		t.Errorf("removed %v when no report has the result any more", out.Message.Removed)
	}
	w.gone("Observation/m-o-both")
}
