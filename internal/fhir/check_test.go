package fhir

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"concord/hub"
)

// faultsOf runs Check and lists the faults as path: message.
func faultsOf(t testing.TB, body string) []string {
	t.Helper()
	err := parse(t, body).Check()
	if err == nil {
		return nil
	}
	var faults hub.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%s: %T is no list of faults", body, err)
	}
	var all []string
	for _, f := range faults {
		if f.Kind != hub.Invalid || f.Msg == "" {
			t.Errorf("%s: %+v", body, f)
		}
		all = append(all, f.Error())
	}
	return all
}

// observation and patient are right with what is put into them.
func observation(members string) string {
	return `{"resourceType":"Observation","status":"final","code":{"text":"x"}` + members + `}`
}

func patient(members string) string { return `{"resourceType":"Patient"` + members + `}` }

func TestRightStructureIsTaken(t *testing.T) {
	for name, body := range map[string]string{
		"nothing but a type":                          patient(``),
		"an extension in place of a value":            patient(`,"_birthDate":{"extension":[{"url":"x","valueString":"y"}]}`),
		"an id beside a value":                        patient(`,"birthDate":"1980","_birthDate":{"id":"a"}`),
		"null where there are only extensions":        patient(`,"name":[{"given":[null,"A"],"_given":[{"extension":[{"url":"x","valueCode":"y"}]},null]}]`),
		"extensions of a list without values":         patient(`,"name":[{"_given":[{"extension":[{"url":"x","valueCode":"y"}]}]}]`),
		"a required element that is only extended":    `{"resourceType":"Observation","_status":{"extension":[{"url":"x","valueCode":"unknown"}]},"code":{"text":"x"}}`,
		"a choice that is only extended":              observation(`,"_valueString":{"extension":[{"url":"x","valueCode":"unknown"}]}`),
		"a choice with extensions":                    observation(`,"valueString":"x","_valueString":{"id":"1"}`),
		"a concept of which one coding is bound":      `{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"coding":[{"system":"http://own","code":"1"},{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]}}`,
		"an unknown extension of every kind of value": patient(`,"extension":[{"url":"http://x","extension":[{"url":"a","valueDecimal":1.50},{"url":"b","valuePeriod":{"start":"2020"}}]}]`),
		"a reference to the container":                patient(`,"contained":[{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"#"}}]`),
		"a reference to a contained resource":         observation(`,"contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}`),
		"a conditional reference":                     observation(`,"subject":{"reference":"Patient?identifier=1|2"}`),
		"a version of a resource elsewhere":           observation(`,"subject":{"reference":"https://x.org/fhir/Patient/1/_history/2"}`),
		"a URL that is of no FHIR server":             observation(`,"subject":{"reference":"http://x.org/people/7"}`),
		"a URN":                                       observation(`,"subject":{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}`),
		"an identifier in place of a reference":       observation(`,"subject":{"type":"Patient","identifier":{"value":"1"}}`),
		"base64 with line breaks":                     `{"resourceType":"Binary","contentType":"text/plain","data":"QUJD\nRA=="}`,
		"a narrative":                                 patient(`,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><!-- c --><p class='a'>张&#160;&lt;<br/><img src=\"#p\" alt=\"\"/></p></div>"}`),
		"escapes in a code":                           `{"resourceType":"Observation","status":"fin\u0061l","code":{"text":"a\tb\n"}}`,
	} {
		if got := faultsOf(t, body); got != nil {
			t.Errorf("%s: %s\n%s", name, body, strings.Join(got, "\n"))
		}
	}
}

