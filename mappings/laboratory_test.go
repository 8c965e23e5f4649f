package mappings

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheRulesThatComeWithTheProgramAreRight(t *testing.T) {
	r, err := Laboratory()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Analytes) < 90 || len(r.Thresholds) < 20 || len(r.Limits) < 10 || len(r.Units) < 100 {
		t.Errorf("%d analytes, %d critical values, %d delta limits, %d units", len(r.Analytes), len(r.Thresholds), len(r.Limits), len(r.Units))
	}
}

func TestFaultsInLaboratoryRulesAreToldWithFileAndLine(t *testing.T) {
	for _, c := range []struct{ say, file, data, want string }{
		{"an analyte that is not there", "critical.yaml", "critical:\n  - {analyte: potasium, low: 1, unit: mmol/L, source: D}\n", "critical.yaml:2: critical potasium: no such analyte"},
		{"bounds the wrong way round", "critical.yaml", "critical:\n  - {analyte: potassium, low: 7, high: 2, unit: mmol/L, source: D}\n", "low must be less than high"},
		{"no source", "critical.yaml", "critical:\n  - {analyte: potassium, low: 1, unit: mmol/L}\n", "its source must be said"},
		{"a unit that UCUM does not have", "critical.yaml", "critical:\n  - {analyte: potassium, low: 1, unit: mmool/L, source: D}\n", `"mmool/L" is no UCUM code`},
		{"an age that is none", "critical.yaml", "critical:\n  - {analyte: potassium, age: [0, 3w], low: 1, unit: mmol/L, source: D}\n", `"3w" is no age`},
		{"a field that is not known", "delta.yaml", "delta:\n  - {analyte: potassium, withn: 72h}\n", "withn"},
		{"a limit without one", "delta.yaml", "delta:\n  - {analyte: potassium, within: 72h, source: D}\n", "delta.yaml:2: delta potassium: absolute or percent"},
		{"a unit that means two things", "units.tsv", "# x\n10^9/L\t10*9/L\n×10⁹/L\t10*6/L\n", "units.tsv:3: unit ×10⁹/L: is 10*9/L already"},
		{"a range of nobody", "ranges.yaml", "ranges:\n  - {analyte: potassium, low: 3.5, unit: mmol/L, source: D}\n", "a range is a member's"},
		{"a wrong check digit", "analytes.yaml", "version: x\nspecimens: {serum: [S]}\nanalytes:\n  - {id: potassium, zh: 钾, en: Potassium, codes: [[2823-4, serum, mmol/L]]}\n", "analytes.yaml:4: analyte potassium: 2823-4 is no LOINC code"},
	} {
		_, err := ReadLaboratory(fstest.MapFS{c.file: {Data: []byte(c.data)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q in it", c.say, err, c.want)
		}
	}
}
