package fhir

import (
	"bytes"
	"strings"

	"concord/hub"
)

// HasSecurityContext tells whether resources of a type may name another one that stands for them where access is decided.
func HasSecurityContext(typ string) bool { return typ == "Binary" }

// SecurityContext is the resource that stands for a stored Binary where access is decided (R4 binary.html#security), from
// its securityContext; ok is false where it has none. A context that is not named by a relative reference, or is a Binary
// itself, is the zero Name: nobody can tell who may read it.
func SecurityContext(rec *hub.Record) (of hub.Name, ok bool) {
	if !HasSecurityContext(rec.Name.Type) || !bytes.Contains(rec.Body, []byte("securityContext")) && bytes.IndexByte(rec.Body, '\\') < 0 {
		return of, false // nor is it written with escapes
	}
	doc, err := Parse(rec.Body, Limits{})
	if err != nil {
		return of, true
	}
	context := doc.Root().Get("securityContext")
	if context.Kind() == Absent {
		return of, false
	}
	of, _ = ContextName(context.Get("reference").Text())
	return of, true
}

// ContextName reads the relative reference to what can be a security context: the current version of a resource that has
// none itself.
func ContextName(reference string) (hub.Name, bool) {
	typ, id, _ := strings.Cut(reference, "/")
	if !IsResourceType(typ) || HasSecurityContext(typ) || !ValidID(id) {
		return hub.Name{}, false
	}
	return hub.Name{Type: typ, ID: id}, true
}
