package fhir

import (
	"slices"
	"strings"
	"testing"
)

func TestTablesHoldTheWholeOfR4(t *testing.T) {
	if n := len(ResourceTypes()); n != 146 {
		t.Errorf("%d concrete resource types, R4 has 146 (148 with Resource and DomainResource)", n)
	}
	if n := len(paramDefinitions()); n != 1400 {
		t.Errorf("%d search parameters, R4 has 1,400", n)
	}
}

func TestEverySearchExpressionCompilesForEveryBase(t *testing.T) {
	s := definitions()
	none := 0
	for _, d := range paramDefinitions() {
		if d.expression == "" {
			none++
			continue
		}
		for _, base := range d.bases {
			names := s.concrete(base)
			if len(names) == 0 {
				t.Errorf("%s: unknown base %s", d.url, base)
			}
			for _, name := range names {
				p := s.param(d, name)
				walks, err := s.compileExpr(d.expression, name, name)
				switch {
				case err != nil || p.err != nil:
					t.Errorf("%s for %s: %v %v", d.url, name, err, p.err)
				case len(walks) == 0 && strings.Contains(d.url, "/example"): // R4's example is of another type than it says
				case len(walks) == 0:
					t.Errorf("%s leads nowhere in %s: %s", d.url, name, d.expression)
				case len(p.walks) == 0 && indexable[p.Type] != "":
					t.Logf("%s of type %s for %s has no value that can be indexed: %s", d.code, d.typ, name, d.expression)
				}
				if p.Type == CompositeParam && !p.combinable() {
					t.Errorf("%s: a component leads nowhere in %s", d.url, name)
				}
			}
		}
	}
	if none != 16 {
		t.Errorf("%d parameters have no expression, R4 has 16", none)
	}
}

func TestMalformedExpressionsAreRefused(t *testing.T) {
	for _, text := range []string{"", "a.", "a[x]", "a.where(b='", "a.frobnicate()", "(a", "a b", "Observation.nothing", "Nothing.a", "a='x'.b"} {
		if _, err := definitions().compileExpr(text, "Observation", "Observation"); err == nil {
			t.Errorf("%q compiled", text)
		}
	}
}

func TestRouteIsTheOnePatientElement(t *testing.T) {
	var routed []string
	for _, name := range ResourceTypes() {
		if r := definitions().resources[name]; r.route != nil {
			routed = append(routed, name+"."+r.route.Code)
		}
	}
	all := strings.Join(routed, " ")
	for _, want := range []string{"Observation.subject", "Encounter.patient", "AllergyIntolerance.patient", "Coverage.beneficiary", "ImagingStudy.patient", "ResearchSubject.individual", "List.subject"} {
		if !slices.Contains(routed, want) {
			t.Errorf("no %s among %s", want, all)
		}
	}
	for _, name := range []string{"Patient", "Appointment", "Group", "AuditEvent", "Provenance", "Account", "Organization"} {
		if definitions().resources[name].route != nil {
			t.Errorf("%s has a route although it may have many patients or is one", name)
		}
	}
}
