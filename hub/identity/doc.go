// Package identity judges whether two Patients of different members are one person. It is pure: it knows no store and no
// clock; all weights, thresholds, systems and tables are data of a Model, whose version each judgement names.
//
// The words:
//
//   - Traits are what one Patient says about a person, read once and brought into the forms in which they are compared.
//   - A Number is an identifier that tells people apart; its Kind says how far it is trusted.
//   - Keys are texts that two Patients of one person are likely to share, so that only few need be compared.
//   - Evidence is the outcome of a comparison: a Verdict, and the Points that speak for and against it.
//   - A Clash is a hard contradiction between two Patients that are said to be one person.
//
// The judgement has two halves. Numbers decide where they can (deterministic); else the agreement of name, birth date, sex,
// phone and address is weighed as Fellegi and Sunter do, rare values more than common ones. Rules stand above the weights:
// two different valid citizen numbers never link, a name and a birth date alone never link, nor do twins, nor a newborn
// without a name.
package identity
