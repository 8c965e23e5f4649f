package fhir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wrongExamples are the official examples that are not what R4 says they must be, with the path and the reason.
var wrongExamples = map[string][2]string{
	"DeviceMetric-example.json":                  {"DeviceMetric.parent.reference", "a DeviceDefinition, the definition admits a Device"},
	"DeviceUseStatement-example.json":            {"DeviceUseStatement.reasonReference[0].reference", "a Procedure, which the definition does not admit"},
	"MedicationRequest-medrx0301.json":           {"MedicationRequest.dispenseRequest.performer.reference", "a Practitioner, the definition admits an Organization"},
	"Observation-clinical-gender.json":           {"Observation.performer[0].reference", "an Encounter, which the definition does not admit"},
	"Library-zika-virus-intervention-logic.json": {"Library.dataRequirement[0].codeFilter[0].valueSet", "urn:oid:X.Y.Z is no OID"},
	"Questionnaire-qs1.json":                     {"Questionnaire.item[0].item[0].linkId", "items without linkId, which is 1..1"},
	"ImplementationGuide-fhir.json":              {"ImplementationGuide.manifest.resource[11904].reference.reference", "an id of 70 characters; neither name nor status, which are 1..1"},
	"ig-r4.json":                                 {"ImplementationGuide.manifest.resource[11904].reference.reference", "as ImplementationGuide-fhir.json"},
	"SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json": {"SearchParameter.id", "an id of 70 characters"},
	"SearchParameter-codesystem-extensions-CodeSystem-author.json":                             {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-codesystem-extensions-CodeSystem-effective.json":                          {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-codesystem-extensions-CodeSystem-end.json":                                {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-codesystem-extensions-CodeSystem-keyword.json":                            {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-codesystem-extensions-CodeSystem-workflow.json":                           {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-valueset-extensions-ValueSet-author.json":                                 {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-valueset-extensions-ValueSet-effective.json":                              {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-valueset-extensions-ValueSet-end.json":                                    {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-valueset-extensions-ValueSet-keyword.json":                                {"SearchParameter.base", "no base, which is 1..*"},
	"SearchParameter-valueset-extensions-ValueSet-workflow.json":                               {"SearchParameter.base", "no base, which is 1..*"},
}

// definitionTypes are the resource types by which R4 defines itself; the other files of the package are its examples.
const definitionTypes = " StructureDefinition SearchParameter ValueSet CodeSystem ConceptMap OperationDefinition CompartmentDefinition CapabilityStatement ImplementationGuide NamingSystem "

// published lists the files of the package of R4's definitions and examples.
func published(t testing.TB) []string {
	paths, err := filepath.Glob("../../.cache/fhir/package/*-*.json")
	if err != nil || len(paths) == 0 {
		t.Skip("skipped: the definitions are not here; scripts/fhir-definitions.sh fetches them")
	}
	return paths
}

func TestEveryPublishedResourceIsRightButThoseThatAreNot(t *testing.T) {
	all, examples := 0, 0
	for _, path := range published(t) {
		name := filepath.Base(path)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(data, Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		all++
		if !strings.Contains(definitionTypes, " "+d.Type()+" ") {
			examples++
		}
		err, wrong := d.Check(), wrongExamples[name]
		if (err != nil) != (wrong[0] != "") || err != nil && !strings.HasPrefix(err.Error(), wrong[0]+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all != 5306 || examples != 727 {
		t.Errorf("%d resources, %d of them examples; R4 has 5,306 and 727", all, examples)
	}
}

// TestResourcesOfTheCorpusAreRight takes what converters of HL7 v2 and CDA made to be wrong only where they leave out what R4
// demands, or have no id to refer to; Synthea's bundles are right.
func TestResourcesOfTheCorpusAreRight(t *testing.T) {
	files, resources, missing, unnamed := 0, 0, 0, 0
	err := filepath.WalkDir(filepath.Dir(corpus(t)), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json.gz") || strings.Contains(path, "dcm2json") {
			return err
		}
		files++
		d := bundle(t, path)
		for range d.Root().Get("entry").Items() {
			resources++
		}
		converted := strings.Contains(path, "expected-fhir")
		for _, f := range faultsOf(t, string(d.data)) {
			switch {
			case converted && strings.HasSuffix(f, "the element must be there"):
				missing++
			case converted && strings.HasPrefix(filepath.Base(path), "ADT01-23."): // urn:uuid: and Patient/ with nothing behind
				unnamed++
			default:
				t.Errorf("%s: %s", path, f)
			}
		}
		return nil
	})
	if err != nil || files < 80 || missing != 34 || unnamed != 2 {
		t.Errorf("%d files with %d entries, %d elements missing, %d references to nothing, %v", files, resources, missing, unnamed, err)
	}
}

func BenchmarkCheck(b *testing.B) {
	each(b, func(_ []byte, d *Doc, _ string) {
		if err := d.Check(); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkBundles parses and checks whole Synthea bundles.
func BenchmarkBundles(b *testing.B) {
	paths, _ := filepath.Glob(filepath.Join(corpus(b), "synthea", "[1-4]*.json.gz"))
	var docs []*Doc
	size, resources := 0, 0
	for _, path := range paths {
		d := bundle(b, path)
		docs = append(docs, d)
		size += len(d.data)
		for range d.Root().Get("entry").Items() {
			resources++
		}
	}
	run := func(name string, do func(*Doc) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, d := range docs {
					if err := do(d); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*resources), "ns/resource")
		})
	}
	run("Parse", func(d *Doc) error { _, err := Parse(d.data, Limits{}); return err })
	run("Check", (*Doc).Check)
}
