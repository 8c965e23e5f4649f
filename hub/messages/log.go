package messages

import (
	"context"
	"io"
	"math"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
)

// RightType is the resource type whose scope counts for messages: to see them as they were sent takes MessageHeader.rs, to
// have them mapped again MessageHeader.u.
const RightType = "MessageHeader"

// Log reads the messages that are kept. A member sees its own; who has the scope access.Integration, all.
type Log struct {
	Reader    *lookup.Reader
	Partition hub.Partition
}

// Filter says which messages are meant; what is empty does not restrict.
type Filter struct {
	Member  string `json:"member,omitempty"`
	Format  string `json:"format,omitempty"`
	Type    string `json:"type,omitempty"` // as the format names it, or what stands before its ^: ORU^R01, ORU
	Sender  string `json:"sender,omitempty"`
	Control string `json:"control,omitempty"`
	Patient string `json:"patient,omitempty"` // "Patient/id"
	Made    string `json:"made,omitempty"`    // a resource that it made: "Observation/id"
	Status  string `json:"status,omitempty"`  // one or several, separated by commas
	// Since and Until bound when it was received: Since included, Until not.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// parameters are those that the filter restricts, with their values.
func (f *Filter) parameters() [][2]string {
	return [][2]string{{MemberParam, f.Member}, {FormatParam, f.Format}, {TypeParam, f.Type}, {SenderParam, f.Sender},
		{ControlParam, f.Control}, {PatientParam, f.Patient}, {MadeParam, f.Made}, {StatusParam, f.Status}}
}

// query asks for what the filter lets through, by when it was received.
func (f *Filter) query(newest bool) hub.Query {
	q := hub.Query{Type: Type, Sort: []hub.Sort{{Param: ReceivedParam, Desc: newest}}}
	for _, p := range f.parameters() {
		if p[1] == "" {
			continue
		}
		c := hub.Clause{Param: p[0]}
		texts := []string{p[1]}
		if p[0] == StatusParam {
			texts = strings.Split(p[1], ",")
		}
		for _, text := range texts {
			c.Any = append(c.Any, hub.Match{Kind: hub.Equals, Term: hub.Exact, Text: text})
		}
		q.All = append(q.All, c)
	}
	if !f.Since.IsZero() || !f.Until.IsZero() {
		m := hub.Match{Kind: hub.Within, LoMin: math.Inf(-1), LoMax: math.Inf(1), HiMin: math.Inf(-1), HiMax: math.Inf(1)}
		if !f.Since.IsZero() {
			m.LoMin = hub.Instant(f.Since)
		}
		if !f.Until.IsZero() {
			m.HiMax = hub.Instant(f.Until) - 1
		}
		q.All = append(q.All, hub.Clause{Param: ReceivedParam, Any: []hub.Match{m}})
	}
	return q
}

// used names the parameters of the filter for the audit trail.
func (f *Filter) used() string {
	var names []string
	for _, p := range f.parameters() {
		if p[1] != "" {
			names = append(names, p[0])
		}
	}
	if !f.Since.IsZero() || !f.Until.IsZero() {
		names = append(names, ReceivedParam)
	}
	return strings.Join(names, ",")
}

// allow restricts the filter to what who may see or, with another action, change.
func (f *Filter) allow(who access.Caller, a access.Action) error {
	if who.MayIntegrate() == nil {
		return nil
	}
	if err := who.May(a, RightType); err != nil {
		return err
	}
	if f.Member == "" {
		f.Member = who.Member
	}
	if f.Member != who.Member {
		return &hub.Error{Kind: hub.Forbidden, Path: MemberParam, Msg: "a member sees its own messages", Hint: "a token of scope " + access.Integration + " sees all"}
	}
	return nil
}

// Page is one page of messages.
type Page struct {
	Messages []Message
	Total    int64         // −1 where it was not asked for
	Next     *hub.Position // nil on the last page
}

// Search finds messages, the newest first.
func (l *Log) Search(ctx context.Context, who access.Caller, f Filter, after *hub.Position, limit int, count bool) (Page, error) {
	if err := f.allow(who, access.Search); err != nil {
		return Page{}, err
	}
	q := f.query(true)
	q.After, q.Limit, q.Count = after, limit, count
	res, err := l.Reader.Search(ctx, who, []hub.Partition{l.Partition}, q, f.used())
	if err != nil {
		return Page{}, err
	}
	page := Page{Messages: make([]Message, len(res.Records)), Total: res.Total, Next: res.Next}
	for i := range res.Records {
		if page.Messages[i], err = Read(&res.Records[i]); err != nil {
			return Page{}, err
		}
	}
	return page, nil
}

// Message reads one message; another member's is NotFound.
func (l *Log) Message(ctx context.Context, who access.Caller, id string) (Message, error) {
	all := who.MayIntegrate() == nil
	if err := who.May(access.Read, RightType); err != nil && !all {
		return Message{}, err
	}
	rec, err := l.Reader.Read(ctx, who, l.Partition, hub.Name{Type: Type, ID: id})
	if err == nil && rec.Member != who.Member && !all {
		err = &hub.Error{Kind: hub.NotFound, Msg: "there is no " + rec.Name.String()}
	}
	if err != nil {
		return Message{}, err
	}
	return Read(&rec)
}

// Raw is the message as it was sent.
func (l *Log) Raw(ctx context.Context, who access.Caller, m *Message) ([]byte, error) {
	if m.Blob == nil {
		return m.Raw, nil
	}
	rec := m.record()
	r, err := l.Reader.Blob(ctx, who, &rec, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Resources are those that the message made, as they are now: what was deleted, who may not read and what the token's scope
// does not cover is left out.
func (l *Log) Resources(ctx context.Context, who access.Caller, m *Message) ([]hub.Record, error) {
	var names []hub.Name
	for _, made := range m.Made {
		typ, id, _ := strings.Cut(made, "/")
		if who.MayIntegrate() == nil || who.May(access.Read, typ) == nil {
			names = append(names, hub.Name{Type: typ, ID: id})
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return l.Reader.Many(ctx, who, l.Partition, names)
}

// Failures are how many messages ended how, and why.
type Failures struct {
	Statuses map[Status]int64 `json:"statuses"`
	// Reasons are those of the newest dead letters and refused messages, the most frequent first; Read is how many of them
	// were looked at.
	Reasons []Reason `json:"reasons"`
	Read    int      `json:"read"`
}

// Reason is why some messages could not be mapped.
type Reason struct {
	Member  string `json:"member"`
	Type    string `json:"type"`
	Fault   Fault  `json:"fault"`
	Count   int    `json:"count"`
	Example string `json:"example"` // the id of the newest
}

// mostReasons bounds how many dead letters are looked at.
const mostReasons = 500

// Failures counts what f lets through by status, and the reasons of what failed.
func (l *Log) Failures(ctx context.Context, who access.Caller, f Filter) (Failures, error) {
	out := Failures{Statuses: map[Status]int64{}, Reasons: []Reason{}}
	for _, status := range []Status{Mapped, Late, Dead, Refused} {
		one := f
		one.Status = string(status)
		page, err := l.Search(ctx, who, one, nil, 0, true)
		if err != nil {
			return out, err
		}
		out.Statuses[status] = page.Total
	}
	f.Status = string(Dead) + "," + string(Refused)
	page, err := l.Search(ctx, who, f, nil, mostReasons, false)
	if err != nil {
		return out, err
	}
	out.Read = len(page.Messages)
	out.Reasons = reasons(page.Messages)
	return out, nil
}
