package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tell plays the demo on a data folder and returns what it printed.
func tell(t *testing.T, data string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var out strings.Builder
	cmd := root()
	cmd.SetArgs([]string{"serve", "--demo-exit", "--data", data, "--listen", "127.0.0.1:0", "--dimse", "127.0.0.1:0", "--mllp", "127.0.0.1:0"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Fatalf("the demo ends with %v after printing:\n%s", err, out.String())
	}
	return out.String()
}

func TestTheDemoTellsItsStoryAndTellsItAgainOnTheSameData(t *testing.T) {
	data := t.TempDir()
	first := tell(t, data)
	at := 0
	for _, step := range []string{
		"青山县人民医院", "secret ", "token ",
		"━━ 1 ", "POST", "/fhir/Patient", "201 Created",
		"━━ 2 ", "C-STORE CONCORD", "12 × 0000 Success", "12 instances are durable",
		"━━ 3 ", "27 created",
		"━━ 4 ", "MLLP 127.0.0.1:", "ORU^R01", "MSA|AA|", "provenance",
		"━━ 5 ", "/ecg", "Signal quality",
		"━━ 6 ", "PatientID=", "One study was found",
		"━━ 7 ", "/frames/1", "byte for byte",
		"━━ 8 ", "718-7", "血红蛋白",
		"━━ 9 ", "/fhir/Person/", "4 Patients are one person", "finds the TSH of the other centre",
		"━━ 10 ", "$find-recognisable", "outcome recognisable", "✓  region-covered", "检查部位覆盖", "in-window",
		"━━ 11 ", "outcome not-recognisable", "✗  region-other", "outcome exempt",
		"━━ 12 ", "recognition-order-select", "胸部CT平扫", "促甲状腺激素", "十二导联心电图", "/feedback",
		"━━ 13 ", "/recognition/statistics", "3 offered, 2 accepted, 1 declined",
		"━━ 14 ", "‹heping›", "outcome recognisable", "肌酐", "outcome recognisable",
		"━━ 15 ", "401 Unauthorized", "401 Unauthorized", "403 Forbidden",
		"The story is told", "DICOM", "CONCORD @ 127.0.0.1:", "curl ", "bin/concord upload", "storescu -aet HEPING -aec CONCORD 127.0.0.1 ", "findscu ",
	} {
		i := strings.Index(first[at:], step)
		if i < 0 {
			t.Fatalf("the story lacks %q behind byte %d:\n%s", step, at, first)
		}
		at += i + len(step)
	}
	for _, line := range strings.Split(first, "\n") {
		if strings.Contains(line, "eyJ") || strings.Contains(line, "http://") && !strings.Contains(line, "→") || strings.Contains(line, "scu ") {
			continue // tokens and commands to paste stay in one piece
		}
		if n := len([]rune(line)); n > 100 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}

	second := tell(t, data)
	if strings.Contains(second, "secret ") {
		t.Error("a secret is shown that cannot be known any more")
	}
	for _, want := range []string{"0 created, 27 were there before", "One study was found", "outcome recognisable"} {
		if !strings.Contains(second, want) {
			t.Errorf("told again, the story lacks %q", want)
		}
	}
	token := regexp.MustCompile(`LEAD=(\S+)`)
	if a, b := token.FindString(first), token.FindString(second); a == "" || a == b {
		t.Error("the tokens of the second start are those of the first")
	}
}
