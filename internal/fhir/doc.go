// Package fhir knows FHIR R4 (4.0.1) JSON and search, but neither HTTP nor storage.
//
// The words it adds to the hub's:
//
//   - A Doc is one parsed JSON text: a tape of nodes that point into the bytes as sent.
//   - A Value is a place in a Doc.
//   - A Param is a search parameter of one resource type, with its expression compiled.
//   - A Projection turns records into entries: for each Param its terms.
//   - A Search is a compiled search request: a hub.Query and what else the client asked for.
//
// Its tables (resource types, elements, search parameters, patient compartment) are generated from the
// specification's own definitions.
package fhir

//go:generate go run ./gen -from ../../.cache/fhir/package -to .
