package ecg

import (
	"encoding/json"
	"io"
	"math"

	"concord/hub/ecg"
	wave "concord/internal/ecg"
	"concord/internal/ecg/quality"
)

// facts are what is known of a recording, as JSON.
type facts struct {
	ecg.Entry
	Links        map[string]string `json:"links"`
	SHA256       string            `json:"sha256"`
	Acquired     string            `json:"acquired,omitempty"` // as the file says it: without a zone where that is not known
	Device       *device           `json:"device,omitempty"`
	Placement    string            `json:"placement,omitempty"`
	Groups       []group           `json:"groups,omitempty"`
	Measurements []measurement     `json:"measurements,omitempty"`
	// Statements are the device's, not a physician's.
	Statements []string `json:"statements,omitempty"`
	Comments   []string `json:"comments,omitempty"`
	Remarks    []string `json:"remarks,omitempty"`
	Quality    *judged  `json:"quality,omitempty"`
}

type device struct {
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Software     string `json:"software,omitempty"`
	Analysis     string `json:"analysis,omitempty"`
}

type group struct {
	Kind    string   `json:"kind"`
	Label   string   `json:"label,omitempty"`
	Rate    float64  `json:"samplesPerSecond"`
	Seconds float64  `json:"seconds"`
	Leads   []string `json:"leads"`
	// Hz; left out where the file does not say.
	HighPass float64 `json:"highPass,omitempty"`
	LowPass  float64 `json:"lowPass,omitempty"`
	Notch    float64 `json:"notch,omitempty"`
	Filters  string  `json:"filters,omitempty"`
}

type measurement struct {
	Code  string  `json:"code,omitempty"`
	Name  string  `json:"name,omitempty"`
	Lead  string  `json:"lead,omitempty"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

type judged struct {
	Score    int       `json:"score"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Code      string  `json:"code"`
	Severity  string  `json:"severity"`
	Lead      string  `json:"lead,omitempty"`
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
	Unit      string  `json:"unit,omitempty"`
	English   string  `json:"english"`
	Chinese   string  `json:"chinese"`
}

// mostMeasurements bounds those that are listed: with every lead's a recording may have thousands.
const mostMeasurements = 2000

func (s *server) facts(w io.Writer, r *recording) error {
	f := facts{Entry: r.original.Entry, Links: s.links(r.original.Entry), SHA256: r.original.SHA256}
	if r.Recording != nil {
		f.describe(r.Recording)
	}
	return writeAs(w, f)
}

func (f *facts) describe(r *wave.Recording) {
	f.Acquired, f.Placement, f.Comments, f.Remarks = r.Acquired.String(), r.Placement, r.Comments, r.Remarks
	if d := (device{r.Device.Manufacturer, r.Device.Model, r.Device.Serial, r.Device.Software, r.Device.Analysis}); d != (device{}) {
		f.Device = &d
	}
	for _, g := range r.Groups {
		one := group{Kind: g.Kind.String(), Label: g.Label, Rate: g.Rate, Seconds: g.Duration().Seconds(), HighPass: g.Filters.HighPass,
			LowPass: g.Filters.LowPass, Notch: g.Filters.Notch, Filters: g.Filters.Other, Leads: []string{}}
		for _, l := range g.Leads {
			one.Leads = append(one.Leads, l.Label)
		}
		f.Groups = append(f.Groups, one)
	}
	for _, m := range r.Measurements[:min(len(r.Measurements), mostMeasurements)] {
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) { // JSON has no such numbers
			continue
		}
		f.Measurements = append(f.Measurements, measurement{m.Code, m.Name, m.Lead.String(), m.Value, m.Unit})
	}
	for _, one := range r.Statements {
		f.Statements = append(f.Statements, one.Text)
	}
	f.Quality = judge(r)
}

func judge(r *wave.Recording) *judged {
	report := quality.Check(r, quality.Thresholds{})
	j := &judged{Score: report.Score, Findings: []finding{}}
	for _, f := range report.Findings {
		j.Findings = append(j.Findings, finding{string(f.Code), string(f.Severity), f.Lead, f.Value, f.Threshold, f.Unit, f.English, f.Chinese})
	}
	return j
}

func (s *server) quality(w io.Writer, r *recording) error { return writeAs(w, judge(r.Recording)) }

func writeAs(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(body)
	}
	return err
}
