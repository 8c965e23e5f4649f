// Package ledger keeps what became of advice: what was offered to whom, what the doctor chose, what was done all the same, and
// whether what was relied on still holds; and it counts all that.
//
// The words:
//
//   - An Offer is one order of one patient, with the Decision that was shown.
//   - An Opportunity is what one or more Offers come down to: the same member, Patient, item and encounter on the same civil day.
//     That a doctor types, looks again and signs makes no second one.
//   - A Choice is what the doctor made of it: recognised, not recognised with a coded reason, exempt.
//   - A Repeat is an order or a result of the same item that came within the window although an earlier result could have stood for it.
//   - A Withdrawal tells whoever relied on a result that it does not hold any more.
//   - A Filter says which opportunities are meant, a Measure what of them is counted, a Report holds the counts.
//
// All of it lies in records of FHIR with deterministic ids: a GuidanceResponse is the Opportunity with all that is known about it; a
// DetectedIssue (duplicate test) and a Basic recognition-decision say the same for who looks for these; a CommunicationRequest with a
// Flag is a Withdrawal. The hub alone writes them. Counts are folded from them in memory, the same on every hub.
package ledger
