package hl7map

import (
	"time"

	"concord/hub"
)

// File is one file of rules.
type File struct {
	Name string // as faults name it
	// Member is whose rules it changes; empty: everybody's.
	Member string
	Data   []byte
}

// Options are what a message does not say itself.
type Options struct {
	Member string // who sent it, by credential
	// Zone is that of times that name none, if the rules name none either; UTC if nil.
	Zone *time.Location
}

// Result is what a message means.
type Result struct {
	// Rules is the name of the message's rules, their version, and the digest of all files that they come from: "oru@1+5f3a09c2".
	Rules string
	// Resources are in the order of the rules; a resource comes before those that are referred to only.
	Resources []Resource
	// Unmapped are codes that a table did not have.
	Unmapped []Code
	// Unread are the places of all that the message says and no resource has: "PID-18".
	Unread []string
	// Faults are what was wrong and left out: a date that is none. They carry no patient data.
	Faults []*hub.Error
}

// Resource is one resource.
type Resource struct {
	Name hub.Name
	Rule string // that made it
	Body []byte // FHIR JSON
	// Part names what it is replaced with; empty for what is shared between messages.
	Part string
	// At is when it became so; zero if the message does not say.
	At time.Time
	// Cleared are the top-level elements that the message says are to be emptied ("").
	Cleared []string
	// Yields are the top-level elements of a shared resource that give way to what is there already.
	Yields []string
}

// Code is a code without a translation.
type Code struct {
	Place  string
	Table  string // that does not have it
	Code   string
	System string // the code's own, if it names one
}
