package identity

// Verdict is what is to be done with a pair.
type Verdict string

const (
	Link          Verdict = "link"          // one person: link them without asking
	Ask           Verdict = "ask"           // a person has to look at the evidence
	Leave         Verdict = "leave"         // nothing to do: other people, or too little is known
	Contradiction Verdict = "contradiction" // one number, clearly two people: both are quarantined
)

// Grade is the code of FHIR's match-grade (R4 valueset-match-grade.html).
type Grade string

const (
	Certain      Grade = "certain"
	Probable     Grade = "probable"
	Possible     Grade = "possible"
	CertainlyNot Grade = "certainly-not"
)

// Evidence is the outcome of a comparison. It is the same whichever of the two stood first.
type Evidence struct {
	Verdict Verdict
	Grade   Grade
	// Bits is the weight of all fields together, the logarithm to base 2 of the likelihood ratio.
	Bits float64
	// Probability that the two are one person, by Bits and the model's prior; 1 or 0 where a rule decided.
	Probability float64
	// Rule is the rule that decided, such as "citizen-number" or "weights"; rules are listed in Rules.
	Rule string
	// Points are what speaks for and against, heaviest first.
	Points []Point
	// Model is the version of the model that judged.
	Model string
}

// Point is what one field of both Patients says.
type Point struct {
	// Field is number, name, birth, sex, phone, address, mother or state.
	Field string
	// Level is how far the field agrees, such as "same" or "homophone"; the pair of Field and Level has a wording.
	Level string
	// Bits is its weight: above 0 it speaks for one person, below 0 against it.
	Bits float64
}

// Clash is a hard contradiction between two of a group, by their places in it.
type Clash struct {
	A, B   int
	Reason string // one of the rules of Rules
}
