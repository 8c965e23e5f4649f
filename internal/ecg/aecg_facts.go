package ecg

import (
	"path"
	"strings"
)

// facts reads what the document says around its waveforms.
func (d *aecg) facts(root *element) {
	r := d.rec
	if at := strings.Fields(root.get("schemaLocation")); len(at) > 0 {
		r.Version = strings.TrimSuffix(path.Base(at[len(at)-1]), ".xsd")
	}
	if r.ID = identifier(root.kid("id")); r.ID == "" {
		r.remark("the document has no id")
	}
	d.subject(root.find("trialSubject"))
	d.device(d.groups[0].series)
	r.Institution = name(root.kid("location", "testingSite", "location", "name"))
	if r.Institution == "" {
		r.Institution = name(root.find("trialSite").kid("location", "name"))
	}
	r.Reason = clean(root.kid("reasonCode").get("displayName"))
	root.each("pertainsTo", func(e *element) {
		if text := clean(e.find("text").textOf()); text != "" {
			r.Comments = append(r.Comments, text)
		}
	})
	root.each("controlVariable", d.observation)
}

func identifier(e *element) string {
	id, extension := e.get("root"), e.get("extension")
	switch {
	case extension == "":
		return id
	case id == "":
		return extension
	}
	return id + "^" + extension
}

func (d *aecg) subject(e *element) {
	p := &d.rec.Patient
	id := e.kid("id")
	if p.ID, p.Authority = clean(id.get("extension")), id.get("root"); p.ID == "" {
		p.ID, p.Authority = p.Authority, ""
	}
	person := e.kid("subjectDemographicPerson")
	if n := person.kid("name"); n != nil {
		p.Name = name(n)
		p.Family, p.Given = clean(n.kid("family").textOf()), clean(n.kid("given").textOf())
	}
	p.Sex = map[string]Sex{"M": Male, "F": Female, "UN": OtherSex}[person.kid("administrativeGenderCode").get("code")]
	if race := person.kid("raceCode"); race != nil {
		if p.Race = clean(race.get("displayName")); p.Race == "" {
			p.Race = race.get("code")
		}
	}
	p.BirthDate = d.birthDate(person.kid("birthTime").get("value"))
}

// birthDate reads a TS of four, six, eight or more digits.
func (d *aecg) birthDate(v string) string {
	digits := len(v)
	switch {
	case v == "":
		return ""
	case digits < 8:
		v += "0101"[min(4, max(0, digits-4)):]
	}
	t, ok := parseTime(v)
	switch {
	case !ok || digits < 4 || digits == 5 || digits == 7:
		d.rec.remark("the birth date is malformed and not read")
		return ""
	case digits == 4:
		return t.Time.Format("2006")
	case digits == 6:
		return t.Time.Format("2006-01")
	}
	return t.Time.Format("2006-01-02")
}

// name joins the parts of a name, or takes its text.
func name(e *element) string {
	if e == nil {
		return ""
	}
	var parts [4]string // prefix, given, family, suffix
	for _, k := range e.kids {
		for i, part := range []string{"prefix", "given", "family", "suffix"} {
			if k.name == part {
				parts[i] = scpName(parts[i], clean(k.text))
			}
		}
	}
	if whole := scpName(parts[:]...); whole != "" {
		return whole
	}
	return clean(e.text)
}

// device reads the author of a series and who pressed the button.
func (d *aecg) device(of *element) {
	author := of.kid("author", "seriesAuthor")
	made := author.kid("manufacturedSeriesDevice")
	dev := &d.rec.Device
	dev.Model = known(clean(made.kid("manufacturerModelName").textOf()))
	dev.Software = known(clean(made.kid("softwareName").textOf()))
	dev.Manufacturer = known(name(author.kid("manufacturerOrganization", "name")))
	if serial := clean(made.kid("id").get("extension")); serial != "0" {
		dev.Serial = known(serial)
	}
	d.rec.Operator = name(of.kid("secondaryPerformer", "seriesPerformer", "assignedPerson", "name"))
}

// observation reads age, height and weight by their LOINC codes.
func (d *aecg) observation(e *element) {
	o := e.kid("relatedObservation")
	v, ok := parseNumber(o.kid("value").get("value"))
	if !ok {
		return
	}
	q := &Quantity{v, o.kid("value").get("unit")}
	p := &d.rec.Patient
	switch o.kid("code").get("code") {
	case "21612-7", "30525-0", "29553-5":
		if q.Unit == "" {
			q.Unit = "a"
		}
		p.Age = q
	case "8302-2", "3137-7":
		p.Height = q
	case "29463-7", "3141-9":
		p.Weight = q
	}
}

// reader notes the person who annotated.
func (d *aecg) reader(set *element) {
	if n := name(set.kid("author", "assignedEntity", "assignedAuthorType", "assignedPerson", "name")); n != "" && d.rec.Reading == "" {
		d.rec.Reading = n
	}
	if dev := set.kid("author", "assignedEntity", "assignedAuthorType", "assignedDevice"); dev != nil && d.rec.Device.Analysis == "" {
		d.rec.Device.Analysis = scpName(clean(dev.kid("manufacturerModelName").textOf()), clean(dev.kid("softwareName").textOf()))
	}
}

// author is the status of what a set of annotations states: a device's is original, a person's overread.
func author(set *element) string {
	who := set.kid("author", "assignedEntity", "assignedAuthorType")
	switch {
	case who.kid("assignedPerson") != nil:
		return "overread"
	case who.kid("assignedDevice") != nil:
		return "original"
	}
	return ""
}
