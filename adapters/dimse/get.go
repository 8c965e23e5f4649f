package dimse

import (
	"context"

	"concord/hub/access"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const (
	studyRootGet   = "1.2.840.10008.5.1.4.1.2.2.3"
	patientRootGet = "1.2.840.10008.5.1.4.1.2.1.3"
)

// getting are the services that hand instances out over the requestor's own association (PS3.4 C.4.3).
func (s *Server) getting() []Service {
	line := func(name, class string, root dicom.Root) Service {
		return Service{Name: name, SOPClass: class, Extended: retrieveExtensions,
			Commands: map[upperlayer.Field]Command{upperlayer.CGetRQ: {access.Read, s.get(root)}}}
	}
	return []Service{
		line("Study Root Query/Retrieve Information Model – GET", studyRootGet, dicom.StudyRoot),
		line("Patient Root Query/Retrieve Information Model – GET", patientRootGet, dicom.PatientRoot),
	}
}

// get answers C-GET. What is under way when the peer cancels is brought to its end.
func (s *Server) get(root dicom.Root) Handler {
	return func(ctx context.Context, r *upperlayer.Request) {
		q, err := question(r, root, dicom.Rules{})
		if err != nil {
			refuse(r, err)
			return
		}
		who, _ := access.CallerFrom(ctx)
		items, err := s.items(ctx, who, q)
		if err != nil {
			refuse(r, err)
			return
		}
		if err := s.Reader.Disclose(ctx, who, dicom.Instance.Type(), namesOf(items), len(items), "C-GET"); err != nil {
			refuse(r, err)
			return
		}
		t := &retrieval{r: r, total: len(items)}
		for i := range items {
			if ctx.Err() != nil {
				break
			}
			status, err := s.deliver(r.Association.Context(), who, r.Association, &items[i], origin{})
			t.count(&items[i], status, err)
			if t.progress() != nil {
				return
			}
		}
		t.end(ctx)
	}
}
