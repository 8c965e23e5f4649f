package dimse

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/pixels"
	"concord/internal/upperlayer"
)

// WriteConformance prints the DICOM Conformance Statement (PS3.2) of a hub with these settings, in Markdown. Services,
// statuses, keys and limits are those of the tables that the code runs on.
func WriteConformance(out io.Writer, c Config) error {
	w := &statement{Writer: bufio.NewWriter(out), s: New(c, Deps{})}
	w.overview()
	w.association()
	w.contexts()
	w.storage()
	w.query()
	w.retrieval()
	w.worklist()
	w.commitment()
	w.characters()
	w.security()
	return w.Flush()
}

type statement struct {
	*bufio.Writer
	s *Server
}

func (w *statement) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// table prints rows under their heads; a bar inside a cell is escaped.
func (w *statement) table(heads []string, rows [][]string) {
	w.line("")
	w.line("| %s |", strings.Join(heads, " | "))
	w.line("|%s", strings.Repeat("---|", len(heads)))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i := range r {
			cells[i] = strings.ReplaceAll(r[i], "|", `\|`)
		}
		w.line("| %s |", strings.Join(cells, " | "))
	}
	w.line("")
}

func (w *statement) overview() {
	w.line("# DICOM Conformance Statement")
	w.line("")
	w.line("Printed by `concord conformance dicom` from the tables that the hub runs on (PS3.2). How to set it up is in [dicom.md](dicom.md); the web")
	w.line("services are in [dicomweb-conformance.md](dicomweb-conformance.md).")
	w.line("")
	w.line("## 1 Overview")
	w.line("")
	w.line("The hub is one application entity. It stores what modalities send, answers queries, hands instances out, tells modalities their worklists, vouches for")
	w.line("what it has stored, and sends studies on.")
	var rows [][]string
	for _, t := range w.s.table {
		scu := ""
		switch {
		case t.Name == "Storage":
			scu = "yes: C-GET, C-MOVE, forwarding"
		case t.SOPClass == commitmentClass:
			scu = "no; it opens associations to report, as SCP"
		}
		rows = append(rows, []string{t.Name, "yes", scu})
	}
	w.table([]string{"service", "SCP", "SCU"}, rows)
}

func (w *statement) association() {
	o, l := w.s.Options, w.s.Limits
	w.line("## 2 Associations")
	w.table([]string{"", ""}, [][]string{
		{"application entity title", fmt.Sprintf("%s; called by another title it %s", w.s.AETitle, map[bool]string{false: "answers, too", true: "rejects"}[w.s.Strict])},
		{"application context", "1.2.840.10008.3.1.1.1"},
		{"implementation class UID", dicom.ImplementationUID},
		{"implementation version name", o.ImplementationVersion},
		{"associations at once", fmt.Sprintf("%d; %d of one calling title, %d of one address; more are rejected for now, local limit exceeded", l.Associations, l.PerAE, l.PerAddress)},
		{"greatest PDU asked for", fmt.Sprintf("%d bytes; one of more than 1 MiB is answered with A-ABORT", o.MaxPDU)},
		{"asynchronous operations window", "as many as are asked for, 16 at most; 1 without asking"},
		{"association request", fmt.Sprintf("within %v (ARTIM)", o.ARTIM)},
		{"silence", fmt.Sprintf("%v between messages, %v inside one, %v before the answer to what the hub sent", o.Idle, o.Pause, o.Answer)},
		{"associations that the hub opens", "for C-MOVE, forwarding and reports on commitments; to the addresses of members' titles alone"},
	})
}

