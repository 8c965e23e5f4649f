package draw

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

// TestEveryElectrocardiogramOfTheCorpusIsDrawn writes the pictures to the folder of CONCORD_PICTURES, for people to look at.
func TestEveryElectrocardiogramOfTheCorpusIsDrawn(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS names no corpus: no real recordings are drawn")
	}
	files, err := filepath.Glob(filepath.Join(corpus, "ecg", "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings in the corpus", err)
	}
	drawn := 0
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ecg.Read(f, ecg.Limits{})
		f.Close()
		if err != nil {
			t.Logf("%s: %v", filepath.Base(name), err)
			continue
		}
		base := filepath.Base(name)
		for i := range rec.Groups {
			pictures(t, base+"-"+strconv.Itoa(i), rec, Options{Group: i})
		}
		if twelve(signals(rec.Groups[0])) {
			pictures(t, base+"-6x2", rec, Options{Layout: SixByTwo, Language: Chinese})
			pictures(t, base+"-12x1", rec, Options{Layout: TwelveByOne})
		}
		pictures(t, base+"-strip", rec, Options{Layout: Strip, Speed: 50, Seconds: 4, From: 1e-3})
		drawn++
	}
	if drawn < 5 {
		t.Errorf("only %d recordings could be drawn", drawn)
	}
}

func TestGeneratedRecordingsAreDrawnInEveryLayout(t *testing.T) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	for _, layout := range Layouts() {
		pictures(t, "generated-"+string(layout), rec, Options{Layout: layout, Language: Chinese})
	}
}

func pictures(t *testing.T, name string, rec *ecg.Recording, o Options) {
	t.Helper()
	if os.Getenv("CONCORD_PICTURES") == "" {
		o.PixelsPerMM = 2 // nobody looks
	}
	for kind, write := range map[string]func(*bytes.Buffer) error{
		".svg": func(b *bytes.Buffer) error { return SVG(b, rec, o) },
		".png": func(b *bytes.Buffer) error { return PNG(b, rec, o) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Errorf("%s%s: %v", name, kind, err)
			continue
		}
		if dir := os.Getenv("CONCORD_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+kind), b.Bytes(), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

func BenchmarkPNGOfTwelveLeads(b *testing.B) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	for b.Loop() {
		var out bytes.Buffer
		if err := PNG(&out, rec, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSVGOfTwelveLeads(b *testing.B) {
	rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
	for b.Loop() {
		var out bytes.Buffer
		if err := SVG(&out, rec, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
