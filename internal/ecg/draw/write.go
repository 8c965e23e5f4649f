package draw

import (
	"io"

	"concord/hub"
	"concord/internal/ecg"
)

// SVG writes the recording's picture as one SVG document whose user units are millimetres. It has no script, no style
// sheet and no reference to anything outside. A recording without a signal to show is an Unprocessable error; nothing has
// been written then.
func SVG(w io.Writer, rec *ecg.Recording, o Options) error {
	return &hub.Error{Kind: hub.Unsupported, Msg: "not drawn yet"}
}

// PNG writes the same picture in pixels, Options.PixelsPerMM to the millimetre, which its pHYs chunk says. A sheet of
// more than 48 million pixels is a TooLarge error. Words with characters that the embedded fonts do not have are left out.
func PNG(w io.Writer, rec *ecg.Recording, o Options) error {
	return &hub.Error{Kind: hub.Unsupported, Msg: "not drawn yet"}
}
