package upperlayer

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"concord/hub"
)

func proposal() Proposal {
	return Proposal{Called: "CONCORD", Calling: "CT1",
		Contexts: []ProposedContext{{1, "1.2.840.10008.1.1", []string{"1.2.840.10008.1.2"}}, {3, "1.2.840.10008.5.1.4.1.1.2", []string{"1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1"}}},
		UserInformation: UserInformation{MaxPDU: 16384, ImplementationUID: "1.2.3", ImplementationVersion: "TEST",
			Window: &Window{4, 1}, Roles: []Role{{"1.2.840.10008.5.1.4.1.1.2", false, true}},
			Extended: []Extended{{"1.2.840.10008.5.1.4.1.2.2.1", []byte{1, 1, 0}}},
			Common:   []CommonExtended{{"1.2.3.4", "1.2.840.10008.4.2", []string{"1.2.5", "1.2.6"}}},
			Identity: &Identity{Passcode, true, []byte("county"), []byte("secret")}}}
}

func TestAProposalComesBackAsItWasSent(t *testing.T) {
	p := proposal()
	a, err := decodeAssociate(p.pdu()[pduHead:])
	if err != nil {
		t.Fatal(err)
	}
	got := Proposal{a.called, a.calling, a.proposed, a.user}
	if !reflect.DeepEqual(got, p) || a.version != 1 || a.application != applicationContextUID {
		t.Errorf("got %+v\nwant %+v", got, p)
	}
}

func TestAnAgreementAnswersEveryContext(t *testing.T) {
	p := proposal()
	agreed := Agreement{Contexts: []AnsweredContext{{3, Accepted, "1.2.840.10008.1.2.4.70"}}, UserInformation: UserInformation{MaxPDU: 1, ImplementationUID: "1", IdentityReply: []byte{}}}
	a, err := decodeAssociate(agreed.pdu(&p)[pduHead:])
	if err != nil {
		t.Fatal(err)
	}
	want := []AnsweredContext{{1, NoReason, "1.2.840.10008.1.2"}, {3, Accepted, "1.2.840.10008.1.2.4.70"}}
	if !reflect.DeepEqual(a.answered, want) || a.user.IdentityReply == nil {
		t.Errorf("got %+v, user %+v", a.answered, a.user)
	}
}