func TestEveryFaultIsNamedWithItsPath(t *testing.T) {
	for _, c := range []struct{ body, faults string }{ // what each fault begins with and, after …, contains
		{`{}`, "resourceType: "},
		{`[]`, ": a resource is due"},
		{`{"resourceType":"Patiemt"}`, "resourceType: …did you mean Patient?"},
		{`{"resourceType":1}`, "resourceType: "},
		{`{"resourceType":"HumanName"}`, "resourceType: "},
		{patient(`,"nmae":[]`), "Patient.nmae: …did you mean name?"},
		{patient(`,"name":{"family":"x"}`), "Patient.name: …array is due"},
		{patient(`,"name":[null]`), "Patient.name[0]: …object is due"},
		{patient(`,"name":[]`), "Patient.name: …empty"},
		{patient(`,"name":[{}]`), "Patient.name[0]: …empty"},
		{patient(`,"name":[{"id":"a"}]`), "Patient.name[0]: …empty"},
		{patient(`,"name":[{"given":["A",""]}]`), "Patient.name[0].given[1]: a string is due"},
		{patient(`,"name":[{"given":["A",null]}]`), "Patient.name[0].given[1]: …null"},
		{patient(`,"name":[{"given":["A"],"_given":[null,{"id":"b"}]}]`), "Patient.name[0].given: there are more extensions than values"},
		{patient(`,"name":[{"_given":[{"id":"b"}],"given":["A","B"]}]`), "Patient.name[0].given: there are fewer extensions than values"},
		{patient(`,"name":[{"given":[null],"_given":[null]}]`), "Patient.name[0].given[0]: there is neither"},
		{patient(`,"_name":[{}]`), "Patient._name: …no such element"},
		{patient(`,"id":"a","_id":{"id":"b"}`), "Patient._id: …no such element"},
		{patient(`,"_birthDate":{"id":"b"}`), "Patient.birthDate: there is neither"},
		{patient(`,"_birthDate":{"extension":[{"url":"x","valueDate":"1"}]}`), "Patient.birthDate.extension[0].valueDate: a date is due"},
		{patient(`,"birthDate":null`), "Patient.birthDate: a date is due"},
		{patient(`,"birthDate":"2023-02-29"`), "Patient.birthDate: …calendar"},
		{patient(`,"active":"true"`), "Patient.active: true or false"},
		{patient(`,"gender":"m"`), "Patient.gender: …administrative-gender…male"},
		{patient(`,"multipleBirthInteger":1,"multipleBirthBoolean":true`), "Patient.multipleBirthBoolean: …multipleBirth[x]…multipleBirthInteger"},
		{patient(`,"link":[{"type":"refer"}]`), "Patient.link[0].other: the element must be there"},
		{patient(`,"link":[{"other":{"reference":"Practitioner/1"},"type":"refer"}]`), "Patient.link[0].other.reference: …Practitioner…Patient, RelatedPerson"},
		{patient(`,"contained":[{"resourceType":"Nope","id":"a"}]`), "Patient.contained[0].resourceType: "},
		{patient(`,"contained":[{"resourceType":"Patient"}]`), "Patient.contained[0].id: "},
		{patient(`,"contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"b"}]}]`), "Patient.contained[0].contained: "},
		{patient(`,"extension":[{"valueString":"x"}]`), "Patient.extension[0].url: the element must be there"},
		{patient(`,"extension":[{"url":"x"}]`), "Patient.extension[0].value[x]: "},
		{patient(`,"extension":[{"url":"x","valueString":"y","extension":[{"url":"a","valueCode":"b"}]}]`), "Patient.extension[0].valueString: "},
		{patient(`,"extension":[{"url":"x","valueHumanName":{"famly":"y"}}]`), "Patient.extension[0].valueHumanName.famly: …did you mean family?"},
		{patient(`,"maritalStatus":{"coding":[{"userSelected":1}],"id":"a b"}`), "Patient.maritalStatus.coding[0].userSelected: |Patient.maritalStatus.id: "},
		{patient(`,"managingOrganization":{}`), "Patient.managingOrganization: …empty"},
		{patient(`,"managingOrganization":{"type":"Organization"}`), "Patient.managingOrganization: the reference has neither"},
		{patient(`,"managingOrganization":{"reference":"Organization"}`), "Patient.managingOrganization.reference: a reference is Type/id"},
		{patient(`,"managingOrganization":{"reference":"Organisation/1"}`), "Patient.managingOrganization.reference: …did you mean Organization?"},
		{patient(`,"managingOrganization":{"reference":"http://x.org/Patient/1"}`), "Patient.managingOrganization.reference: the element may not refer to a Patient"},
		{patient(`,"managingOrganization":{"reference":"#o"}`), "Patient.managingOrganization.reference: no contained resource"},
		{patient(`,"managingOrganization":{"display":"x","type":"Patient"}`), "Patient.managingOrganization.type: the element may not refer to a Patient"},
		{patient(`,"managingOrganization":{"reference":"Organization/1","type":"Patient"}`), "Patient.managingOrganization.type: the reference is to a Organization"},
		{patient(`,"text":{"status":"generated","div":"<p>x</p>"}`), "Patient.text.div: "},
		{patient(`,"language":"zh_CN"`), "Patient.language: …all-languages"},
		{`{"resourceType":"Observation"}`, "Observation.status: the element must be there|Observation.code: the element must be there"},
		{observation(`,"subject":[{"reference":"Patient/1"}]`), "Observation.subject: …may not repeat"},
		{observation(`,"valueString":"x","valueInteger":1`), "Observation.valueInteger: …value[x]"},
		{observation(`,"valueString":"x","_valueInteger":{"extension":[{"url":"x","valueCode":"y"}]}`), "Observation.valueInteger: …value[x]"},
		{observation(`,"valueQuantity":{"value":"5"}`), "Observation.valueQuantity.value: a JSON number"},
		{observation(`,"component":[{"valueInteger":1.0}]`), "Observation.component[0].valueInteger: a whole number|Observation.component[0].code: the element must be there"},
		{observation(`,"contained":[{"resourceType":"Device","id":"p"}],"performer":[{"reference":"#p"}]`), "Observation.performer[0].reference: the element may not refer to a Device"},
		{`{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"display":"x"}}`, "MedicationRequest.medication[x]: the element must be there"},
		{`{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"text":"active"}}`, "Condition.clinicalStatus: no coding…condition-clinical"},
		{`{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"coding":[{"code":"active"}]}}`, "Condition.clinicalStatus: no coding…system http://terminology.hl7.org/CodeSystem/condition-clinical"},
		{`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":1}},{"resource":{}}]}`, "Bundle.entry[0].resource.gender: a code is due|Bundle.entry[1].resource.resourceType: "},
		{`{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient","x":1}}]}`, "Parameters.parameter[0].resource.x: "},
		{`{"resourceType":"Invoice","status":"draft","totalNet":{"value":1,"currency":"eur"}}`, "Invoice.totalNet.currency: …currencies"},
	} {
		got, want := faultsOf(t, c.body), strings.Split(c.faults, "|")
		if len(got) != len(want) {
			t.Errorf("%s:\n%s", c.body, strings.Join(got, "\n"))
			continue
		}
		for i, w := range want {
			parts := strings.Split(w, "…")
			for _, part := range parts[1:] {
				if !strings.Contains(got[i], part) {
					t.Errorf("%s: %s does not say %s", c.body, got[i], part)
				}
			}
			if !strings.HasPrefix(strings.TrimPrefix(got[i], ": "), strings.TrimPrefix(parts[0], ": ")) {
				t.Errorf("%s: %s, want %s", c.body, got[i], w)
			}
		}
	}
}

