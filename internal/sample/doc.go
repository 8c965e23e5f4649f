// Package sample makes realistic data for tests, benches and the demo: chest CT series as DICOM Part 10 files, and
// patients, laboratory results, orders and reports as FHIR R4 resources. Nobody in it lives, and no byte of it comes
// from a patient.
//
// Everything is a pure function of a seed and of what the caller passes, time included. Texts and identifiers are the same
// on every machine; pixels may differ in the last bit between processors that round differently.
package sample