func TestAssociationPDUsThatLieAreRefused(t *testing.T) {
	whole := func(change func([]byte) []byte) []byte { p := proposal(); return change(p.pdu()[pduHead:]) }
	for name, b := range map[string][]byte{
		"shorter than its fixed part": make([]byte, 67),
		"cut inside the last item":    whole(func(b []byte) []byte { return b[:len(b)-3] }),
		"an item longer than the PDU": whole(func(b []byte) []byte { b[70], b[71] = 0xFF, 0xFF; return b }),
		"an even context number": whole(func(b []byte) []byte {
			return bytes.Replace(b, []byte{itemContextRQ, 0, 0, 46, 1}, []byte{itemContextRQ, 0, 0, 46, 2}, 1)
		}),
		"a context number twice": whole(func(b []byte) []byte {
			return bytes.Replace(b, []byte{3, 0, 0, 0, itemAbstract}, []byte{1, 0, 0, 0, itemAbstract}, 1)
		}),
		"a role whose UID overruns":         append(make([]byte, 68), itemUser, 0, 0, 8, itemRole, 0, 0, 4, 0, 200, '1', 1),
		"an identity that overruns":         append(make([]byte, 68), itemUser, 0, 0, 9, itemIdentity, 0, 0, 5, 2, 0, 0xFF, 0xFF, 'x'),
		"a maximum PDU length of two bytes": append(make([]byte, 68), itemUser, 0, 0, 6, itemMaxPDU, 0, 0, 2, 1, 1),
	} {
		if _, err := decodeAssociate(b); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func commands() []Command {
	return []Command{
		{Field: CEchoRQ, MessageID: 7, SOPClass: "1.2.840.10008.1.1"},
		{Field: CStoreRQ, MessageID: 1, SOPClass: "1.2.840.10008.5.1.4.1.1.2", SOPInstance: "1.2.3", Priority: High, Originator: "WS1", OriginatorID: 9},
		{Field: CStoreRQ.Response(), MessageID: 1, SOPClass: "1.2", SOPInstance: "1.2.3", Status: 0xA700, ErrorComment: "the disk is full", Offending: []uint32{0x00080018}},
		{Field: CMoveRQ, MessageID: 2, SOPClass: "1.2", Destination: "WS1"},
		{Field: CMoveRQ.Response(), MessageID: 2, SOPClass: "1.2", Status: Pending, Sub: &SubOperations{Remaining: 3, Completed: 2, Failed: 1}},
		{Field: CMoveRQ.Response(), MessageID: 2, SOPClass: "1.2", Sub: &SubOperations{Completed: 2, Failed: 1, Final: true}},
		{Field: CCancelRQ, MessageID: 2},
		{Field: NActionRQ, MessageID: 3, SOPClass: "1.2.840.10008.1.20.1", SOPInstance: "1.2.840.10008.1.20.1.1", ActionType: 1},
		{Field: NEventReportRQ, MessageID: 4, SOPClass: "1.2.840.10008.1.20.1", SOPInstance: "1.2.840.10008.1.20.1.1", EventType: 2},
		{Field: NGetRQ, MessageID: 5, SOPClass: "1.2", SOPInstance: "1.3", Attributes: []uint32{0x00080018, 0x00100010}},
		{Field: NSetRQ.Response(), MessageID: 6, SOPClass: "1.2", SOPInstance: "1.3", Status: 0x0110, ErrorID: 12},
	}
}

func TestCommandsComeBackAsTheyWereSent(t *testing.T) {
	for _, c := range commands() {
		for _, follows := range []bool{false, true} {
			want := c
			want.dataFollows = follows
			got, err := decodeCommand(c.append(nil, follows))
			if err != nil || !reflect.DeepEqual(*got, want) {
				t.Errorf("%v: got %+v, %v\nwant %+v", c.Field, got, err, want)
			}
		}
	}
}

func TestAnErrorCommentFitsItsElement(t *testing.T) {
	c := Command{Field: CStoreRQ.Response(), Status: 0xC000, ErrorComment: "名\\\n" + strings.Repeat("x", 100)}
	got, err := decodeCommand(c.append(nil, false))
	if err != nil || len(got.ErrorComment) != 64 || !strings.HasPrefix(got.ErrorComment, "???x") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCommandSetsThatLieAreRefused(t *testing.T) {
	good := (&Command{Field: CEchoRQ, MessageID: 1}).append(nil, false)
	status := (&Command{Field: CEchoRQ.Response(), MessageID: 1}).append(nil, false)
	for name, b := range map[string][]byte{
		"empty":                             {},
		"cut inside a head":                 good[:len(good)-9],
		"an element longer than the set":    append(append([]byte{}, good...), 0, 0, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF),
		"an element of another group":       append(append([]byte{}, good...), 8, 0, 2, 0, 0, 0, 0, 0),
		"an element twice":                  append(append([]byte{}, good...), 0, 0, 0, 1, 2, 0, 0, 0, 1, 0),
		"a response without a status":       bytes.Replace(status, []byte{0, 0, 0, 9, 2, 0, 0, 0, 0, 0}, nil, 1),
		"a command without a command field": good[:12],
	} {
		if _, err := decodeCommand(b); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheStateTableIsThatOfTheStandard(t *testing.T) {
	table := transitions()
	// PS3.8 Table 9-10, a line an event: state:action>next, "*" for Sta3 and Sta5 to Sta12 unless named.
	const standard = `
1  1:AE-1>4
2  4:AE-2>5
3  2:AA-1>13 *:AA-8>13 5:AE-3>6 13:AA-6>13
4  2:AA-1>13 *:AA-8>13 5:AE-4>1 13:AA-6>13
5  1:AE-5>2
6  2:AE-6>3 *:AA-8>13 13:AA-7>13
7  3:AE-7>6
8  3:AE-8>13
9  6:DT-1>6 8:AR-7>8
10 2:AA-1>13 *:AA-8>13 6:DT-2>6 7:AR-6>7 13:AA-6>13
11 6:AR-1>7
12 2:AA-1>13 *:AA-8>13 6:AR-2>8 7:AR-8>9 13:AA-6>13
13 2:AA-1>13 *:AA-8>13 7:AR-3>1 10:AR-10>12 11:AR-3>1 13:AA-6>13
14 8:AR-4>13 9:AR-9>11 12:AR-4>13
15 *:AA-1>13 4:AA-2>1
16 2:AA-2>1 *:AA-3>1 13:AA-2>1
17 2:AA-5>1 *:AA-4>1 4:AA-4>1 13:AR-5>1
18 2:AA-2>1 13:AA-2>1
19 2:AA-1>13 *:AA-8>13 13:AA-7>13`
	for line := range strings.Lines(strings.TrimSpace(standard)) {
		fields := strings.Fields(line)
		var e int
		fmt.Sscan(fields[0], &e)
		want := map[int]string{}
		for _, f := range fields[1:] {
			s, cell, _ := strings.Cut(f, ":")
			if s == "*" {
				for s := 3; s <= 12; s++ {
					if s != 4 {
						want[s] = cell
					}
				}
				continue
			}
			var n int
			fmt.Sscan(s, &n)
			want[n] = cell
		}
		for s := idle; s <= awaitClose; s++ {
			got := ""
			if c, ok := step(&table, event(e), s, true); ok {
				got = fmt.Sprintf("%s>%d", c.does.name, c.next)
			}
			if got != want[int(s)] {
				t.Errorf("event %d in state %d: %q, the standard has %q", e, s, got, want[int(s)])
			}
		}
	}
	if c, _ := step(&table, evRelease, awaitRelease, false); c.next != collisionAwait {
		t.Errorf("a release collision leads the acceptor to state %d, not 10", c.next)
	}
}

func FuzzAssociate(f *testing.F) {
	p := proposal()
	f.Add(p.pdu()[pduHead:])
	agreed := Agreement{Contexts: []AnsweredContext{{1, Accepted, "1.2"}}}
	f.Add(agreed.pdu(&p)[pduHead:])
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAssociate(b)
		if err != nil || len(a.proposed) == 0 {
			return
		}
		// What was understood says the same when it is written and read again.
		q := Proposal{a.called, a.calling, a.proposed, a.user}
		again, err := decodeAssociate(q.pdu()[pduHead:])
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if !reflect.DeepEqual(again.proposed, a.proposed) {
			t.Fatalf("%+v became %+v", a.proposed, again.proposed)
		}
	})
}

func FuzzUserItem(f *testing.F) {
	f.Add(byte(itemRole), []byte{0, 3, '1', '.', '2', 1, 0})
	f.Add(byte(itemIdentity), []byte{2, 1, 0, 1, 'a', 0, 1, 'b'})
	f.Add(byte(itemCommon), []byte{0, 1, '1', 0, 1, '2', 0, 3, 0, 1, '3'})
	f.Fuzz(func(t *testing.T, typ byte, b []byte) {
		var u UserInformation
		if u.decode(typ, b) == nil && u.Identity != nil && len(u.Identity.Primary)+len(u.Identity.Code) > len(b) {
			t.Fatal("an identity is longer than its item")
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, c := range commands() {
		f.Add(c.append(nil, true))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCommand(b)
		if err != nil || c.ErrorComment != comment(c.ErrorComment) || !c.Field.Known() {
			return
		}
		again, err := decodeCommand(c.append(nil, c.dataFollows))
		if err != nil || again.Field != c.Field || again.MessageID != c.MessageID || again.SOPInstance != c.SOPInstance {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}
