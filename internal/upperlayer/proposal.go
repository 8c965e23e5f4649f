package upperlayer

import (
	"crypto/tls"
	"net/netip"
)

// Proposal is the content of an A-ASSOCIATE-RQ (PS3.8 9.3.2).
type Proposal struct {
	Called, Calling string // AE titles without padding
	Contexts        []ProposedContext
	UserInformation
}

// ProposedContext is one presentation context as it is asked for.
type ProposedContext struct {
	ID       byte // odd
	Abstract string
	Transfer []string // in the order of preference, if the caller has one
}

// UserInformation are the user items (PS3.8 annex D, PS3.7 annex D.3.3). As part of an Agreement, zero values leave an
// item out.
type UserInformation struct {
	MaxPDU                uint32 // greatest value field of a P-DATA-TF; 0: no limit
	ImplementationUID     string
	ImplementationVersion string
	Window                *Window
	Roles                 []Role
	Extended              []Extended
	Common                []CommonExtended
	Identity              *Identity
	// IdentityReply is the acceptor's answer to an Identity that asks for one; nil for none.
	IdentityReply []byte
}

// Window is how many operations may be under way at the same time (PS3.7 D.3.3.3); 0 is no limit.
type Window struct{ Invoked, Performed uint16 }

// Role is a SOP class role selection (PS3.7 D.3.3.4), as the requestor's roles.
type Role struct {
	SOPClass string
	SCU, SCP bool
}

// Extended is an SOP class extended negotiation (PS3.7 D.3.3.5).
type Extended struct {
	SOPClass string
	Info     []byte
}

// CommonExtended is an SOP class common extended negotiation (PS3.7 D.3.3.6).
type CommonExtended struct {
	SOPClass, ServiceClass string
	Related                []string
}

// IdentityKind is the kind of a user identity (PS3.7 D.3.3.7).
type IdentityKind byte

const (
	Username IdentityKind = 1
	Passcode IdentityKind = 2 // user name and passcode
	Kerberos IdentityKind = 3
	SAML     IdentityKind = 4
	JWT      IdentityKind = 5
)

// Identity is a user identity. Nothing in it may be logged.
type Identity struct {
	Kind          IdentityKind
	WantsReply    bool
	Primary, Code []byte
}

// ContextResult says what became of a proposed presentation context (PS3.8 Table 9-18).
type ContextResult byte

const (
	Accepted              ContextResult = 0
	UserRejected          ContextResult = 1
	NoReason              ContextResult = 2
	AbstractUnsupported   ContextResult = 3
	TransferUnsupported   ContextResult = 4
	maxContexts                         = 128
	applicationContextUID               = "1.2.840.10008.3.1.1.1"
)

// Agreement is what the called side makes of a Proposal.
type Agreement struct {
	// Contexts answers each proposed context by its ID; those not named are rejected without a reason.
	Contexts []AnsweredContext
	// Of UserInformation the hub's side fills in sizes and implementation; the others are sent as they are.
	UserInformation
}

// AnsweredContext is the answer to one ProposedContext. Transfer counts when Result is Accepted.
type AnsweredContext struct {
	ID       byte
	Result   ContextResult
	Transfer string
}

// Context is a presentation context in force.
type Context struct {
	ID       byte
	Abstract string
	Transfer string
	// SCU and SCP are the roles of this side (PS3.7 D.3.3.4): what it may invoke, and what it may be asked to perform.
	SCU, SCP bool
}

// Peer is who is at the other end, as far as the upper layer can tell.
type Peer struct {
	Address netip.Addr
	// TLS is the connection's state, with the peer's certificates; nil without TLS.
	TLS *tls.ConnectionState
	// Called and Calling are the AE titles of the association.
	Called, Calling                          string
	ImplementationUID, ImplementationVersion string
	// Inbound is set when the peer opened the association.
	Inbound bool
}

// Rejection refuses an association (PS3.8 9.3.4). As an error it may come from Server.Admit and from Dial.
type Rejection struct {
	Permanent bool
	Source    byte
	Reason    byte
}

// The rejections of PS3.8 Table 9-21.
var (
	RejectNoReason           = &Rejection{true, 1, 1}
	RejectApplicationContext = &Rejection{true, 1, 2}
	RejectCalling            = &Rejection{true, 1, 3}
	RejectCalled             = &Rejection{true, 1, 7}
	RejectVersion            = &Rejection{true, 2, 2}
	RejectCongestion         = &Rejection{false, 3, 1}
	RejectLimit              = &Rejection{false, 3, 2}
)

func (r *Rejection) Error() string {
	reason, ok := map[Rejection]string{
		{true, 1, 2}: "its application context is not supported", {true, 1, 3}: "the calling AE title is not recognised",
		{true, 1, 7}: "the called AE title is not recognised", {true, 2, 2}: "its protocol version is not supported",
		{true, 3, 1}: "there is temporary congestion", {true, 3, 2}: "a local limit is exceeded",
	}[Rejection{true, r.Source, r.Reason}]
	if !ok {
		reason = "no reason is given"
	}
	if r.Permanent {
		return "the association is rejected: " + reason
	}
	return "the association is rejected for now: " + reason
}
