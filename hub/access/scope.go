package access

import (
	"fmt"
	"strings"

	"concord/hub"
)

// Action is what a caller wants to do, as SMART App Launch 2 names it (scopes-and-launch-context.html,
// "Scopes for requesting FHIR resources").
type Action uint8

const (
	Create Action = 1 << iota
	Read          // read, vread, history of one
	Update
	Delete
	Search // search and history of a type
)

const everything = Create | Read | Update | Delete | Search

// letters in the order in which version 2 scopes must have them.
const letters = "cruds"

// String is the action's letter in a version 2 scope.
func (a Action) String() string {
	var b strings.Builder
	for i := range letters {
		if a&(1<<i) != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// Metrics is the scope that lets a monitor read /metrics. It gives no access to any record, and the command line
// alone gives it out.
const Metrics = "metrics"

// Integration is the scope of the engineer who looks after what all members send: their messages may be read and mapped
// again. The command line alone gives it out.
const Integration = "integration"

// Catalogue is the scope of who edits what is recognised: one proposes, another releases. The command line alone gives it out,
// and only to a person it names.
const Catalogue = "catalogue"

// AllResources is the scope a client gets that asks for none: all that its membership allows.
const AllResources = "system/*.cruds"

// grants says which actions are allowed on which resource type; "*" is every type.
type grants struct {
	on          map[string]Action
	metrics     bool
	integration bool
	catalogue   bool
}

// CheckScope refuses a scope with a part that the hub does not know. Known are the SMART system scopes of version 1
// (system/Observation.read, .write, .*) and version 2 (system/Observation.rs), Metrics, Integration and Catalogue.
func CheckScope(scope string) error {
	_, err := parseScope(scope, true)
	return err
}

// parseScope reads a space-separated scope (RFC 6749 §3.3). Unless strict, unknown parts grant nothing.
func parseScope(scope string, strict bool) (*grants, error) {
	g := &grants{on: map[string]Action{}}
	for part := range strings.FieldsSeq(scope) {
		switch part {
		case Metrics:
			g.metrics = true
			continue
		case Integration:
			g.integration = true
			continue
		case Catalogue:
			g.catalogue = true
			continue
		}
		typ, actions, ok := parsePart(part)
		if !ok {
			if strict {
				return nil, &hub.Error{Kind: hub.Invalid, Path: "scope", Msg: fmt.Sprintf("%.64q is no scope of this hub", part),
					Hint: "system/<type or *>.<read, write, * or letters of cruds in this order>"}
			}
			continue
		}
		g.on[typ] |= actions
	}
	if strict && len(g.on) == 0 && !g.metrics && !g.integration && !g.catalogue {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "scope", Msg: "the scope is empty"}
	}
	return g, nil
}

func parsePart(part string) (typ string, actions Action, ok bool) {
	rest, ok := strings.CutPrefix(part, "system/")
	if !ok {
		return "", 0, false
	}
	typ, permission, ok := strings.Cut(rest, ".")
	if !ok || !validType(typ) {
		return "", 0, false
	}
	switch permission { // version 1 permissions as version 2 defines them
	case "*":
		return typ, everything, true
	case "read":
		return typ, Read | Search, true
	case "write":
		return typ, Create | Update | Delete, true
	}
	at := 0
	for _, c := range []byte(permission) {
		i := strings.IndexByte(letters[at:], c)
		if i < 0 {
			return "", 0, false
		}
		actions |= 1 << (at + i)
		at += i + 1
	}
	return typ, actions, actions != 0
}

func validType(typ string) bool {
	if typ == "*" {
		return true
	}
	for _, c := range []byte(typ) {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(typ) > 0 && len(typ) <= 64
}

func (g *grants) allow(a Action, typ string) bool { return (g.on["*"]|g.on[typ])&a == a }
