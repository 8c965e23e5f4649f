// Package register keeps what a consortium has agreed on about recognition: the rows of its catalogue with their prices, and
// who was qualified for what and when. It is read on every hub from memory and is the same on all of them within a second.
//
// The words:
//
//   - A Row is one recognised item as people edit it; the starter's rows are in force until a release says otherwise.
//   - A Qualification is one result of an external quality assessment (室间质评): institution, item, scope, period, mark.
//   - A Change replaces or ends one Row or Qualification.
//   - A Proposal is a set of Changes that one person asks for, with a reason. It never changes.
//   - A Ruling is what another person made of a Proposal: released, rejected, or withdrawn by its author. There is one at most.
//   - A Release is a Proposal with such a Ruling; releases are numbered without gaps.
//
// What is in force at a moment is a pure function of the starter and the releases (State). The catalogue's version is the
// starter's followed by the number of the last release: "starter-2026.1+3"; where an earlier one is not in force yet, it says
// so: "starter-2026.1+3.without.2".
//
// Proposals and rulings are records; the FHIR resources of rows and qualifications follow from them with deterministic ids
// (ObservationDefinition, ActivityDefinition, Basic, Provenance) and can be written by nobody else.
package register
