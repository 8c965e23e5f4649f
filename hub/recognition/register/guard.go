package register

import (
	"bytes"
	"strings"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/fhir"
)

// Admit refuses what would get round dual control, whoever sends it and by whatever way: a record of the register's that is not
// written by the hub, be it by its name or because it says it is one. body is nil where it is not known yet, or a deletion.
func Admit(member string, name hub.Name, body []byte) error {
	if member == access.Hub {
		return nil
	}
	switch name.Type {
	case "ObservationDefinition", "ActivityDefinition":
		if strings.HasPrefix(name.ID, itemPrefix) || identified(body) {
			return refused(name.Type, "recognised items change by a proposal that another person releases")
		}
	case "Basic":
		if strings.HasPrefix(name.ID, qualificationPrefix) || qualifies(body) {
			return refused(name.Type, "qualifications change by a proposal that another person releases")
		}
	case "Provenance":
		if strings.HasPrefix(name.ID, releasePrefix) {
			return refused(name.Type, "the provenance of a release is written with it")
		}
	}
	return nil
}

func refused(path, msg string) error {
	return &hub.Error{Kind: hub.Forbidden, Path: path, Msg: msg, Hint: "POST the resource, with a reason, to /recognition/proposals"}
}

// identified: the resource says that it is an item of the register's.
func identified(body []byte) bool {
	return mentions(body, func(root fhir.Value) bool {
		for id := range root.Get("identifier").Items() {
			if id.Get("system").Text() == ItemSystem {
				return true
			}
		}
		return false
	})
}

func qualifies(body []byte) bool {
	return mentions(body, func(root fhir.Value) bool {
		for c := range root.Get("code").Get("coding").Items() {
			if c.Get("system").Text() == System && c.Get("code").Text() == QualificationCode {
				return true
			}
		}
		return false
	})
}

// mentions reads only what can be meant; escapes could hide the word, so they are read, too.
func mentions(body []byte, test func(fhir.Value) bool) bool {
	if len(body) == 0 || !bytes.Contains(body, []byte(System)) && !bytes.Contains(body, []byte(`\`)) {
		return false
	}
	doc, err := fhir.Parse(body, fhir.Limits{})
	return err == nil && test(doc.Root())
}
