package mappings

import (
	_ "embed" // the body sites
	"strings"
	"sync"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

//go:embed dicom/body-sites.tsv
var bodySites string

// BodySites are the SNOMED CT concepts of the terms of Body Part Examined (PS3.16 annex L). The map must not be changed.
func BodySites() map[string]models.Coding { return parsedBodySites() }

var parsedBodySites = sync.OnceValue(func() map[string]models.Coding {
	system := "http://snomed.info/sct"
	sites := map[string]models.Coding{}
	for line := range strings.Lines(bodySites) {
		term, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		code, name, whole := strings.Cut(rest, "\t")
		if ok && whole && !strings.HasPrefix(line, "#") {
			sites[term] = models.Coding{System: &system, Code: &code, Display: &name}
		}
	}
	return sites
})

// BodyTerm is the term of Body Part Examined that a SNOMED CT code is the concept of.
func BodyTerm(code string) (term string, ok bool) {
	term, ok = bodyTerms()[code]
	return term, ok
}

var bodyTerms = sync.OnceValue(func() map[string]string {
	terms := map[string]string{}
	for term, site := range parsedBodySites() {
		terms[*site.Code] = term
	}
	return terms
})
