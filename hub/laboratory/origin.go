package laboratory

import (
	"concord/hub/access"
	"concord/internal/ucum"
)

// Origin is the member name on records that the hub makes itself, and that owns what is the consortium's. No institution
// can have it.
const Origin = access.Hub

// System is the system of the codes by which the hub's own laboratory resources are found, and the root of the URLs of
// their extensions.
const System = "urn:concord:laboratory"

const ucumSystem = ucum.System

// UnmappedSystem is the system of the tag (meta.tag) on an Observation whose code has no standard one: its code is the
// Sighting's id.
const UnmappedSystem = System + ":unmapped"
