package pixels

import (
	"strings"
	"sync"

	"concord/hub"
)

// encoding says how frames of a transfer syntax are decoded, and what that takes: of memory, base bytes, perSample for each
// sample of the image and perByte for each encoded byte.
type encoding struct {
	codec                    string
	base, perSample, perByte int64
}

// The codecs that are not in a sandbox, being ours, and those that are: files of codec/.
const (
	native   = ""
	rle      = "rle"
	jpeg     = "jpeg"
	jpegLS   = "jpegls"
	jpeg2000 = "jpeg2000"
)

// encodings are the transfer syntaxes that can be decoded (PS3.5 annex A).
var encodings = sync.OnceValue(func() map[string]encoding {
	const all = "1.2.840.10008.1.2"
	dct := encoding{jpeg, 16 << 20, 8, 2}
	ls := encoding{jpegLS, 16 << 20, 6, 2}
	wavelet := encoding{jpeg2000, 32 << 20, 20, 4}
	m := map[string]encoding{
		all:                  {codec: native}, // Implicit VR Little Endian
		all + ".1":           {codec: native}, // Explicit VR Little Endian
		all + ".1.98":        {codec: native}, // Encapsulated Uncompressed
		all + ".1.99":        {codec: native}, // Deflated
		all + ".2":           {codec: native}, // Explicit VR Big Endian
		gePrivate:            {codec: native}, // GE's Implicit VR with big endian pixels
		all + ".5":           {codec: rle},
		all + ".4.80":        ls,
		all + ".4.81":        ls,
		"1.2.840.10008.1.20": {codec: native}, // Papyrus 3
	}
	for _, n := range []string{"50", "51", "52", "53", "54", "55", "56", "57", "58", "70"} {
		m[all+".4."+n] = dct // what is retired, too, but for the hierarchical ones, 59 to 66
	}
	for _, n := range []string{"90", "91", "92", "93", "201", "202", "203"} {
		m[all+".4."+n] = wavelet
	}
	return m
})

const (
	gePrivate = "1.2.840.113619.5.2"
	bigEndian = "1.2.840.10008.1.2.2"
)

// Decodable reports whether frames of a transfer syntax can be decoded.
func Decodable(syntax string) bool {
	_, ok := encodings()[syntax]
	return ok
}

func noDecoder(syntax string) error {
	e := &hub.Error{Kind: hub.Unsupported, Path: "TransferSyntaxUID", Msg: "there is no decoder for transfer syntax " + syntax,
		Hint: "retrieve it as stored"}
	if video(syntax) {
		e.Msg = "a video is not decoded to frames"
	}
	return e
}

// video reports the MPEG and HEVC syntaxes (PS3.5 8.2.5 to 8.2.8).
func video(syntax string) bool {
	n, ok := strings.CutPrefix(syntax, "1.2.840.10008.1.2.4.10")
	return ok && len(n) >= 1 && n[0] <= '8' && (len(n) == 1 || n[1] == '.')
}
