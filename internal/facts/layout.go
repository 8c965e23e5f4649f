package facts

import (
	"slices"
	"strings"
)

// unread are the resources that are about the message and not about the patient: what they say is kept with the message.
// A Device is the software that sent, or what measured, which an observation names.
var unread = map[string]bool{"MessageHeader": true, "Provenance": true, "Linkage": true, "OperationOutcome": true, "Device": true}

// layout are elements that say nothing of their own, by the end of their topics.
var layout = []string{
	".id", ".resourceType", ".words.div", ".words.status", ".meta.lastUpdated", ".meta.versionId", ".meta.profile", ".meta.source",
	".meta.tag", ".reference", ".version", ".url", ".rank", ".item.type", ".service.type", ".target.type", ".authorizingPrescription.type",
	".basedOn.type", ".subject.type", ".patient.type",
	// the status as it was sent, beside the status; that somebody takes part, beside who and as what
	"Observation_Status",
	// how a converter draws a place: each level a resource of its own that repeats the others
	"Location.description", "Location.mode", "Location.physicalType", "Location.physicalType.words",
}

func isLayout(topic string) bool {
	for _, l := range layout {
		if strings.HasSuffix(topic, l) {
			return true
		}
	}
	return false
}

// Asked reports whether a fact is of the kinds that must be found: the patient and who is near, identifiers, codes, values,
// units, times and statuses of what was done. Places and organisations are beside them: one converter makes a resource
// of each level of a place and of each assigning authority, another a name.
func (f Fact) Asked() bool {
	kind, _, _ := strings.Cut(f.Topic, ".")
	return !f.Offered() && kind != "Location" && kind != "Organization"
}

// renamed are elements that say the same thing.
var renamed = map[string]string{
	"Patient.contact":                 "RelatedPerson", // who is near, told as a part of the patient or as a person
	"Specimen.accessionIdentifier":    "Specimen.identifier",
	"PractitionerRole.telecom":        "Practitioner.telecom", // how to reach somebody, told of the person or of the role
	"Document.masterIdentifier":       "Document.identifier",
	"Document.content":                "Document",
	"Document.presentedForm":          "Document.attachment",
	"Document.type":                   "Document.code",
	"Document.data":                   "Document.attachment.data",
	"Document.contentType":            "Document.attachment.contentType",
	"Condition.recordedDate":          "Condition.extension.value", // an extension says when it was asserted
	"ServiceRequest.requisition":      "ServiceRequest.identifier",
	"ServiceRequest.quantityQuantity": "ServiceRequest.quantity",
}

// Offered reports whether a fact only satisfies a question and asks none: words beside a code.
func (f Fact) Offered() bool { return slices.Contains(f.Any, optional) }
