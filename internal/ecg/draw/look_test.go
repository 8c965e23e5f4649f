package draw

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"concord/internal/ecg"
	"concord/internal/ecg/ecgtest"
)

func TestLook(t *testing.T) {
	dir := os.Getenv("LOOK")
	if dir == "" {
		t.Skip()
	}
	write := func(name string, rec *ecg.Recording, o Options) {
		var p, s bytes.Buffer
		if err := PNG(&p, rec, o); err != nil {
			t.Error(name, err)
			return
		}
		SVG(&s, rec, o)
		os.WriteFile(filepath.Join(dir, name+".png"), p.Bytes(), 0o644)
		os.WriteFile(filepath.Join(dir, name+".svg"), s.Bytes(), 0o644)
		t.Log(name, p.Len(), s.Len())
	}
	if len(os.Getenv("LOOKFILES")) == 0 {
		rec := ecgtest.Twelve(500, 10, ecgtest.Heart)
		write("gen-3x4", rec, Options{Language: Chinese})
		write("gen-6x2", rec, Options{Layout: SixByTwo})
		write("gen-12x1", rec, Options{Layout: TwelveByOne})
		write("gen-strip", rec, Options{Layout: Strip, Seconds: 3, Speed: 50, Gain: 20, From: 1})
	}
	files, _ := filepath.Glob(os.Getenv("LOOKFILES"))
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ecg.Read(f, ecg.Limits{})
		if err != nil {
			t.Log(name, err)
			continue
		}
		for _, g := range rec.Groups {
			t.Log(name, g.Kind, g.Label, g.Rate, g.Duration(), len(g.Leads), g.Filters, rec.Remarks)
		}
		for i := range rec.Groups {
			if i < 4 {
				write(filepath.Base(name)+"-"+string(rune('0'+i)), rec, Options{Group: i})
			}
		}
		write(filepath.Base(name)+"-6x2", rec, Options{Layout: SixByTwo, Language: Chinese})
		write(filepath.Base(name)+"-12x1", rec, Options{Layout: TwelveByOne})
	}
}
