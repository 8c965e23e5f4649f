package dimse

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// TestARefusalNamesTheElementThatIsAtFault: the Offending Element by its tag and the Error Comment by its keyword, whole.
func TestARefusalNamesTheElementThatIsAtFault(t *testing.T) {
	address, open := startStore(t, func(*Server) {})
	close(open)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const ct = storageFamily + "2"
	classes := []string{ct, studyRootFind, patientRootFind, studyRootMove, studyRootGet, modalityWorklist, commitmentClass, "1.2.840.10008.1.1"}
	p := upperlayer.Proposal{Called: "CONCORD", Calling: "CT1"}
	for i, class := range classes {
		p.Contexts = append(p.Contexts, upperlayer.ProposedContext{ID: byte(2*i + 1), Abstract: class, Transfer: []string{explicitLittle}})
	}
	var dialer upperlayer.Dialer
	a, err := dialer.Dial(ctx, address, p)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	image := `{"00080016":{"vr":"UI","Value":["` + ct + `"]},"00080018":{"vr":"UI","Value":["1.2.3"]},"0020000D":{"vr":"UI","Value":["1.2"]},"0020000E":{"vr":"UI","Value":["1.2.1"]}}`
	level := func(level, more string) string {
		return `{"00080052":{"vr":"CS","Value":["` + level + `"]}` + more + `}`
	}
	store := func(class, instance string) upperlayer.Command {
		return upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: class, SOPInstance: instance}
	}
	find := upperlayer.Command{Field: upperlayer.CFindRQ}
	action := upperlayer.Command{Field: upperlayer.NActionRQ, SOPClass: commitmentClass, SOPInstance: commitmentInstance, ActionType: requestCommitment}
	for _, c := range []struct {
		name    string
		in      string
		command upperlayer.Command
		data    string // DICOM JSON; empty for none
		status  upperlayer.Status
		tag     dicom.Tag
		comment string
	}{
		{"a store without data set", ct, store(ct, "1.2.3"), "", cannotUnderstand, 0x00000800, "CommandDataSetType: says that no data set follows"},
		{"a store of another class than its context's", ct, store(storageFamily+"4", "1.2.3"), image, notSOPClass, 0x00000002, "AffectedSOPClassUID: is not that of the presentation context"},
		{"a store without class", ct, store("", "1.2.3"), image, notSOPClass, 0x00000002, "AffectedSOPClassUID: is not that of the presentation context"},
		{"a store without instance", ct, store(ct, ""), image, cannotUnderstand, 0x00001000, "AffectedSOPInstanceUID: is missing or empty"},
		{"a store of no UID", ct, store(ct, "1.2.x"), image, cannotUnderstand, 0x00001000, "AffectedSOPInstanceUID: is not a UID"},
		{"a store of another instance than its data set's", ct, store(ct, "1.2.4"), image, notSOPClass, 0x00080018, "SOPInstanceUID: is not that of the command"},
		{"a store of an empty data set", ct, store(ct, "1.2.3"), "{}", cannotUnderstand, 0x00080018, "SOPInstanceUID: is missing or empty"},
		{"an echo of another class than its context's", "1.2.840.10008.1.1", upperlayer.Command{Field: upperlayer.CEchoRQ, SOPClass: ct}, "", upperlayer.SOPClassNotSupported, 0x00000002, "AffectedSOPClassUID: is not that of the presentation context"},
		{"a query of another class than its context's", studyRootFind, upperlayer.Command{Field: upperlayer.CFindRQ, SOPClass: patientRootFind}, level("STUDY", ""), upperlayer.SOPClassNotSupported, 0x00000002, "AffectedSOPClassUID: is not that of the presentation context"},
		{"a commitment of another class than its context's", commitmentClass, upperlayer.Command{Field: upperlayer.NActionRQ, SOPClass: ct, SOPInstance: commitmentInstance, ActionType: requestCommitment}, "{}", upperlayer.NoSuchSOPClass, 0x00000003, "RequestedSOPClassUID: is not that of the presentation context"},
		{"a query without identifier", studyRootFind, find, "", identifierMismatch, 0x00000800, "CommandDataSetType: says that no data set follows"},
		{"a query with an empty identifier", studyRootFind, find, "{}", identifierMismatch, dicom.TagLevel, "QueryRetrieveLevel: "},
		{"a query of patients in the root of studies", studyRootFind, find, level("PATIENT", ""), identifierMismatch, dicom.TagLevel, "QueryRetrieveLevel: "},
		{"a query of no date", studyRootFind, find, level("STUDY", `,"00080020":{"vr":"DA","Value":["20251340"]}`), identifierMismatch, 0x00080020, "StudyDate: is no valid value or range"},
		{"a worklist query of no date", modalityWorklist, find, `{"00400100":{"vr":"SQ","Value":[{"00400002":{"vr":"DA","Value":["today"]}}]}}`, identifierMismatch, 0x00400002, "ScheduledProcedureStepStartDate: is no valid"},
		{"a retrieval without its unique key", studyRootGet, upperlayer.Command{Field: upperlayer.CGetRQ}, level("SERIES", ""), identifierMismatch, 0x0020000E, "SeriesInstanceUID: must be given at the SERIES level"},
		{"a move to nobody", studyRootMove, upperlayer.Command{Field: upperlayer.CMoveRQ, Destination: "NOBODY"}, level("STUDY", `,"0020000D":{"vr":"UI","Value":["1.2"]}`), unknownDestination, 0x00000600, "MoveDestination: "},
		{"a commitment without data set", commitmentClass, action, "", upperlayer.InvalidArgumentValue, 0x00000800, "CommandDataSetType: says that no data set follows"},
		{"a commitment without transaction", commitmentClass, action, "{}", upperlayer.InvalidArgumentValue, 0x00081195, "TransactionUID: is missing or empty"},
		{"a commitment of nothing", commitmentClass, action, `{"00081195":{"vr":"UI","Value":["1.2"]}}`, upperlayer.InvalidArgumentValue, 0x00081199, "ReferencedSOPSequence: names no instance"},
		{"an operation of another service", "1.2.840.10008.1.1", upperlayer.Command{Field: upperlayer.NGetRQ}, "", upperlayer.UnrecognizedOperation, 0x00000100, "CommandField: N-GET is no operation of this SOP class"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var data io.Reader
			if c.data != "" {
				set, err := dicom.AppendDataSet(nil, []byte(c.data), explicitLittle, nil)
				if err != nil {
					t.Fatal(err)
				}
				data = bytes.NewReader(set)
			}
			in, ok := a.ContextFor(c.in, "")
			if !ok {
				t.Fatalf("no context for %s", c.in)
			}
			call, err := a.Call(ctx, in, c.command, data)
			if err != nil {
				t.Fatal(err)
			}
			defer call.Close()
			m, err := call.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got := m.Command
			if got.Status != c.status || len(got.Offending) != 1 || got.Offending[0] != uint32(c.tag) || !strings.HasPrefix(got.ErrorComment, c.comment) {
				t.Errorf("%v %08X %q", got.Status, got.Offending, got.ErrorComment)
			}
		})
	}
}

