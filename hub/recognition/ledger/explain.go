package ledger

import (
	"context"
	"strings"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition"
	"concord/hub/recognition/advice"
)

// Explain tells why a decision was made: what its rules found when it was shown, and with which catalogue. Who may not read the
// record is told NotFound, and so is who asks for one that was kept without an account. Of a result that the caller may not read,
// as it is or as it was then, there is no trace.
func (l *Ledger) Explain(ctx context.Context, who access.Caller, id string) (advice.Answer, time.Time, error) {
	name := hub.Name{Type: "GuidanceResponse", ID: id}
	var out advice.Answer
	rec, err := l.Reader.Read(ctx, who, l.Records, name)
	if err != nil {
		return out, time.Time{}, err
	}
	o, ok := ReadOpportunity(&rec)
	if !ok || o.Account == "" {
		return out, time.Time{}, &hub.Error{Kind: hub.NotFound, Path: name.String(), Msg: "no account was kept of this decision"}
	}
	d, versions, err := recognition.ReadAccount(o.Account)
	if err != nil {
		return out, time.Time{}, &hub.Error{Kind: hub.Corrupt, Path: name.String(), Msg: "read the account of the decision", Err: err}
	}
	e := explaining{l, who, versions, &out}
	if err := e.sift(ctx, &d); err != nil {
		return advice.Answer{}, time.Time{}, err
	}
	out.Decision = d
	return out, d.Time, nil
}

type explaining struct {
	*Ledger
	who      access.Caller
	versions map[string]uint64
	out      *advice.Answer
}

// sift leaves the judgements whose results the caller may read.
func (e *explaining) sift(ctx context.Context, d *recognition.Decision) error {
	var left []recognition.Judgement
	for _, j := range d.Judgements {
		r := advice.Result{ID: j.ID, Version: e.versions[j.ID]}
		whole, _, _ := strings.Cut(j.ID, "#")
		r.Name.Type, r.Name.ID, _ = strings.Cut(whole, "/")
		if e.who.May(access.Read, r.Name.Type) != nil {
			continue
		}
		_, err := e.Reader.Version(ctx, e.who, e.Records, r.Name, r.Version)
		switch {
		case hub.Is(err, hub.NotFound):
			continue
		case err != nil && !hub.Is(err, hub.Gone):
			return err
		}
		left = append(left, j)
		e.out.Results = append(e.out.Results, r)
	}
	d.Judgements = left
	for i := range d.Members {
		if err := e.sift(ctx, &d.Members[i]); err != nil {
			return err
		}
	}
	return nil
}
