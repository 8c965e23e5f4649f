// Package floors keeps the house's order: which folder may import which. It has no code for the hub;
// its test parses the imports of every Go file and fails on one that points up or sideways.
//
//	cmd                    the only one that knows every room
//	adapters               one foreign language a room; none imports another, none imports storage
//	storage                drivers for objects and index
//	hub/…  mappings  web   what the hub does, data with provenance, and pages (docs are pages, too)
//	internal               wire codecs and tools that know bytes and not the hub's rooms
//	hub                    words and ports; the standard library only
//	e2e                    tests that stand before the house and knock: whole processes, whole requests
package floors

// Floor is one line of the drawing above. A room is a folder directly on it, with all it contains:
// adapters/fhir is a room, and adapters/fhir/search a part of it.
type Floor struct {
	Name   string
	Prefix string // of its rooms' paths; a floor that is one room has its path
	// Below are the floors it may import. Its own is not among them: see Doors.
	Below []string
	// Never are imports from outside the project that it must not have, by path or prefix ending in /.
	Never []string
	// StandardOnly forbids everything that is not of the standard library.
	StandardOnly bool
}

// Floors is the house.
func Floors() []Floor {
	return []Floor{
		{Name: "cmd", Prefix: "cmd/", Below: []string{"adapters", "web", "storage", "hub rooms", "mappings", "internal", "hub"}},
		{Name: "adapters", Prefix: "adapters/", Below: []string{"hub rooms", "mappings", "web", "docs", "internal", "hub"}},
		{Name: "storage", Prefix: "storage/", Below: []string{"internal", "hub"}},
		{Name: "hub rooms", Prefix: "hub/", Below: []string{"internal", "hub"}, Never: wires()},
		{Name: "mappings", Prefix: "mappings", Below: []string{"internal", "hub"}, Never: wires()},
		{Name: "web", Prefix: "web", Below: []string{"internal", "hub"}},
		{Name: "docs", Prefix: "docs", StandardOnly: true},
		{Name: "internal", Prefix: "internal/", Below: []string{"hub"}},
		{Name: "hub", Prefix: "hub", Never: []string{"net/http"}, StandardOnly: true},
		{Name: "deploy", Prefix: "deploy"},
		{Name: "e2e", Prefix: "e2e", Below: []string{"internal", "hub"}},
	}
}

// wires are what the middle of the house must not know of: the web and the stores.
func wires() []string {
	return []string{"net/http", "net/http/", "github.com/gin-gonic/", "github.com/redis/", "github.com/minio/", "github.com/tidwall/redcon"}
}

// Doors are the openings between rooms of one floor. Each is one way and deliberate.
func Doors() map[string][]string {
	return map[string][]string{
		"hub/access":         {"hub/commit", "hub/projection", "hub/settings"},
		"hub/audit":          {"hub/commit", "hub/projection", "hub/settings"},
		"hub/commit":         {"hub/projection"},
		"hub/ecg":            {"hub/access", "hub/imaging", "hub/lookup", "hub/messages", "hub/projection"},
		"hub/identity":       {"hub/access", "hub/audit", "hub/commit", "hub/lookup", "hub/projection"}, // hub/identity/persons; the rest is pure
		"hub/imaging":        {"hub/access", "hub/commit", "hub/lookup", "hub/projection"},
		"hub/laboratory":     {"hub/access", "hub/audit", "hub/commit", "hub/lookup", "hub/messages", "hub/projection"},
		"hub/lookup":         {"hub/access", "hub/audit", "hub/projection"},
		"hub/messages":       {"hub/access", "hub/audit", "hub/commit", "hub/lookup", "hub/projection"},
		"hub/quota":          {"hub/access", "hub/commit", "hub/projection"},
		"hub/recognition":    {"hub/access", "hub/audit", "hub/commit", "hub/imaging", "hub/lookup", "hub/projection"},
		"internal/bench":     {"internal/sample", "internal/dicom", "internal/hl7", "internal/upperlayer"},
		"internal/dicom":     {"internal/pinyin"},
		"internal/ecg":       {"internal/dicom"},
		"internal/fhir":      {"internal/pinyin", "internal/ucum"},
		"internal/fhirpatch": {"internal/fhir"},
		"internal/hl7map":    {"internal/fhir", "internal/hl7"},
		"internal/people":    {"internal/cnid", "internal/fhir", "internal/pinyin"},
		"internal/pixels":    {"internal/dicom"},
		"internal/sample":    {"internal/cnid", "internal/ecg"},
		"internal/story":     {"internal/dicom", "internal/ecg", "internal/hl7", "internal/sample", "internal/upperlayer"},
		"internal/upload":    {"internal/ecg"},
		"mappings":           {"hub/identity", "hub/laboratory", "hub/recognition"}, // their rules, as data
	}
}

// Tests stand outside the house and may use, besides what their room may, the real stores and the
// suites and fakes made for tests: packages whose name ends in "test". The project's own data may be
// tested together with the rules that it is for.
func testMay(floor, pkg string) bool {
	return floor == "storage" || floor == "mappings" || len(pkg) > 4 && pkg[len(pkg)-4:] == "test"
}
