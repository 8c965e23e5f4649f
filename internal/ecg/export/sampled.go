package export

import (
	"encoding/json"
	"math"
	"strconv"

	"concord/hub"
	"concord/internal/ecg"
)

// SampledData is the lead as the FHIR data type (R4 datatypes.html#SampledData) from the group's start on: E is written
// where nothing was measured. U and L are not: a recording does not say where its amplifier ends.
func SampledData(g ecg.Group, l ecg.Lead) (json.RawMessage, error) {
	if !(g.Rate > 0) || !finite(l.Scale) || !finite(l.Baseline) {
		return nil, &hub.Error{Kind: hub.Unprocessable, Path: "SampledData", Msg: "the lead has no rate or no scale"}
	}
	unit, err := json.Marshal(l.Unit)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 200+6*(l.Start+l.Samples.Len()))
	out = append(out, `{"origin":{"value":`...)
	out = strconv.AppendFloat(out, l.Baseline, 'f', -1, 64)
	if l.Unit != "" {
		out = append(out, `,"unit":`...)
		out = append(out, unit...)
		out = append(out, `,"system":"http://unitsofmeasure.org","code":`...)
		out = append(out, unit...)
	}
	out = append(out, `},"period":`...)
	out = strconv.AppendFloat(out, math.Round(1e12/g.Rate)/1e9, 'f', -1, 64) // ms
	out = append(out, `,"factor":`...)
	out = strconv.AppendFloat(out, l.Scale, 'f', -1, 64)
	out = append(out, `,"dimensions":1,"data":"`...)
	for range l.Start {
		out = append(out, "E "...)
	}
	for _, v := range l.Samples.All() {
		if v == ecg.Missing {
			out = append(out, 'E', ' ')
			continue
		}
		out = append(strconv.AppendInt(out, int64(v), 10), ' ')
	}
	if out[len(out)-1] == ' ' {
		out = out[:len(out)-1]
	}
	return append(out, `"}`...), nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
