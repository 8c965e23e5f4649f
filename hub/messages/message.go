package messages

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"concord/hub"
)

// Type is the type of the records of messages.
const Type = "hub.message"

// Status is how a message ended.
type Status string

// The statuses.
const (
	Mapped  Status = "mapped"  // its resources are in the hub
	Late    Status = "late"    // all that it says is older than what the hub has: its resources were not made
	Dead    Status = "dead"    // it could not be mapped, or its resources not be taken: a dead letter
	Refused Status = "refused" // it could not be read
)

// Message is one message as the hub keeps it. The newest attempt to map it is in its own fields, those before it in Earlier.
type Message struct {
	ID     string `json:"-"` // see ID
	Member string `json:"-"` // who sent it
	// Version counts the attempts: that of the record.
	Version uint64 `json:"-"`

	Format  string `json:"format"`            // "hl7v2", "scp-ecg"
	Type    string `json:"type,omitempty"`    // as the format names it: "ORU^R01"
	Sender  string `json:"sender,omitempty"`  // the system that sent it, as the format names it: "LIS|LAB"
	Control string `json:"control,omitempty"` // the sender's own id of it
	// Sent is when the sender says that it was sent, Received when the hub took it.
	Sent     time.Time `json:"sent,omitzero"`
	Received time.Time `json:"received"`
	// Charset is the character set it was read in; Media the media type.
	Charset string `json:"charset,omitempty"`
	Media   string `json:"media,omitempty"`
	// Size and SHA256 are of the bytes as sent. Raw has them if they are at most InlineBytes, else Blob.
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
	Raw    Bytes     `json:"raw,omitempty"`
	quoted []byte    // Raw as JSON, once it is known
	Blob   *hub.Blob `json:"-"`
	// Differs is the id of another message of the same sender and control id with other bytes, which came first.
	Differs string `json:"differs,omitempty"`

	Attempt
	// Earlier are the attempts that the present one superseded, oldest first; the oldest are dropped beyond KeptAttempts.
	Earlier []Attempt `json:"earlier,omitempty"`
}

// Attempt is one attempt to map a message.
type Attempt struct {
	At     time.Time `json:"at"`
	Status Status    `json:"status"`
	// Mapping is the name and version of the rules: "oru-r01@7"; empty if none were come to.
	Mapping string `json:"mapping,omitempty"`
	// Faults are all that was found wrong; those that are not Fatal did not keep it from being mapped.
	Faults []Fault `json:"faults,omitempty"`
	// Made are the resources that say what the message says, as "Type/id", in the mapping's order; those it was too late for
	// are not among them.
	Made []string `json:"made,omitempty"`
	// Removed are the resources of an earlier message about the same that this one no longer has.
	Removed []string `json:"removed,omitempty"`
	// Patients are the patients it is about, as "Patient/id".
	Patients []string `json:"patients,omitempty"`
	// Unmapped are codes without a standard one; Unread are places that have something no rule looks at.
	Unmapped []Code   `json:"unmapped,omitempty"`
	Unread   []string `json:"unread,omitempty"`
	// Answer is what the sender was told, as sent; an attempt that nobody waited for has none.
	Answer Bytes `json:"answer,omitempty"`
	// By is who asked for an attempt that is not the first.
	By string `json:"by,omitempty"`
}

// Fault is something wrong with a message.
type Fault struct {
	Kind  string `json:"kind"`            // a hub.ErrKind's name
	Place string `json:"place,omitempty"` // in the format's words: "OBX[3]-5"
	Msg   string `json:"msg"`             // without patient data
	Fatal bool   `json:"fatal,omitempty"` // it kept the message from being mapped
}

// Code is a code of the sender's that the mapping has no standard one for.
type Code struct {
	Place   string `json:"place,omitempty"`
	System  string `json:"system,omitempty"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
	Unit    string `json:"unit,omitempty"`
}

// What lies in a record.
const (
	InlineBytes  = 64 << 10
	KeptAttempts = 20
)

// failed reports whether the message could not be mapped.
func (a *Attempt) failed() bool { return a.Status == Dead || a.Status == Refused }

// ID is the id of a message's record: the same for the same member, format, sender and control id. A message whose sender
// gives no control id has its digest for one.
func ID(member, format, sender, control string) string {
	return identify("message", member, format, sender, control)
}

// identify makes an id of parts, 32 lower-case letters and digits: a FHIR id that tells nothing of what it was made of.
func identify(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:20]))
}

// faultErrors are the faults that an error tells. What is no *hub.Error may say anything: the hub's log has it.
func faultErrors(err error) hub.Faults {
	var all hub.Faults
	var one *hub.Error
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return hub.Faults{one}
	}
	return hub.Faults{{Kind: hub.Internal, Msg: "the hub met a fault of its own"}}
}

func FaultsOf(err error, fatal bool) []Fault {
	all := faultErrors(err)
	faults := make([]Fault, 0, len(all))
	for _, e := range all {
		f := Fault{Kind: e.Kind.String(), Place: e.Path, Msg: e.Msg, Fatal: fatal}
		if e.Hint != "" {
			f.Msg += " (" + e.Hint + ")"
		}
		faults = append(faults, f)
	}
	return faults
}
