package dimse

import (
	"concord/hub/imaging"
	"concord/internal/pixels"
)

// Holdings are what the services besides storage work with.
type Holdings struct {
	Finder *imaging.Finder
	// Decoder writes instances anew for peers that take them uncompressed only; nil: those fail.
	Decoder *pixels.Decoder
	// Results is the greatest number of matches of a C-FIND: 10,000. What is beyond ends with A700.
	Results int
	// Worklist answers modalities.
	Worklist *imaging.Worklist
	// Errands keeps what the hub owes; RunErrands does it, as Retry says.
	Errands *imaging.Errands
	Retry   Retry
}

const defaultResults = 10_000
