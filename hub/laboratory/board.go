package laboratory

import (
	"context"
	"slices"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/lookup"
	"concord/internal/fhir"
)

// Board shows alarms to those who may read them.
type Board struct {
	Reader  *lookup.Reader
	Records hub.Partition
	Now     func() time.Time
}

// Wanted says which alarms are meant; what is empty does not restrict.
type Wanted struct {
	Closed  bool   // those that are closed or withdrawn, too
	Overdue bool   // only those whose next step should have been taken
	Patient string // "Patient/id"
	Member  string // whose laboratory
}

// mostAlarms is how many alarms are looked at for a list.
const mostAlarms = 2000

// List tells alarms, the longest raised first.
func (b *Board) List(ctx context.Context, who access.Caller, w Wanted) ([]Alarm, error) {
	if err := who.May(access.Search, "CommunicationRequest"); err != nil {
		return nil, err
	}
	params := []fhir.Pair{{Name: "category", Value: System + "|" + criticalCode}, {Name: "_sort", Value: "authored"}}
	if !w.Closed {
		params = append(params, fhir.Pair{Name: "status", Value: "active"})
	}
	if w.Patient != "" {
		params = append(params, fhir.Pair{Name: "subject", Value: fhir.Escape(w.Patient)})
	}
	search, err := fhir.CompileSearch("CommunicationRequest", params, fhir.SearchOptions{})
	if err != nil {
		return nil, err
	}
	search.Query.Limit = 500
	all, now := []Alarm{}, b.Now()
	for read := 0; read < mostAlarms; {
		page, err := b.Reader.Search(ctx, who, []hub.Partition{b.Records}, search.Query, "critical values")
		if err != nil {
			return nil, err
		}
		for i := range page.Records {
			a, ok := ReadAlarm(&page.Records[i])
			if ok && page.Records[i].Member == Origin && (!w.Overdue || a.Overdue(now)) && (w.Member == "" || a.Member == w.Member) {
				all = append(all, a)
			}
		}
		if read += len(page.Records); page.Next == nil {
			break
		}
		search.Query.After = page.Next
	}
	return slices.Clip(all), nil
}

// One tells an alarm.
func (b *Board) One(ctx context.Context, who access.Caller, id string) (Alarm, error) {
	if err := who.May(access.Read, "CommunicationRequest"); err != nil {
		return Alarm{}, err
	}
	rec, err := b.Reader.Read(ctx, who, b.Records, hub.Name{Type: "CommunicationRequest", ID: id})
	if err != nil {
		return Alarm{}, err
	}
	a, ok := ReadAlarm(&rec)
	if !ok || rec.Member != Origin {
		return a, &hub.Error{Kind: hub.NotFound, Path: "id", Msg: "there is no such critical value"}
	}
	return a, nil
}
