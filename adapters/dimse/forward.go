package dimse

import (
	"cmp"
	"context"
	"fmt"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// forward sends a study to a member's application entity. It is done when each instance was taken; else all are sent again,
// which changes nothing for those that are there.
func (s *Server) forward(ctx context.Context, e *imaging.Errand) error {
	to, err := s.destination(e.Title)
	if err != nil {
		return err
	}
	key, err := dicom.AppendDataSet(nil, fmt.Appendf(nil, `{"00080052":{"vr":"CS","Value":["STUDY"]},"0020000D":{"vr":"UI","Value":[%q]}}`, e.Study), explicitLittle, nil)
	if err != nil {
		return err
	}
	q, err := dicom.CompileFind(dicom.StudyRoot, key, explicitLittle, dicom.Rules{})
	if err != nil {
		return err
	}
	items, err := s.items(ctx, access.NewCaller(e.Member, "system/"+access.ImagingStudy+".rs", ""), q)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return &hub.Error{Kind: hub.NotFound, Msg: "the study has no instances"}
	}
	sent, failed := 0, error(nil)
	s.send(ctx, ctx, to, items, origin{}, func(_ *item, status upperlayer.Status, err error) error {
		switch {
		case err != nil:
			failed = err
		case status.Failed():
			failed = &hub.Error{Kind: hub.Unprocessable, Msg: "the destination refused an instance with status " + status.String()}
		default:
			sent++
		}
		return nil
	})
	if sent == len(items) {
		return nil
	}
	return fmt.Errorf("%d of %d instances were sent: %w", sent, len(items), cmp.Or(failed, ctx.Err()))
}