// TestAWarningNamesTheElementItIsAbout sends instances that are stored although something is odd about them.
func TestAWarningNamesTheElementItIsAbout(t *testing.T) {
	address, open := startStore(t, func(*Server) {})
	close(open)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const ct = storageFamily + "2"
	var dialer upperlayer.Dialer
	a, err := dialer.Dial(ctx, address, upperlayer.Proposal{Called: "CONCORD", Calling: "CT1",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: ct, Transfer: []string{explicitLittle}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Abort()
	for _, c := range []struct {
		name, class, study, instance, patient string
		status                                upperlayer.Status
		tag                                   dicom.Tag
		comment                               string
	}{
		{"the first", ct, "1.2", "1.2.3", "P1", upperlayer.Success, 0, ""},
		{"the same UID with other bytes", ct, "1.2", "1.2.3", "P1 ", otherThanSent, 0x00080018, "SOPInstanceUID: is here with other bytes; stored beside them"},
		{"another patient than its study's", ct, "1.2", "1.2.4", "P2", elementsDiffer, 0x00100020, "stored, but its Patient ID is not that of its study"},
		{"another class than the command's", storageFamily + "4", "1.2", "1.2.5", "P1", elementsDiffer, 0x00080016, "SOPClassUID: is not that of the command; stored all the same"},
		{"the UID of another study's instance", ct, "1.3", "1.2.4", "P1", elementsDiffer, 0x00080018, "stored, but another study has an instance of the same UID"},
	} {
		set, err := dicom.AppendDataSet(nil, []byte(`{"00080016":{"vr":"UI","Value":["`+c.class+`"]},"00080018":{"vr":"UI","Value":["`+c.instance+
			`"]},"00080060":{"vr":"CS","Value":["CT"]},"00100020":{"vr":"LO","Value":["`+strings.TrimSpace(c.patient)+`"]},"00104000":{"vr":"LT","Value":["`+c.patient+
			`"]},"0020000D":{"vr":"UI","Value":["`+c.study+`"]},"0020000E":{"vr":"UI","Value":["1.2.1"]}}`), explicitLittle, nil)
		if err != nil {
			t.Fatal(err)
		}
		call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ct, SOPInstance: c.instance}, bytes.NewReader(set))
		if err != nil {
			t.Fatal(err)
		}
		m, err := call.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		call.Close()
		var want []uint32
		if c.tag != 0 {
			want = []uint32{uint32(c.tag)}
		}
		if got := m.Command; got.Status != c.status || !slices.Equal(got.Offending, want) || got.ErrorComment != c.comment {
			t.Errorf("%s: %v %08X %q", c.name, got.Status, got.Offending, got.ErrorComment)
		}
	}
}

func TestAMatchNamesTheKeysThatWerePassedOver(t *testing.T) {
	set, err := dicom.AppendDataSet(nil, []byte(`{"00080052":{"vr":"CS","Value":["STUDY"]},"00080018":{"vr":"UI","Value":["1.2"]},"00200011":{"vr":"IS","Value":["3"]}}`), explicitLittle, nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := dicom.CompileFind(dicom.StudyRoot, set, explicitLittle, dicom.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	if c := matching(q); c.Status != upperlayer.PendingWarning || c.ErrorComment != "SOPInstanceUID and 1 more: no key of the STUDY level" || !slices.Equal(c.Offending, []uint32{0x00080018, 0x00200011}) {
		t.Errorf("%v %q %08X", c.Status, c.ErrorComment, c.Offending)
	}
}

func TestARetrievalThatFailsSaysWhy(t *testing.T) {
	r := &retrieval{total: 65535, failed: 65535, why: errNoAssociation}
	if got := r.comment(); got != "65535 of 65535 failed: no association with the destination" {
		t.Errorf("%q", got)
	}
	r = &retrieval{total: 2}
	r.count(&item{instance: "1.2"}, 0xA700, nil)
	if got := r.comment(); got != "1 of 2 failed: a C-STORE was answered A700" {
		t.Errorf("%q", got)
	}
}
