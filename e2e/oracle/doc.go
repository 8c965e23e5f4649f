// Package oracle answers R4 searches slowly and obviously, in memory, so that the hub's answers have something to be
// compared with. It is written from the specification alone (search.html, search_filter.html, and the expressions of
// the SearchParameter definitions, which it reads from the definitions' own folder) and shares no code with the hub.
//
// Its words:
//
//   - Definitions are the specification's files: elements, search parameters, compartments, value sets.
//   - A Node is a JSON value together with its FHIR type.
//   - A Store is the resources that are searched, in the order of their creation.
//   - A Query is what a request asks for; an Answer what must come back.
//   - Facts are the values of one search parameter in one resource, read once.
//
// Where the specification leaves a choice to the server, the oracle takes the hub's documented one:
//
//   - Dates without a zone are in UTC+8; an instant is a point, every other date the interval of its precision.
//   - The range above a date is what lies beyond the interval it stands for, so that gt2013-01-14 begins on the 15th.
//   - ap on a date widens the interval by a tenth of the distance between now and its middle.
//   - The focus of a compartment is a member of it; :above and :below of URLs go by whole segments of their paths.
//   - le and ge hold of an interval that only begins or ends at the number asked for as little as lt and gt do.
//   - A canonical reference that is Type/id leads to that resource.
//   - The first resource of a Bundle is a value of composition and message, of whatever type it and the Bundle are: that is
//     their expression.
//   - Tokens are sorted by code, then by system; references by their text, contained resources being none.
//   - Hits with equal keys, and those of a search without _sort, come in the order of their creation; those without a
//     value come last.
package oracle
