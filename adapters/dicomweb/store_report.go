package dicomweb

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/imaging"
)

type object = map[string]any

func element(vr string, values ...any) object {
	if len(values) == 0 {
		return object{"vr": vr}
	}
	return object{"vr": vr, "Value": values}
}

// report writes the Store Instances Response (PS3.18 10.5.3 and annex I): 200 when all are stored without warning,
// 202 when some are not, 409 when none is, and the reason of each.
func (s *Server) report(c *gin.Context, study string, results []stored) {
	var referenced, failed, others []any
	warned, unavailable := false, true
	base := s.base(c)
	for i := range results {
		r := &results[i]
		item := object{}
		if r.sopClass != "" && r.sop != "" {
			item["00081150"] = element("UI", r.sopClass)
			item["00081155"] = element("UI", r.sop)
		}
		if r.err != nil {
			item["00081197"] = element("US", reasonOf(r.err))
			item["00000902"] = element("LO", explain(r.err)) // Error Comment (PS3.7 C)
			if r.sopClass == "" || r.sop == "" {
				others = append(others, item) // of no instance that could be told (table I.2-1)
			} else {
				failed = append(failed, item)
			}
			unavailable = unavailable && hub.Is(r.err, hub.Unavailable)
			continue
		}
		if study == "" {
			study = r.study
		}
		item["00081190"] = element("UR", fmt.Sprintf("%s/studies/%s/series/%s/instances/%s", base, r.study, r.series, r.sop))
		if r.result == imaging.Duplicate {
			warned = true
			item["00081196"] = element("US", warningOtherBytesKept)
			item["00000902"] = element("LO", "the UID is here with other bytes; both are kept, the first shown")
		} else if len(r.warnings) > 0 {
			item["00000902"] = element("LO", comment(r.warnings[0]))
			if r.warned {
				warned = true
				item["00081196"] = element("US", warningDiffers)
			}
		}
		referenced = append(referenced, item)
	}
	answer := object{}
	if len(referenced) > 0 {
		answer["00081190"] = element("UR", base+"/studies/"+study)
		answer["00081199"] = element("SQ", referenced...)
	}
	status, refused := http.StatusOK, len(failed)+len(others)
	switch {
	case refused > 0 && len(referenced) == 0 && unavailable:
		c.Header("Retry-After", "1")
		status = http.StatusServiceUnavailable
	case refused > 0 && len(referenced) == 0:
		status = http.StatusConflict
	case refused > 0 || warned:
		status = http.StatusAccepted
	}
	if len(failed) > 0 {
		answer["00081198"] = element("SQ", failed...)
	}
	if len(others) > 0 {
		answer["0008119A"] = element("SQ", others...)
	}
	body, err := json.Marshal(answer) // keys are sorted: tags in order
	if err != nil {
		WriteError(c, err)
		return
	}
	if xml, ok := metadataAnswer(accepted(c)); ok && xml {
		c.Writer.Header().Set("Content-Type", typeXML)
		c.Writer.WriteHeader(status)
		c.Writer.Write(nativeXML(body))
		return
	}
	writeJSON(c, status, body)
}

// explain is the reason in words, as long as LO allows.
func explain(err error) string {
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind == hub.Internal || e.Kind == hub.Corrupt {
		slog.Error("store an instance", "err", err)
		return "the hub met a fault of its own"
	}
	msg := e.Msg
	if e.Path != "" {
		msg = e.Path + ": " + msg
	}
	return comment(msg)
}

// comment cuts text to the 64 characters of LO.
func comment(text string) string {
	if r := []rune(text); len(r) > 64 {
		return string(r[:63]) + "…"
	}
	return text
}
