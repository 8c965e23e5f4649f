package lookup

import (
	"context"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// What the hub itself writes about things of others (a decision on results, the notice that one does not hold any more) names them, and so
// is for those only who may know of them, and for the member it was written for.

// retold are the types of such records.
func retold(typ string) bool {
	switch typ {
	case "GuidanceResponse", "DetectedIssue", "Basic", "CommunicationRequest", "Communication", "Flag":
		return true
	}
	return false
}

func retells(rec *hub.Record) bool { return rec.Member == access.Hub && retold(rec.Name.Type) }

// told says of stands whether who may know of all things that they retell. What they name and the hub does not have says nothing.
func (r *Reader) told(ctx context.Context, who access.Caller, p hub.Partition, stands []stand) ([]bool, error) {
	told := make([]bool, len(stands))
	var names []hub.Name
	by := map[hub.Name][]int{}
	for i := range stands {
		s := &stands[i]
		told[i] = true
		if p != r.Records || s.rec == nil || s.owner == who.Member || !retells(s.rec) {
			continue
		}
		doc, err := fhir.Parse(s.rec.Body, fhir.Limits{})
		if err != nil {
			told[i] = false
			continue
		}
		for span := range doc.References() {
			name, ok := fhir.ContextName(span.Target)
			if !ok || name.Type == "Patient" || name.Type == golden || retold(name.Type) {
				continue
			}
			if by[name] == nil {
				names = append(names, name)
			}
			by[name] = append(by[name], i)
		}
	}
	if len(names) == 0 {
		return told, nil
	}
	recs, err := r.present(ctx, p, names)
	if err != nil {
		return nil, err
	}
	asked := make([]*hub.Record, len(recs))
	for i := range recs {
		asked[i] = &recs[i]
	}
	may, err := r.readable(ctx, who, p, asked)
	for i := range may {
		if !may[i] {
			for _, at := range by[recs[i].Name] {
				told[at] = false
			}
		}
	}
	return told, err
}
