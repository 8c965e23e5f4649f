package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// truth is a line of testdata/truth.tsv: what pydicom, not ours, finds in a file (testdata/truth.py).
type truth struct {
	study, series, sop, patient string
	frames                      int
	digest                      string // of the frames' bytes
}

func readTruth(t *testing.T) map[string]truth {
	t.Helper()
	all := map[string]truth{}
	for line := range strings.Lines(string(readFile(t, "testdata/truth.tsv"))) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		frames, _ := strconv.Atoi(c[5])
		all[c[0]] = truth{c[1], c[2], c[3], c[4], frames, c[6]}
	}
	return all
}

// hasFrames compares the frames that the hub hands out with the ones that pydicom finds.
func (h *corpusHub) hasFrames(f dicomFile, item stowItem, want truth) {
	t := h.t
	t.Helper()
	if want.sop == "" {
		return // a file that pydicom does not read
	}
	if want.study != item.study || want.series != item.series || want.sop != item.sop {
		t.Errorf("%s: stored as %s, pydicom reads %s/%s/%s", f.name, item.path(), want.study, want.series, want.sop)
	}
	sum, total := sha256.New(), 0
	accept := map[string]string{"Accept": `multipart/related; type="application/octet-stream"; transfer-syntax=*`}
	for n := 1; ; n++ {
		frame := h.do(request{method: "GET", path: fmt.Sprintf("%s/frames/%d", item.path(), n), header: accept})
		if frame.status == 404 {
			break
		}
		parts := partsOf(t, frame)
		if frame.status != 200 || len(parts) != 1 {
			t.Errorf("%s: frame %d is %d with %d parts", f.name, n, frame.status, len(parts))
			return
		}
		fmt.Fprintf(sum, "%d\n", len(parts[0]))
		sum.Write(parts[0])
		total++
	}
	if total != want.frames {
		t.Errorf("%s: %d frames, pydicom finds %d", f.name, total, want.frames)
	} else if got := hex.EncodeToString(sum.Sum(nil)); total > 0 && got != want.digest {
		t.Errorf("%s: the bytes of its %d frames differ from pydicom's", f.name, total)
	}
}
