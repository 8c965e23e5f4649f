package laboratory

import (
	"encoding/json"
	"time"

	"concord/hub"
)

// Sighting is a member's local code, or what it calls a study of images, of which nobody has said what it means. Its record is written when the code is met for
// the first time; how often it was met is told by the Observations that carry its tag.
type Sighting struct {
	Member string `json:"member"`
	// Kind is empty for a laboratory's code, and Images for a description of images.
	Kind     string    `json:"kind,omitempty"`
	Code     Coding    `json:"code"`
	Name     string    `json:"name,omitempty"`
	Unit     string    `json:"unit,omitempty"`
	Specimen string    `json:"specimen,omitempty"`
	First    time.Time `json:"first"`
	// Example is the first Observation that had it.
	Example string `json:"example"`
}

// SightingType is the type of the records of sightings.
const SightingType = "laboratory.code"

// SightingOf is what a question that has no answer is about: the first coding, or the name where there is none. ok is false
// where there is neither.
func SightingOf(q Question) (s Sighting, ok bool) {
	s = Sighting{Member: q.Member, Name: q.Name, Unit: q.Unit, Specimen: q.Specimen}
	keys := q.keys()
	if len(keys) == 0 {
		return s, false
	}
	if s.Code = keys[0]; s.Name == "" {
		s.Name = s.Code.Display
	}
	return s, true
}

// ID is the same for one member's one code.
func (s *Sighting) ID() string { return identify("sighting", s.Member, s.Code.System, s.Code.Code) }

// ProjectSighting lets sightings be found by member.
func ProjectSighting(body []byte) (hub.Entry, error) {
	var s Sighting
	if err := json.Unmarshal(body, &s); err != nil {
		return hub.Entry{}, &hub.Error{Kind: hub.Corrupt, Msg: "the sighting is unreadable", Err: err}
	}
	return hub.Entry{Terms: []hub.Term{{Param: "member", Kind: hub.Exact, Text: s.Member}}}, nil
}
