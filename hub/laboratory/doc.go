// Package laboratory says what laboratories' results mean beside what they were sent as: standard codes and units next to
// the local ones, values that need somebody at once, values that cannot follow from the patient's former ones. Nothing that
// was sent is changed or left out by it.
//
// Its words: an Analyte is what is measured, whatever it is called; a Code is one standard code of it, for a specimen and a
// kind of unit; a Result is what an Observation says of one; Rules are the data that all this rests on; Maps are what
// members have said of their own codes, by ConceptMap; a Sighting is a local code that nobody has said the meaning of; an
// Alarm is a critical value (危急值) on its way from notified to closed.
//
// Two things work with the rules. A Refiner completes what a mapping has made of a message before it is committed: it is
// pure but for its rules and maps. A Watch follows the log of records, whoever wrote them, and derives from results what
// others have to know: alarms, delta checks (DetectedIssue), sightings. What it derives has deterministic ids, so that
// following again changes nothing and ten hubs may follow side by side.
package laboratory
