// Package fhir knows FHIR R4 (4.0.1) JSON and search, but neither HTTP nor storage.
//
// The words it adds to the hub's:
//
//   - A Doc is one parsed JSON text: a tape of nodes that point into the bytes as sent.
//   - A Value is a place in a Doc.
//   - A shape is a complex type as Check walks it: slots for its members.
//   - A Param is a search parameter of one resource type, with its expression compiled.
//   - A Projection turns records into entries: for each Param its terms.
//   - A Search is a compiled search request: a hub.Query and what else the client asked for.
//   - A scope is a query under way while a Search is compiled: its own, or one inside of a chain.
//   - A combination is one place where the components of a composite parameter are found together.
//
// Its tables (resource types, elements, value sets that bind them, search parameters, patient compartment) are generated from the
// specification's own definitions.
package fhir

//go:generate go run ./gen -from ../../.cache/fhir/package -to .
