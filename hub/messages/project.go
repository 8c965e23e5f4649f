package messages

import (
	"encoding/json"
	"strings"
	"time"

	"concord/hub"
)

// The parameters that messages are found by.
const (
	MemberParam   = "member"
	FormatParam   = "format"
	TypeParam     = "type"
	SenderParam   = "sender"
	ControlParam  = "control"
	StatusParam   = "status"
	ReceivedParam = "received"
	PatientParam  = "patient"
	MadeParam     = "made"
)

// mostMade bounds by how many of its resources a message can be found.
const mostMade = 100

// Projectors are those of the records of this package, by type.
func Projectors() map[string]hub.Projector {
	return map[string]hub.Projector{Type: projector(projectMessage), JobType: projector(projectJob)}
}

type projector func(rec *hub.Record) (hub.Entry, error)

// Project implements hub.Projector.
func (f projector) Project(rec *hub.Record) (hub.Entry, error) { return f(rec) }

func projectMessage(rec *hub.Record) (hub.Entry, error) {
	m, err := Read(rec)
	if err != nil {
		return hub.Entry{}, err
	}
	return m.entry(), nil
}

func (m *Message) entry() hub.Entry {
	e := hub.Entry{Terms: make([]hub.Term, 0, 8+len(m.Patients)+min(len(m.Made), mostMade))}
	add := func(param string, texts ...string) {
		for _, text := range texts {
			if text != "" {
				e.Terms = append(e.Terms, hub.Term{Param: param, Text: text})
			}
		}
	}
	add(MemberParam, m.Member)
	add(FormatParam, m.Format)
	if event, _, ok := strings.Cut(m.Type, "^"); ok {
		add(TypeParam, event)
	}
	add(TypeParam, m.Type)
	add(SenderParam, m.Sender)
	add(ControlParam, m.Control)
	add(StatusParam, string(m.Status))
	add(PatientParam, m.Patients...)
	add(MadeParam, m.Made[:min(len(m.Made), mostMade)]...)
	at := hub.Instant(m.Received)
	e.Terms = append(e.Terms, hub.Term{Param: ReceivedParam, Kind: hub.Range, Lo: at, Hi: at})
	if e.Route = (hub.Name{Type: Type, ID: m.ID}).String(); len(m.Patients) > 0 {
		e.Route = m.Patients[0]
	}
	return e
}

// Read is the message that a record keeps.
func Read(rec *hub.Record) (Message, error) {
	m := Message{}
	if err := json.Unmarshal(rec.Body, &m); err != nil {
		return m, &hub.Error{Kind: hub.Corrupt, Msg: "the message is unreadable", Err: err}
	}
	m.ID, m.Member, m.Version, m.Blob = rec.Name.ID, rec.Member, rec.Version, rec.Blob
	return m, nil
}

// name is that of the message's record.
func (m *Message) name() hub.Name { return hub.Name{Type: Type, ID: m.ID} }

// record is enough of the message's record for its blob to be asked for.
func (m *Message) record() hub.Record {
	return hub.Record{Name: m.name(), Member: m.Member, Version: m.Version, Blob: m.Blob}
}

// body is the message as JSON. What was sent is the most of it: it is written once and not copied through the rest.
func (m *Message) body() []byte {
	if len(m.Raw) == 0 {
		body, _ := compactJSON(m) // has nothing that cannot be written
		return body
	}
	rest := *m
	rest.Raw = nil
	head, _ := compactJSON(&rest)
	if m.quoted == nil {
		m.quote()
	}
	body := make([]byte, 0, len(head)+len(m.quoted)+len(`"raw":,`))
	body = append(append(body, `{"raw":`...), m.quoted...)
	return append(append(body, ','), head[1:]...)
}

// quote prepares body. It is the work that can be done before the message has its place in the log.
func (m *Message) quote() { m.quoted, _ = m.Raw.MarshalJSON() }

// millis is t as the log keeps times.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