func (w *statement) contexts() {
	w.line("## 3 Presentation contexts accepted")
	w.line("")
	w.line("Without a wish of its own the hub takes Explicit VR Little Endian before Implicit VR Little Endian. Storage is taken in any transfer syntax, known or not,")
	w.line("the first that is proposed in a context.")
	var rows [][]string
	for _, t := range w.s.table {
		class, syntaxes, extended, roles := t.SOPClass, "explicit or implicit VR little endian", "", "SCP"
		if t.Family {
			class += "*"
		}
		if t.Transfers != nil {
			syntaxes = "any"
		}
		if t.Extended != nil {
			extended = extensions(t.Extended)
		}
		if t.Roles {
			roles = "SCP, SCU by role selection"
		}
		var commands []string
		for _, f := range slices.Sorted(maps.Keys(t.Commands)) {
			commands = append(commands, strings.TrimSuffix(f.String(), "-RQ")+" ("+needs(t.Commands[f].Needs)+")")
		}
		rows = append(rows, []string{t.Name, class, syntaxes, roles, strings.Join(commands, ", "), extended})
	}
	w.table([]string{"abstract syntax", "UID", "transfer syntaxes", "role of the hub", "commands (scope)", "extended negotiation"}, rows)
	w.line("The scope is what a caller's token must grant on `system/ImagingStudy`; callers known by certificate, or title and address, have all.")
	w.line("")
}

func needs(a access.Action) string {
	if a == 0 {
		return "none"
	}
	return "." + a.String()
}

// extensions asks an Extended function for everything and says what it agrees to.
func extensions(agree func([]byte) []byte) string {
	answer := agree([]byte{1, 1, 1, 1, 1, 1, 1, 1})
	parts := make([]string, len(answer))
	for i, b := range answer {
		parts[i] = fmt.Sprint(b)
	}
	return "answers " + strings.Join(parts, ", ") + " to all ones"
}

func (w *statement) storage() {
	w.line("## 4 Storage")
	w.line("")
	w.line("Level 2 (full): all elements are kept, the data set as the bytes that came. Nothing is coerced. These classes of the standard are among those stored:")
	var rows [][]string
	for u := range dict.UIDs() {
		if u.Kind == dict.SOPClass && strings.HasPrefix(u.UID, storageFamily) {
			rows = append(rows, []string{u.Name, u.UID})
		}
	}
	w.table([]string{"SOP class", "UID"}, rows)
	w.line("These transfer syntaxes are known by name. An instance that a peer takes uncompressed only is sent to it decoded where the last column says so:")
	rows = nil
	for u := range dict.UIDs() {
		if u.Kind == dict.TransferSyntax {
			rows = append(rows, []string{u.Name, u.UID, map[bool]string{true: "decoded", false: "as stored only"}[pixels.Decodable(u.UID)]})
		}
	}
	w.table([]string{"transfer syntax", "UID", "for peers without it"}, rows)
	w.line("Statuses:")
	w.table([]string{"status", "meaning"}, [][]string{
		{upperlayer.Success.String(), "stored and durable, or there already with the same data set"},
		{otherThanSent.String(), "stored beside an instance of the same UID with other bytes, which stays what is shown"},
		{elementsDiffer.String(), "stored, and names another SOP class than the command, another patient than its study, or, as the first of its series, a UID that an instance of another study has, too; Offending Element says which"},
		{outOfResources.String(), "not now: send again"},
		{notSOPClass.String(), "the command is not what its presentation context says, or the data set not what the command says"},
		{cannotUnderstand.String(), "the data set cannot be read, or has no Study, Series or SOP Instance UID; Offending Element and Error Comment say what is wrong"},
		{upperlayer.NotAuthorized.String(), "the caller may not store"},
	})
}

func (w *statement) query() {
	w.line("## 5 Query")
	w.line("")
	w.line("Study Root and Patient Root, all levels, hierarchical and relational. Single value, list of UIDs, universal, wildcard, range and sequence matching, and")
	w.line("matching of empty values (PS3.4 C.2.2.2). Names match without regard to case and width; by extended negotiation fuzzily, Chinese ones by pinyin, too, and of several values all must be there instead of one. These")
	w.line("keys are answered from the index; others that the hub keeps match by reading what the index leaves. Keys that it does not keep are answered FF01.")
	var rows [][]string
	for _, l := range []dicom.Level{dicom.Study, dicom.Series, dicom.Instance} {
		above := []string{}
		if l > dicom.Study {
			above = dicom.Keywords(l - 1)
		}
		own := slices.DeleteFunc(dicom.Keywords(l), func(k string) bool { return slices.Contains(above, k) })
		rows = append(rows, []string{l.String(), strings.Join(own, ", ")})
	}
	w.table([]string{"level", "keys of the index"}, rows)
	w.statuses("C-FIND", []verdictOn{
		{upperlayer.Pending, "a match", nil}, {upperlayer.PendingWarning, "a match, and some keys are not supported: Offending Element and Error Comment name them", nil},
		{upperlayer.Success, fmt.Sprintf("all matches were sent, at most %d", cmp.Or(w.s.Results, defaultResults)), nil}, {upperlayer.Cancelled, "the caller cancelled", nil}})
}

