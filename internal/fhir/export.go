package fhir

import "strings"

// NearestType is a hint with the resource type nearest to name, empty when none is near.
func NearestType(name string) string { return didYouMean(name, definitions().names) }

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`)

// Escape makes a value literal inside a search parameter (R4 search.html#escaping).
func Escape(value string) string { return escaper.Replace(value) }
