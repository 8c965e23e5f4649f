package upperlayer

import (
	"encoding/binary"
	"fmt"
	"strings"

	"concord/hub"
)

// kind is a PDU type (PS3.8 9.3.1).
type kind byte

const (
	associateRQ kind = 1
	associateAC kind = 2
	associateRJ kind = 3
	dataTF      kind = 4
	releaseRQ   kind = 5
	releaseRP   kind = 6
	abortPDU    kind = 7
)

// eventOf is the event that receiving a PDU is.
func (k kind) event() event {
	switch k {
	case associateRQ:
		return evRequest
	case associateAC:
		return evAccept
	case associateRJ:
		return evReject
	case dataTF:
		return evData
	case releaseRQ:
		return evRelease
	case releaseRP:
		return evReleased
	case abortPDU:
		return evAbort
	}
	return evInvalid
}

const (
	pduHead = 6
	pdvHead = 6 // length, context, control
	// maxAssociate bounds association PDUs: 128 contexts with every transfer syntax there is take a third of it.
	maxAssociate = 1 << 20
)

// limit is the greatest length of a PDU's content that is read at all.
func (k kind) limit() uint32 {
	switch k {
	case associateRQ, associateAC:
		return maxAssociate
	case dataTF:
		return maxPDU
	}
	return 4
}

// Message control header (PS3.8 E.2).
const (
	commandBit = 1
	lastBit    = 2
)

// The items of association PDUs (PS3.8 9.3, annex D; PS3.7 D.3.3).
const (
	itemApplication    = 0x10
	itemContextRQ      = 0x20
	itemContextAC      = 0x21
	itemAbstract       = 0x30
	itemTransfer       = 0x40
	itemUser           = 0x50
	itemMaxPDU         = 0x51
	itemImplementation = 0x52
	itemWindow         = 0x53
	itemRole           = 0x54
	itemVersion        = 0x55
	itemExtended       = 0x56
	itemCommon         = 0x57
	itemIdentity       = 0x58
	itemIdentityReply  = 0x59
)

func malformed(format string, args ...any) error {
	return &hub.Error{Kind: hub.Invalid, Msg: "the PDU " + fmt.Sprintf(format, args...)}
}

// shortPDU is one of fixed size: A-ASSOCIATE-RJ, A-RELEASE, A-ABORT.
func shortPDU(k kind, b1, b2, b3 byte) []byte {
	return []byte{byte(k), 0, 0, 0, 0, 4, 0, b1, b2, b3}
}

func (r *Rejection) pdu() []byte {
	result := byte(2)
	if r.Permanent {
		result = 1
	}
	return shortPDU(associateRJ, result, r.Source, r.Reason)
}

// items appends items, each with a length that is set when its content is there.
type items struct{ b []byte }

func (w *items) item(typ byte, content func()) {
	w.b = append(w.b, typ, 0, 0, 0)
	start := len(w.b)
	content()
	binary.BigEndian.PutUint16(w.b[start-2:], uint16(len(w.b)-start))
}

func (w *items) text(typ byte, s string) { w.item(typ, func() { w.b = append(w.b, s...) }) }

// sized appends bytes behind their length.
func sized[T string | []byte](w *items, s T) {
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(s)))
	w.b = append(w.b, s...)
}

// associatePDU begins an A-ASSOCIATE-RQ or -AC; finish sets its length.
func associatePDU(k kind, called, calling string) *items {
	w := &items{append(make([]byte, 0, 1024), byte(k), 0, 0, 0, 0, 0, 0, 1, 0, 0)}
	for _, t := range []string{called, calling} { // counted in bytes, whatever they are
		t = t[:min(len(t), 16)]
		w.b = append(append(w.b, t...), "                "[len(t):]...)
	}
	w.b = append(w.b, make([]byte, 32)...)
	w.text(itemApplication, applicationContextUID)
	return w
}

func (w *items) finish() []byte {
	binary.BigEndian.PutUint32(w.b[2:], uint32(len(w.b)-pduHead))
	return w.b
}