func TestPrimitivesFollowTheirGrammar(t *testing.T) {
	for _, c := range []struct {
		element string // of an extension
		right   string
		wrong   string
	}{
		{"valueBoolean", `true false`, `1 "true" null`},
		{"valueInteger", `0 -1 2147483647 -2147483648`, `2147483648 1.0 1e2 "1" -0`},
		{"valueUnsignedInt", `0 7`, `-1 "0"`},
		{"valuePositiveInt", `1 2147483647`, `0 -1 2147483648`},
		{"valueDecimal", `0 1.50 -0.0 1e-3 123456789012345678.90`, `"1" true`},
		{"valueString", `"a" "\u0009" "张"`, `"" "\u0000" "\b" "a\u001fb" 1 {}`},
		{"valueMarkdown", `"#\n\n-"`, `"" "\f"`},
		{"valueCode", `"a" "a\u0020b"`, `"" "\u0020a" "a\u0020" "a\u0020\u0020b" 1`},
		{"valueId", `"a" "A-1.b"`, `"" "a_b" "a/b" "ä" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`},
		{"valueUri", `"x" "urn:x:y" "http://x.org/a?b#c" "urn:oid:1.2.3" "http:\/\/x.org" "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"`, `"" "a\u0020b" "urn:oid:a" "urn:oid:1" "urn:oid:1.02" "urn:uuid:1" "\u000a"`},
		{"valueCanonical", `"http://x.org/a|1" "urn:oid:1.2|3"`, `"a\u0020b" "urn:oid:1.2|\u0020"`},
		{"valueOid", `"urn:oid:2.16.840"`, `"2.16.840" "urn:oid:3.1" "urn:oid:1..2" "urn:oid:1.2."`},
		{"valueUuid", `"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"`, `"c757873d-ec9a-4326-a141-556f43239520" "urn:uuid:C757873d-ec9a-4326-a141-556f43239520" "urn:uuid:c757873dec9a4326a141556f43239520"`},
		{"valueDate", `"2024" "2024-02" "2024-02-29" "0001-01-01"`, `"2023-02-29" "1900-02-29" "2024-13" "2024-00" "2024-1" "24" "2024-01-32" "2024-04-31" "0000" "2024-01-01T00:00:00Z" "2024-" "20240101" "2024/01"`},
		{"valueDateTime", `"2024" "2024-02" "2024-02-29" "2024-02-29T23:59:60Z" "2024-02-29T00:00:00.123456789+14:00" "2024-02-29T00:00:00-13:59"`, `"2024-02-29T24:00:00Z" "2024-02-29T00:00Z" "2024-02-29T00:00:00" "2024-02-29T00:00:00.Z" "2024-02-29T00:00:00+15:00" "2024-02-29T00:00:00+14:01" "2024-02-30T00:00:00Z" "2024-02T00:00:00Z" "2024-02-29T" "2024-02-29T00:60:00Z" "2024-02-29T00:00:61Z" "2024-02-29t00:00:00Z" "2024-02-29T00:00:00z" "2024-02-29T00:00:00+0800"`},
		{"valueInstant", `"2024-02-29T00:00:00Z" "2024-02-29T00:00:00.1+08:00"`, `"2024" "2024-02-29" "2024-02-29T00:00:00"`},
		{"valueTime", `"00:00:00" "23:59:59.999"`, `"24:00:00" "00:00" "00:00:00Z" "1:00:00" "00:00:00."`},
		{"valueBase64Binary", `"QUJD" "QUI=" "QQ==" "QU\/D" "QUJD\r\nQUJD"`, `"" "Q" "QUJ" "Q===" "QQ=A" "QUJD=" "QU-D" "===="`},
	} {
		for outcome, values := range map[bool]string{true: c.right, false: c.wrong} {
			for _, v := range strings.Fields(values) {
				got := faultsOf(t, patient(fmt.Sprintf(`,"extension":[{"url":"x","%s":%s}]`, c.element, v)))
				if outcome != (got == nil) {
					t.Errorf("%s %s: %s", c.element, v, got)
				}
				if !outcome && (len(got) != 1 || !strings.HasPrefix(got[0], "Patient.extension[0]."+c.element+": ")) {
					t.Errorf("%s %s: %s", c.element, v, got)
				}
			}
		}
	}
}

