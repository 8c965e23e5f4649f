package access

import (
	"context"
	"fmt"

	"concord/hub"
)

// ImagingStudy is the resource type that all of DICOM counts as.
const ImagingStudy = "ImagingStudy"

// Caller is who a verified credential speaks for.
type Caller struct {
	Member  string
	Scope   string
	TokenID string // jti, for the audit trail
	// Person is who of the member it is, where that was said when the token was made.
	Person string

	grants *grants // Scope, parsed; nil when the Caller was made by hand
}

// NewCaller makes a Caller whose credential was checked elsewhere, such as a DICOM association's.
func NewCaller(member, scope, tokenID string) Caller {
	g, _ := parseScope(scope, false)
	return Caller{Member: member, Scope: scope, TokenID: tokenID, grants: g}
}

// May tells whether the caller's scope covers an action on a resource type; the Forbidden error names the scope that
// is missing.
func (c Caller) May(a Action, resourceType string) error {
	if c.scopes().allow(a, resourceType) {
		return nil
	}
	return &hub.Error{Kind: hub.Forbidden, Msg: fmt.Sprintf("the token's scope does not cover this: system/%s.%s is missing", resourceType, a)}
}

// MayMonitor tells whether the caller may read the hub's metrics.
func (c Caller) MayMonitor() error {
	if c.scopes().metrics {
		return nil
	}
	return &hub.Error{Kind: hub.Forbidden, Msg: "the token's scope does not cover this: " + Metrics + " is missing"}
}

// MayIntegrate tells whether the caller may see and map again the messages of all members.
func (c Caller) MayIntegrate() error {
	if c.scopes().integration {
		return nil
	}
	return &hub.Error{Kind: hub.Forbidden, Msg: "the token's scope does not cover this: " + Integration + " is missing"}
}

// MayCatalogue tells whether the caller may propose what is recognised, and rule on what another has proposed. It must be
// known who it is.
func (c Caller) MayCatalogue() error {
	switch {
	case !c.scopes().catalogue:
		return &hub.Error{Kind: hub.Forbidden, Msg: "the token's scope does not cover this: " + Catalogue + " is missing"}
	case c.Person == "":
		return &hub.Error{Kind: hub.Forbidden, Msg: "the token does not say whose it is", Hint: "concord token --person"}
	}
	return nil
}

func (c Caller) scopes() *grants {
	if c.grants != nil {
		return c.grants
	}
	g, _ := parseScope(c.Scope, false)
	return g
}

type callerKey struct{}

// WithCaller puts the caller into a context.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, &c)
}

// CallerFrom finds the caller that WithCaller put there.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(*Caller)
	if !ok {
		return Caller{}, false
	}
	return *c, true
}

// Policy decides about single things, after the scope has been found to cover the action.
type Policy interface {
	// MayRead returns nil or a Forbidden error. What it denies must not show anywhere: not in totals, not in pages.
	MayRead(who Caller, rec *hub.Record) error
	// MayChange returns nil or a Forbidden error; owner is the member of the thing's first version.
	MayChange(who Caller, owner string) error
}

// Mutual is the Policy of a consortium whose members recognise each other's results: all read all, and each changes
// only what is its own.
type Mutual struct{}

// MayRead lets every member read.
func (Mutual) MayRead(who Caller, _ *hub.Record) error {
	if who.Member == "" {
		return &hub.Error{Kind: hub.Forbidden, Msg: "only members read"}
	}
	return nil
}

// MayReadAll spares asking about each record where only their number is told.
func (Mutual) MayReadAll(who Caller) bool { return who.Member != "" }

// MayChange lets the owner change.
func (Mutual) MayChange(who Caller, owner string) error {
	if who.Member == "" || who.Member != owner {
		return &hub.Error{Kind: hub.Forbidden, Msg: "only the member that wrote it first may change it"}
	}
	return nil
}
