package hub

import (
	"errors"
	"strconv"
	"time"
)

// ErrKind is the closed set of things that can be wrong. Each adapter has one table from ErrKind
// to its protocol's codes.
type ErrKind uint8

const (
	Internal           ErrKind = iota // a fault of ours
	NotFound                          // no such thing, or none the caller may know of
	Gone                              // it was deleted
	Invalid                           // the request or its content is wrong
	Unprocessable                     // well-formed, but against a rule of the hub
	Conflict                          // it clashes with what is there
	PreconditionFailed                // If-Match or a conditional did not hold
	MultipleMatches                   // a conditional met more than one
	TooLarge                          // over a named limit
	Unauthenticated                   // no valid credential
	Forbidden                         // a valid credential without the right
	Unsupported                       // a type, syntax or feature the hub does not do
	TooMany                           // over a rate or quota
	Unavailable                       // try again: index not at the tail, store down
	Exists                            // the key is taken (Objects.PutNew)
	TooCostly                         // it would read more than the hub's limits allow; the Hint says how to narrow it
	Corrupt                           // stored bytes are not what they must be
)

var kindNames = [...]string{"internal", "not-found", "gone", "invalid", "unprocessable", "conflict", "precondition-failed",
	"multiple-matches", "too-large", "unauthenticated", "forbidden", "unsupported", "too-many", "unavailable", "exists", "too-costly", "corrupt"}

// String is the kind's name in logs and metrics.
func (k ErrKind) String() string { return kindNames[k] }

// Error is what every room returns when it knows what is wrong.
type Error struct {
	Kind ErrKind
	// Path names the element at fault in the words of the caller's format: a FHIRPath, a DICOM tag, an HL7 field.
	Path string
	// Msg says what was attempted and why it cannot be; it never carries patient data.
	Msg string
	// Hint is the remedy, where there is one.
	Hint string
	// Retry is when to come back (Unavailable, TooMany).
	Retry time.Duration
	Err   error
}

func (e *Error) Error() string {
	s := e.Msg
	if s == "" {
		s = e.Kind.String()
	}
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Faults are several errors found at once, such as all that is wrong with a resource. There is at least one; KindOf says
// the first one's kind.
type Faults []*Error

func (f Faults) Error() string {
	s := f[0].Error()
	if len(f) > 1 {
		s += " (and " + strconv.Itoa(len(f)-1) + " more)"
	}
	return s
}

// Unwrap gives errors.As and errors.Is each of them.
func (f Faults) Unwrap() []error {
	all := make([]error, len(f))
	for i, e := range f {
		all[i] = e
	}
	return all
}

// KindOf finds the kind of err: that of the first *Error in its chain, else Internal.
func KindOf(err error) ErrKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err carries kind k.
func Is(err error, k ErrKind) bool { return err != nil && KindOf(err) == k }
