package fhir

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/internal/fhir"
)

// promises is the CapabilityStatement, cut where the hub's address belongs. It is made once, from the tables that searches
// and operations run on; its date is that of the process.
type promises struct {
	once  sync.Once
	parts [][]byte
}

// rootMark stands for the hub's address in the statement until it is known.
const rootMark = "\u2060root\u2060"

// capabilities answers GET /metadata (R4 http.html#capabilities).
func (s *Server) capabilities(_ context.Context, q *question) (*answer, error) {
	mode, err := q.takeOne("mode")
	if err == nil {
		err = q.rest("mode")
	}
	switch {
	case err != nil:
		return nil, err
	case mode == "terminology":
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "mode", Msg: "the hub has no TerminologyCapabilities"}
	case mode != "" && mode != "full" && mode != "normative":
		return nil, &hub.Error{Kind: hub.Invalid, Path: "mode", Msg: "mode is full, normative or terminology, not " + quote(mode)}
	}
	sub, err := q.subset("CapabilityStatement")
	if err != nil {
		return nil, err
	}
	s.promises.once.Do(func() {
		body, _ := json.Marshal(s.statement(rootMark, time.Now())) // texts and lists: always possible
		s.promises.parts = bytes.Split(body, []byte(rootMark))
	})
	root, _ := json.Marshal(strings.TrimSuffix(q.base, "/fhir"))
	text := bytes.Join(s.promises.parts, root[1:len(root)-1])
	if sub.Whole() {
		return wholly(text), nil
	}
	doc, err := fhir.Parse(text, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	return wholly(sub.Of(doc)), nil
}

type object = map[string]any

// statement is the CapabilityStatement of a hub at root. Its extension tells clients from before .well-known where tokens are
// given (SMART App Launch 1, conformance).
func (s *Server) statement(root string, at time.Time) object {
	var resources []object
	for _, typ := range fhir.ResourceTypes() {
		resources = append(resources, s.promise(typ))
	}
	return object{
		"resourceType": "CapabilityStatement", "status": "active", "date": at.UTC().Format(time.RFC3339), "kind": "instance",
		"software":       object{"name": "Concord", "version": s.Version},
		"implementation": object{"description": "Concord, hub of a medical consortium", "url": root + "/fhir"},
		"fhirVersion":    "4.0.1",
		"instantiates":   profiles,
		"format":         []string{"application/fhir+json", "json"},
		"patchFormat":    patchFormats,
		"rest": []object{{
			"mode": "server",
			"security": object{"extension": []object{{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
				"extension": []object{{"url": "token", "valueUri": root + "/oauth/token"}}}}, "service": []object{{"coding": []object{
				{"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"},
				{"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "OAuth"}}}},
				"description": "OAuth 2.0 client credentials with SMART system scopes; /.well-known/smart-configuration says where"},
			"resource":    resources,
			"interaction": codes("batch", "transaction", "search-system", "history-system"),
			"searchParam": commonParams(),
			"operation":   offered("", onSystem),
			"compartment": compartmentURLs(),
		}},
	}
}

// profiles are the CapabilityStatements of IHE's actors that the hub plays, in JSON: Patient Identifier Cross-reference
// Manager (ITI-83, ITI-104) and Patient Demographics Supplier (ITI-78, ITI-119).
var profiles = []string{
	"https://profiles.ihe.net/ITI/PIXm/CapabilityStatement/IHE.PIXm.Manager",
	"https://profiles.ihe.net/ITI/PDQm/CapabilityStatement/IHE.PDQm.PatientDemographicsSupplier",
}

// patchFormats are the media types of patches.
var patchFormats = []string{jsonPatchType, "application/fhir+json"}

func codes(list ...string) []object {
	all := make([]object, len(list))
	for i, code := range list {
		all[i] = object{"code": code}
	}
	return all
}

// promise says what the hub does with a type.
func (s *Server) promise(typ string) object {
	params := []object{}
	for _, p := range fhir.SearchParams(typ) {
		one := object{"name": p.Code, "type": p.Type}
		if p.Definition != "" {
			one["definition"] = p.Definition
		}
		params = append(params, one)
	}
	deletes := s.Rules.ConditionalDelete
	if deletes == "" {
		deletes = DeleteSingle
	}
	r := object{
		"type":        typ,
		"interaction": codes("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"),
		"versioning":  "versioned-update", "readHistory": true, "updateCreate": !s.Rules.NoUpdateCreate,
		"conditionalCreate": true, "conditionalRead": "full-support", "conditionalUpdate": true, "conditionalDelete": deletes,
		"searchInclude": append([]string{"*"}, fhir.Includes(typ)...), "searchParam": params,
		"operation": offered(typ, onType|onInstance),
	}
	if back := fhir.RevIncludes(typ); len(back) > 0 {
		r["searchRevInclude"] = append([]string{"*"}, back...)
	}
	return r
}

// offered lists the operations on a type, or on the system.
func offered(typ string, at level) []object {
	var all []object
	for _, op := range operations() {
		if op.levels&at != 0 && (typ == "" || op.types == nil || slices.Contains(op.types, typ)) {
			all = append(all, object{"name": op.name[1:], "definition": op.definition})
		}
	}
	return all
}

// commonParams are the parameters of searches over several types: those that every type has.
func commonParams() []object {
	var all []object
	for _, p := range fhir.SearchParams("Basic") {
		if !slices.Contains([]string{"_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"}, p.Code) {
			continue
		}
		all = append(all, object{"name": p.Code, "type": p.Type, "definition": p.Definition})
	}
	return append(all, object{"name": "_type", "type": "token", "documentation": "the types to search, separated by commas; all without it"})
}

func compartmentURLs() []string {
	var all []string
	for _, typ := range fhir.ResourceTypes() {
		if len(fhir.CompartmentTypes(typ)) > 0 {
			all = append(all, "http://hl7.org/fhir/CompartmentDefinition/"+lowerFirst(typ))
		}
	}
	return all
}

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }
