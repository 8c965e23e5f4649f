// Package advice tells a doctor, at the moment of ordering, which earlier results may stand for what is being ordered. It
// gathers one snapshot of what the caller may read of the patient's person and asks the pure rules of hub/recognition.
//
// The words:
//
//   - An Order is a draft, as far as recognition reads it.
//   - A Question is what is about to be ordered for one patient; an Advice is the answer to it.
//   - An Answer is the Advice on one Order: its Decision, and the Result behind each of the Decision's Judgements.
//   - A Subject is whom an asker means by one of its own patients, and a Doubt what it says and the hub knows otherwise.
//
// All that is read goes through hub/lookup: what policy, label or directive keep from the caller is neither a Result nor
// counted nor a reason, and leaves an event of the audit trail alone. Nothing that was sent with a question is believed to
// be a result.
package advice
