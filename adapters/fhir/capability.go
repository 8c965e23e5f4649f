package fhir

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"concord/internal/fhir"
)

// started is when the statement's content was fixed: with the binary's tables, at the first request.
var capabilityDate = sync.OnceValue(func() string { return time.Now().UTC().Format(time.RFC3339) })

// capabilities prints the CapabilityStatement from the tables that the search and the routes run on.
func (s *Server) capabilities(c *gin.Context) {
	type object = map[string]any
	interactions := []object{}
	for _, code := range []string{"read", "vread", "update", "delete", "history-instance", "create", "search-type"} {
		interactions = append(interactions, object{"code": code})
	}
	var resources []object
	for _, typ := range fhir.ResourceTypes() {
		params := []object{}
		for _, p := range fhir.SearchParams(typ) {
			o := object{"name": p.Code, "type": p.Type}
			if p.Definition != "" {
				o["definition"] = p.Definition
			}
			params = append(params, o)
		}
		r := object{
			"type": typ, "interaction": interactions, "versioning": "versioned-update",
			"readHistory": true, "updateCreate": true, "conditionalCreate": true,
			"conditionalRead": "full-support", "conditionalUpdate": false, "conditionalDelete": "not-supported",
			"searchParam": params,
		}
		if typ == "ServiceRequest" {
			r["operation"] = []object{{"name": "find-recognisable", "definition": "urn:concord:operation:find-recognisable"}}
		}
		resources = append(resources, r)
	}
	body, err := json.Marshal(object{
		"resourceType": "CapabilityStatement", "status": "active", "date": capabilityDate(), "kind": "instance",
		"software":       object{"name": "Concord", "version": s.Version},
		"implementation": object{"description": "Concord, hub of a medical consortium", "url": s.base(c)},
		"fhirVersion":    "4.0.1", "format": []string{"application/fhir+json", "json"},
		"rest": []object{{
			"mode": "server",
			"security": object{"service": []object{{"coding": []object{{
				"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}}}}},
			"resource":    resources,
			"interaction": []object{{"code": "batch"}, {"code": "transaction"}},
		}},
	})
	if err != nil {
		WriteError(c, err)
		return
	}
	writeResource(c, http.StatusOK, body)
}
