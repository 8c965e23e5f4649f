package ecg_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

func TestAReaderThatFailsGivesItsOwnError(t *testing.T) {
	broken := errors.New("the line is down")
	for name, head := range map[string]string{
		"SCP":   string(ecgtest.SCP(made(), ecgtest.SCPOptions{})[:9000]),
		"DICOM": string(ecgtest.DICOM(ecgtest.ExplicitLittle, general, "", ecgtest.Multiplex{Rate: "500", Kind: "SS", Channels: []ecgtest.Channel{lead("2:1")}, Frames: make([][]int64, 9)}))[:600],
		"aECG":  "<AnnotatedECG>" + strings.Repeat("<a></a>", 2000),
	} {
		for _, before := range []int{100, len(head)} {
			_, err := ecg.Read(io.MultiReader(strings.NewReader(head[:before]), iotest.ErrReader(broken)), ecg.Limits{})
			if !errors.Is(err, broken) {
				t.Errorf("%s, broken off after %d bytes: %v", name, before, err)
			}
		}
	}
}