func (w *statement) statuses(what string, first []verdictOn) {
	w.line("Statuses of %s:", what)
	var rows [][]string
	other := verdictOn{upperlayer.SOPClassNotSupported, "the command names another SOP class than its presentation context", nil}
	for _, v := range slices.Concat(first, refusals(), []verdictOn{other}) {
		rows = append(rows, []string{v.status.String(), v.meaning})
	}
	w.table([]string{"status", "meaning"}, rows)
}

func (w *statement) retrieval() {
	w.line("## 6 Retrieval")
	w.line("")
	w.line("C-GET and C-MOVE by the unique key of any level, a list of them, and relational. Instances go as they are stored where the peer accepted their transfer")
	w.line("syntax, else decoded in Explicit or Implicit VR Little Endian; where neither was accepted the sub-operation fails. C-MOVE sends to titles of members")
	w.line("that have an address, and what their member may read. After each sub-operation the counts are told. A retrieval may have %d instances.", maxRetrieved)
	w.line("")
	w.statuses("C-GET and C-MOVE", []verdictOn{
		{upperlayer.Pending, "sub-operations are under way", nil}, {upperlayer.Success, "all were done", nil},
		{withFailures, "some failed or had warnings; the Failed SOP Instance UID List names those that failed", nil}, {noSubOperations, "all failed; the Error Comment says why the last of them did", nil},
		{unknownDestination, "the Move Destination is no title with an address of an active member", nil}, {upperlayer.Cancelled, "the caller cancelled", nil}})
	r := w.s.Retry.orDefault()
	w.line("`concord forward` sends a study by C-STORE until it is taken: again after %v, then twice as late each time up to %v, for %v.", r.First, r.Most, r.Patience)
	w.line("")
}

func (w *statement) worklist() {
	w.line("## 7 Modality Worklist")
	w.line("")
	w.line("Items are made of active FHIR ServiceRequests and the Tasks based on them; see [dicom.md](dicom.md). All attributes match and are returned:")
	var rows [][]string
	for a := range dicom.Attributes(imaging.WorklistAttributes()) {
		rows = append(rows, []string{a.Tag.String(), dict.Name(a.Tag)})
		if a.Tag == 0x00400100 {
			for item := range a.Items() {
				for in := range dicom.Attributes(item) {
					rows = append(rows, []string{"> " + in.Tag.String(), dict.Name(in.Tag)})
				}
			}
		}
	}
	w.table([]string{"tag", "attribute"}, rows)
}

func (w *statement) commitment() {
	w.line("## 8 Storage Commitment")
	w.line("")
	w.line("Push model. A request that was answered 0000 is durable. The hub reads each instance again and compares its digest, and reports by N-EVENT-REPORT on the same")
	w.line("association while that is open, else on one that it opens to the requestor's title, again and again as in section 6.")
	w.table([]string{"failure reason", "meaning"}, [][]string{
		{fmt.Sprintf("%04X", reasonProcessing), "the stored bytes have another digest than when they came"},
		{fmt.Sprintf("%04X", reasonNotThere), "there is no such instance"},
		{fmt.Sprintf("%04X", reasonOtherClass), "the instance is of another SOP class"},
	})
}

func (w *statement) characters() {
	w.line("## 9 Character sets")
	w.line("")
	w.line("Read: all of PS3.3 C.12.1.1.2, with and without code extensions, GB18030 and GBK, also where they are declared wrongly or not at all. Answers are in the")
	w.line("character set of the question where it can express them, else in ISO_IR 192.")
	w.line("")
}

func (w *statement) security() {
	w.line("## 10 Security")
	w.line("")
	w.line("TLS 1.2 and 1.3 (BCP 195) on a port of its own, with or without client certificates; the same where application entities that are registered so are called. User identity: JSON Web Token (type 5), name and passcode (type 2).")
	w.line("Who calls is known before the first message is read; every disclosure is in the audit trail.")
}