// pdu encodes an A-ASSOCIATE-RQ.
func (p *Proposal) pdu() []byte {
	w := associatePDU(associateRQ, p.Called, p.Calling)
	for _, c := range p.Contexts {
		w.item(itemContextRQ, func() {
			w.b = append(w.b, c.ID, 0, 0, 0)
			w.text(itemAbstract, c.Abstract)
			for _, t := range c.Transfer {
				w.text(itemTransfer, t)
			}
		})
	}
	w.user(&p.UserInformation)
	return w.finish()
}

// pdu encodes the A-ASSOCIATE-AC that answers q.
func (a *Agreement) pdu(q *Proposal) []byte {
	w := associatePDU(associateAC, q.Called, q.Calling)
	answers := map[byte]AnsweredContext{}
	for _, c := range a.Contexts {
		answers[c.ID] = c
	}
	for _, asked := range q.Contexts {
		c, ok := answers[asked.ID]
		if !ok {
			c = AnsweredContext{ID: asked.ID, Result: NoReason}
		}
		if c.Result != Accepted && len(asked.Transfer) > 0 {
			c.Transfer = asked.Transfer[0] // not significant, but its item must be there
		}
		w.item(itemContextAC, func() {
			w.b = append(w.b, c.ID, 0, byte(c.Result), 0)
			w.text(itemTransfer, c.Transfer)
		})
	}
	w.user(&a.UserInformation)
	return w.finish()
}

// associate is what both association PDUs decode to.
type associate struct {
	version         uint16
	called, calling string
	application     string
	proposed        []ProposedContext
	answered        []AnsweredContext
	user            UserInformation
}

// decodeAssociate reads the content of an A-ASSOCIATE-RQ or -AC. Items that it does not know are passed over
// (PS3.8 9.3.1).
func decodeAssociate(b []byte) (*associate, error) {
	if len(b) < 68 {
		return nil, malformed("is too short for an association")
	}
	a := &associate{version: binary.BigEndian.Uint16(b), called: title(b[4:20]), calling: title(b[20:36])}
	seen := map[byte]bool{}
	err := eachItem(b[68:], func(typ byte, v []byte) error {
		switch typ {
		case itemApplication:
			a.application = uidOf(v)
		case itemContextRQ, itemContextAC:
			if len(v) < 4 || v[0]%2 == 0 || seen[v[0]] {
				return malformed("has a presentation context without an odd number of its own")
			}
			if seen[v[0]] = true; typ == itemContextRQ {
				return a.propose(v)
			}
			return a.answer(v)
		case itemUser:
			return eachItem(v, a.user.decode)
		}
		return nil
	})
	return a, err
}

func (a *associate) propose(v []byte) error {
	c := ProposedContext{ID: v[0]}
	err := eachItem(v[4:], func(typ byte, v []byte) error {
		switch typ {
		case itemAbstract:
			c.Abstract = uidOf(v)
		case itemTransfer:
			c.Transfer = append(c.Transfer, uidOf(v))
		}
		return nil
	})
	a.proposed = append(a.proposed, c)
	return err
}

func (a *associate) answer(v []byte) error {
	c := AnsweredContext{ID: v[0], Result: ContextResult(v[2])}
	err := eachItem(v[4:], func(typ byte, v []byte) error {
		if typ == itemTransfer {
			c.Transfer = uidOf(v)
		}
		return nil
	})
	a.answered = append(a.answered, c)
	return err
}

// eachItem walks items of one level.
func eachItem(b []byte, do func(typ byte, v []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return malformed("ends inside an item")
		}
		size := int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b)-4 {
			return malformed("has an item that is longer than what it lies in")
		}
		if err := do(b[0], b[4:4+size]); err != nil {
			return err
		}
		b = b[4+size:]
	}
	return nil
}

func title(b []byte) string { return strings.Trim(string(b), " \x00") }

// uidOf takes a UID without the padding that some senders add.
func uidOf(v []byte) string { return strings.Trim(string(v), " \x00") }