func TestAStringHasAtMostAMillionCharacters(t *testing.T) {
	for _, c := range []struct {
		unit  string
		count int
		right bool
	}{{"a", 1 << 20, true}, {"a", 1<<20 + 1, false}, {"张", 1 << 20, true}, {"张", 1<<20 + 1, false}} {
		got := faultsOf(t, patient(`,"name":[{"text":"`+strings.Repeat(c.unit, c.count)+`"}]`))
		if c.right != (got == nil) {
			t.Errorf("%d of %s: %.100s", c.count, c.unit, got)
		}
	}
}

func TestNarrativesHoldNothingThatRuns(t *testing.T) {
	const open = `<div xmlns="http://www.w3.org/1999/xhtml">`
	for _, right := range []string{
		open + `</div>`, open + `a &amp; b&#x5f20;</div>`, `<div xmlns='http://www.w3.org/1999/xhtml' lang="zh"/>`, "\n" + open + "</div>\n",
		open + `<a href="http://x.org/javascript:">x</a><table border="1"><tr><td colspan="2" style="color:red; background: url(a.png)">x</td></tr></table></div>`,
		open + `<img src="data:image/png;base64,AAAA" alt="x"/></div>`, open + `<a href="a" ><br /></a ></div>`,
	} {
		if got := faultsOf(t, narrated(right)); got != nil {
			t.Errorf("%s: %s", right, got)
		}
	}
	for _, wrong := range []string{
		`x`, `<div>x</div>`, `<div xmlns="http://x.org">x</div>`, `<p xmlns="http://www.w3.org/1999/xhtml">x</p>`, open, open + `<p></div>`, open + `</p></div>`,
		open + `</div>x`, open + `</div><div/>`, open + `<script>x</script></div>`, open + `<p onclick="x">x</p></div>`, open + `<P>x</P></div>`,
		open + `<a href="javascript:x">x</a></div>`, open + `<a href=" jav&#x61;script:x">x</a></div>`, open + "<a href='java\tscript:x'>x</a></div>",
		open + `<img src="data:text/html,x"/></div>`, open + `<img src="data:image/svg+xml,x"/></div>`, open + `<iframe src="x"/></div>`, open + `<form/></div>`,
		open + `<p style="width: expression(x)">x</p></div>`, open + `<p style="background:url(java\script:x)">x</p></div>`,
		open + `&nbsp;</div>`, open + `&x</div>`, open + `&#0;</div>`, open + `&#xD800;</div>`, open + `&#;</div>`, open + `& </div>`,
		`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + open + `&e;</div>`, open + `<!DOCTYPE x></div>`, open + `<![CDATA[x]]></div>`, open + `<?x?></div>`,
		open + `<p class=a>x</p></div>`, open + `<p class>x</p></div>`, open + `<p class="a" class="b">x</p></div>`, open + `<p class="a"lang="b">x</p></div>`,
		open + `<p title="<">x</p></div>`, open + `<!-- -- --></div>`, open + `<!-- </div>`, open + `<`, open + `<p`, open + `<p a`, open + `<p class="`, open + `&`, open + `</`,
		open + strings.Repeat("<b>", 64) + strings.Repeat("</b>", 64) + "</div>", open + "\x01</div>",
	} {
		if got := faultsOf(t, narrated(wrong)); len(got) != 1 || !strings.HasPrefix(got[0], "Patient.text.div: ") {
			t.Errorf("%s: %s", wrong, got)
		}
	}
}

