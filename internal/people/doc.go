// Package people invents a population and what the institutions of a consortium have written down about it, faults
// included, so that the matching of patients can be trained and measured where the truth is known. Nobody in it lives.
//
// The words:
//
//   - A person lives in a household, with a spouse, children and old parents who share a home and often a telephone.
//   - An Institution registers people in its own way: it scans identity cards or types, knows many numbers or few.
//   - A Record is one registration as a FHIR Patient, with the truth about whose it is beside it.
//
// All follows from a seed. Rates are those of Rates, [D] throughout: set from what is told of registries (names are mostly
// misspelled, swapped or cut; numbers are missing or mistyped; telephones are a family's; newborns have no name yet) and
// not from what a matcher can do. What the population cannot show: cards borrowed as a whole, faults that one institution
// copies from another, and how often each fault really happens at a given place.
package people
