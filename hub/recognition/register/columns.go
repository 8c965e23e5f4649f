package register

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"concord/internal/fhir"
)

// System is the code system of what the register keeps; with a colon and a name behind, it is the URL of an extension.
const System = "urn:concord:recognition"

// Systems of codes that have a column of their own.
const (
	loincSystem = "http://loinc.org"
	uriSystem   = "urn:ietf:rfc:3986"
	ucumSystem  = "http://unitsofmeasure.org"
)

// form says how a column lies in a resource.
type form uint8

const (
	elsewhere form = iota // in an element of the resource itself
	text                  // valueString, repeated for a list
	code                  // valueCode, repeated for a list
	flag                  // valueBoolean
	decimal               // valueDecimal
	window                // valueDuration, or one for each class of encounter
	money                 // valueMoney
	parts                 // an extension for each part
)

// column is one column of a row.
type column struct {
	name             string
	chinese, english string
	form             form
}

// columns are those that have a place of their own in a resource, with what people call them. Any other lies in an extension
// as JSON, under its name, so that none is lost.
var columns = [...]column{
	{"id", "编码", "id", elsewhere},
	{"kind", "类别", "kind", code},
	{"zh", "中文名称", "Chinese name", elsewhere},
	{"en", "英文名称", "English name", elsewhere},
	{"loinc", "LOINC 代码", "LOINC codes", elsewhere},
	{"sop", "SOP 类", "SOP classes", elsewhere},
	{"insurance", "医保代码", "insurance codes", code},
	{"mutual", "互认代码", "codes of mutual recognition", code},
	{"codes", "其他代码", "other codes", elsewhere},
	{"modalities", "设备类型", "modalities", code},
	{"regions", "部位", "regions", code},
	{"contrast", "增强", "contrast", code},
	{"paired", "分左右", "left and right", flag},
	{"side", "侧别", "side", code},
	{"specimens", "标本", "specimens", code},
	{"unit", "单位", "unit", code},
	{"exact", "单位不得换算", "no conversion of units", flag},
	{"per_mmol", "每毫摩尔毫克数", "milligrams per millimole", decimal},
	{"window", "有效期", "window", window},
	{"rapid", "变化快", "changes fast", flag},
	{"delta", "差值限", "delta limit", parts},
	{"price", "价格", "price", money},
	{"prices", "分地区价格", "prices by region", parts},
	{"scope", "互认范围", "scope", text},
	{"aliases", "别名", "aliases", text},
	{"source", "依据", "provenance", code},
	{"note", "备注", "note", text},
}

// called is what people call a column.
func called(name string) (chinese, english string) {
	for _, c := range columns {
		if c.name == name {
			return c.chinese, c.english
		}
	}
	return name, name
}

type object = map[string]any

// extensions are the columns of a row that have no element.
func (r Row) extensions() []any {
	var all []any
	for _, name := range columnsOf(r) {
		all = append(all, extensionsOf(name, r[name])...)
	}
	return all
}

func extensionsOf(name string, v any) []any {
	form, url := form(text), System+":"+name
	found := false
	for _, c := range columns {
		if c.name == name {
			form, found = c.form, true
		}
	}
	if form == elsewhere && found {
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var all []any
	for _, one := range list {
		value, ok := valueOf(form, one)
		if !found || !ok || isList && form != text && form != code && form != parts {
			return []any{otherwise(name, v)}
		}
		value["url"] = url
		all = append(all, value)
	}
	return all
}

// otherwise keeps a column that has no place, or a value that does not fit its place, as JSON.
func otherwise(name string, v any) any {
	body, _ := encode(v)
	return object{"url": System + ":column", "extension": []any{
		object{"url": "name", "valueCode": name}, object{"url": "json", "valueString": string(body)},
	}}
}

func valueOf(f form, v any) (object, bool) {
	switch f {
	case text:
		s, ok := v.(string)
		return object{"valueString": s}, ok && s != ""
	case code:
		s, ok := v.(string)
		return object{"valueCode": s}, ok && codeForm.MatchString(s)
	case flag:
		b, ok := v.(bool)
		return object{"valueBoolean": b}, ok
	case decimal:
		n, ok := v.(json.Number)
		return object{"valueDecimal": n}, ok
	case money:
		s, ok := v.(string)
		return object{"valueMoney": object{"value": json.Number(s), "currency": "CNY"}}, ok && amountForm.MatchString(s)
	case parts:
		return partsValue(v)
	case window:
		return windowValue(v)
	}
	return nil, false
}

var (
	codeForm   = regexp.MustCompile(`^[^\s]+( [^\s]+)*$`)
	amountForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})(\.[0-9]{1,4})?$`)
	windowForm = regexp.MustCompile(`^([0-9]{1,5})([dh]?)$`)
)

// windowValue is one duration, or an extension for each class of encounter beside "default".
func windowValue(v any) (object, bool) {
	switch v := v.(type) {
	case string:
		m := windowForm.FindStringSubmatch(v)
		if m == nil || m[2] == "" && m[1] != "0" {
			return nil, false
		}
		unit := m[2]
		if unit == "" {
			unit = "d"
		}
		return object{"valueDuration": object{"value": json.Number(m[1]), "unit": unit, "system": ucumSystem, "code": unit}}, true
	case json.Number:
		return windowValue(v.String())
	case map[string]any:
		var parts []any
		for _, class := range sorted(v) {
			one, ok := windowValue(v[class])
			if _, nested := v[class].(map[string]any); !ok || nested {
				return nil, false
			}
			one["url"] = class
			parts = append(parts, one)
		}
		return object{"extension": parts}, len(parts) > 0
	}
	return nil, false
}

// partsValue is an extension for each member, which is a text or a number.
func partsValue(v any) (object, bool) {
	m, ok := v.(map[string]any)
	var list []any
	for _, name := range sorted(m) {
		switch one := m[name].(type) {
		case string:
			list = append(list, object{"url": name, "valueString": one})
		case json.Number:
			list = append(list, object{"url": name, "valueDecimal": one})
		default:
			return nil, false
		}
	}
	return object{"extension": list}, ok && len(list) > 0
}

// readExtension puts an extension of the register into a row.
func (r Row) readExtension(e fhir.Value) error {
	name, ours := strings.CutPrefix(e.Get("url").Text(), System+":")
	if !ours {
		return nil
	}
	if name == "column" {
		return r.readOtherwise(e)
	}
	for i := range columns {
		c := &columns[i]
		if c.name != name || c.form == elsewhere {
			continue
		}
		v, err := readValue(c.form, e)
		if err != nil {
			return fmt.Errorf("extension %s: %w", e.Get("url").Text(), err)
		}
		switch old := r[name].(type) {
		case nil:
			r[name] = v
			if c.repeats() {
				r[name] = []any{v}
			}
		case []any:
			r[name] = append(old, v)
		case string:
			if c.form != text && c.form != code {
				return fmt.Errorf("extension %s is there twice", e.Get("url").Text())
			}
			r[name] = []any{old, v}
		default:
			return fmt.Errorf("extension %s is there twice", e.Get("url").Text())
		}
		return nil
	}
	return nil // such as who released it
}

// repeats tells the columns that have several values.
func (c *column) repeats() bool {
	switch c.name {
	case "modalities", "regions", "aliases", "specimens", "insurance", "mutual", "prices":
		return true
	}
	return false
}

func (r Row) readOtherwise(e fhir.Value) error {
	var name, body string
	for part := range e.Get("extension").Items() {
		switch part.Get("url").Text() {
		case "name":
			name = part.Get("valueCode").Text()
		case "json":
			body = part.Get("valueString").Text()
		}
	}
	v, err := decode(body)
	if err != nil || name == "" || r[name] != nil {
		return fmt.Errorf("extension %s:column needs a name that is not there yet, and json", System)
	}
	r[name] = v
	return nil
}

func readValue(f form, e fhir.Value) (any, error) {
	switch f {
	case text:
		return e.Get("valueString").Text(), nil
	case code:
		return e.Get("valueCode").Text(), nil
	case flag:
		return e.Get("valueBoolean").Kind() == fhir.True, nil
	case decimal:
		return json.Number(e.Get("valueDecimal").Text()), nil
	case money:
		if c := e.Get("valueMoney").Get("currency").Text(); c != "CNY" {
			return nil, fmt.Errorf("prices are in CNY, not %.8q", c)
		}
		return e.Get("valueMoney").Get("value").Text(), nil
	case parts:
		return readParts(e)
	}
	if e.Get("valueDuration").Kind() == fhir.Object {
		return readDuration(e.Get("valueDuration"))
	}
	byClass := map[string]any{}
	for part := range e.Get("extension").Items() {
		one, err := readDuration(part.Get("valueDuration"))
		if err != nil {
			return nil, err
		}
		byClass[part.Get("url").Text()] = one
	}
	return byClass, nil
}

func readParts(e fhir.Value) (any, error) {
	m := map[string]any{}
	for part := range e.Get("extension").Items() {
		name := part.Get("url").Text()
		if s := part.Get("valueString"); s.Kind() == fhir.String {
			m[name] = s.Text()
		} else {
			m[name] = json.Number(part.Get("valueDecimal").Text())
		}
	}
	return m, nil
}

func readDuration(d fhir.Value) (any, error) {
	value, unit := d.Get("value").Text(), d.Get("code").Text()
	switch {
	case d.Get("system").Text() != ucumSystem || unit != "d" && unit != "h":
		return nil, fmt.Errorf("a window is in whole days (d) or hours (h) of UCUM")
	case value == "0":
		return "0", nil
	}
	return value + unit, nil
}
