package dicom

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// TestMutatedCorpusFilesEndInTime damages real files in many places with a fixed seed: a scan returns, in time, and what
// it accepts is still valid JSON.
func TestMutatedCorpusFilesEndInTime(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range corpusNames(t) {
		data := corpusFile(t, name)
		if len(data) == 0 || len(data) > 50_000 {
			continue
		}
		for range 40 {
			file := bytes.Clone(data)
			for range 1 + random.IntN(8) {
				file[random.IntN(min(len(file), 4000))] = byte(random.Uint32() >> random.IntN(8))
			}
			if random.IntN(4) == 0 {
				file = file[:random.IntN(len(file))]
			}
			start := time.Now()
			if h, err := ScanFile(bytes.NewReader(file), Limits{}); err == nil {
				checkJSON(t, AppendJSON(nil, h, JSONOptions{}))
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%s, damaged, took %v", name, took)
			}
		}
	}
}
