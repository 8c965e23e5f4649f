package fhir

// Restricted is the hub.Trait of resources that a label keeps for whoever wrote them.
const Restricted = "restricted"

// confidentiality is the system of R4's confidentiality labels (valueset-security-labels.html).
const confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

// IsRestricted tells whether a resource has the label R (restricted) or V (very restricted).
func IsRestricted(root Value) bool {
	for label := range root.Get("meta").Get("security").Items() {
		if code := label.Get("code").Text(); (code == "R" || code == "V") && label.Get("system").Text() == confidentiality {
			return true
		}
	}
	return false
}