// narrated is a patient with a narrative.
func narrated(div string) string {
	return patient(`,"text":{"status":"generated","div":` + quote(div) + `}`)
}

func TestAHundredFaultsAreShownAndTheRestCounted(t *testing.T) {
	got := faultsOf(t, patient(`,"name":[`+strings.Repeat(`{"given":[""]},`, 149)+`{"given":[""]}]`))
	if len(got) != maxFaults+1 || got[99] != got[0][:len("Patient.name[")]+"99"+got[0][len("Patient.name[0"):] || !strings.Contains(got[100], "50 more") {
		t.Errorf("%d faults, the last two %s", len(got), got[len(got)-2:])
	}
}

func TestManyFaultsCostNoMoreThanTheyAreShown(t *testing.T) {
	var members strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&members, `,"%s%d":"x"`, strings.Repeat("n", 60), i)
	}
	// A resource of many members, and many fragments that look for what it contains.
	references := strings.Repeat(`{"reference":"#a"},`, 100_000) + `{"reference":"#a"}`
	if got := faultsOf(t, patient(members.String()+`,"generalPractitioner":[`+references+`]`)); len(got) != maxFaults+1 || !strings.Contains(got[maxFaults], "299901 more") {
		t.Errorf("%d faults, %s", len(got), got[len(got)-1])
	}
}

func TestNoFaultRepeatsAValue(t *testing.T) {
	for _, f := range faultsOf(t, `{"resourceType":"Patient","birthDate":"secret","gender":"secret","active":"secret","id":"secret!","name":[{"use":"secret"}],"photo":[{"data":"secret!","contentType":"sec ret"}],"generalPractitioner":[{"reference":"secret"},{"reference":"Secret/1"},{"type":"Secret","display":"x"}]}`) {
		if strings.Contains(f, "ecret") {
			t.Error(f)
		}
	}
}

func TestShapesFitTheirBits(t *testing.T) {
	for name, s := range shapes() {
		for i := range s.slots {
			l := &s.slots[i]
			if l.bit >= maxElements && l.form != formType || l.form == formObject && l.shape == nil || s.find(l.name) != l {
				t.Errorf("%s.%s: %+v", name, l.name, l)
			}
			if l.name == "id" && l.bit != bitID {
				t.Errorf("%s.id is not the first element", name)
			}
			for _, target := range l.targets {
				if !IsResourceType(target) {
					t.Errorf("%s.%s refers to %s", name, l.name, target)
				}
			}
			if l.shape != nil && l.shape.name == "CodeableConcept" && l.codes != nil && len(l.codes.values) > 0 && l.codes.system == "" {
				t.Errorf("%s.%s is bound to codes of several systems, which may share codes", name, l.name)
			}
		}
	}
}
