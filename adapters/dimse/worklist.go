package dimse

import (
	"context"

	"concord/hub/access"
	"concord/hub/imaging"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const modalityWorklist = "1.2.840.10008.5.1.4.31"

// worklist is the service that tells modalities what they are to do (PS3.4 annex K).
func (s *Server) worklist() []Service {
	return []Service{{Name: "Modality Worklist Information Model – FIND", SOPClass: modalityWorklist, Extended: worklistExtensions,
		Commands: map[upperlayer.Field]Command{upperlayer.CFindRQ: {access.Search, s.findSteps}}}}
}

// worklistExtensions agrees to fuzzy matching of names (PS3.4 K.5.1.1, K.5.2.1), and to no conversion of time zones.
func worklistExtensions(info []byte) []byte { return agreeTo(info, 0, 1, 0) }

// findSteps answers C-FIND with the scheduled procedure steps that match.
func (s *Server) findSteps(ctx context.Context, r *upperlayer.Request) {
	data, err := identifier(r, maxIdentifier)
	if err != nil {
		refuse(r, err)
		return
	}
	keys, err := dicom.ReadKeys(data, r.Context.Transfer, dicom.Rules{Fuzzy: s.agreed(r, 1), Combined: true})
	if err == nil {
		_, err = keys.Test() // what cannot be understood is refused also where the list is empty
	}
	if err != nil {
		refuse(r, err)
		return
	}
	who, _ := access.CallerFrom(ctx)
	station := imaging.Station{Caller: who, Title: r.Association.Peer().Calling}
	s.answer(ctx, r, upperlayer.Command{Status: upperlayer.Pending}, func(yield func([]byte, error) bool) {
		for item, err := range s.Worklist.Items(ctx, station, &keys) {
			if err == nil {
				item, err = dicom.AppendDataSet(nil, keys.Select(nil, item), r.Context.Transfer, keys.Charset)
			}
			if !yield(item, err) {
				return
			}
		}
	})
}
