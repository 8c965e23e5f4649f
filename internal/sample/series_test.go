package sample

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/suyashkumar/dicom"
	"github.com/suyashkumar/dicom/pkg/tag"

	"concord/hub"
)

var noon = time.Date(2026, 11, 20, 12, 30, 0, 0, time.FixedZone("CST", 8*3600))

func zhang() *Person {
	p := NewPerson(7)
	p.Family, p.Given, p.FamilyPinyin, p.GivenPinyin = "张", "伟", "Zhang", "Wei"
	return &p
}

func series(t *testing.T, seed uint64, o Options) (files []File) {
	t.Helper()
	for f, err := range CTSeries(seed, o) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	o := Options{Slices: 2, Rows: 64, Columns: 96, Time: noon}
	a, b, other := series(t, 5, o), series(t, 5, o), series(t, 6, o)
	for i := range a {
		if !bytes.Equal(a[i].Bytes(), b[i].Bytes()) {
			t.Errorf("slice %d differs from itself", i)
		}
		if a[i].InstanceUID == other[i].InstanceUID || bytes.Equal(a[i].Pixels, other[i].Pixels) {
			t.Errorf("slice %d is the same for another seed", i)
		}
	}
}

func TestAnotherReaderUnderstandsTheSeries(t *testing.T) {
	files := series(t, 3, Options{Slices: 3, Rows: 96, Columns: 128, Time: noon, Person: zhang()})
	if len(files) != 3 {
		t.Fatalf("%d files", len(files))
	}
	for i, f := range files {
		all, err := io.ReadAll(f.Reader())
		if err != nil || !bytes.Equal(all, f.Bytes()) || int64(len(all)) != f.Size() {
			t.Fatal("Reader, Bytes and Size disagree")
		}
		ds, err := dicom.Parse(bytes.NewReader(all), f.Size(), nil)
		if err != nil {
			t.Fatal(err)
		}
		text := func(of tag.Tag) string {
			e, err := ds.FindElementByTag(of)
			if err != nil {
				t.Fatalf("%s: %v", of, err)
			}
			return strings.Trim(e.Value.String(), "[]")
		}
		for of, want := range map[tag.Tag]string{
			tag.SOPInstanceUID: f.InstanceUID, tag.MediaStorageSOPInstanceUID: f.InstanceUID, tag.StudyInstanceUID: f.StudyUID,
			tag.SeriesInstanceUID: f.SeriesUID, tag.PatientName: "Zhang^Wei=张^伟", tag.StudyDescription: "胸部CT平扫",
			tag.BodyPartExamined: "CHEST", tag.StudyDate: "20261120", tag.Rows: "96", tag.Columns: "128",
			tag.InstanceNumber: string(rune('1' + i)),
		} {
			if got := text(of); got != want {
				t.Errorf("slice %d: %s is %q, want %q", i, of, got, want)
			}
		}
		e, err := ds.FindElementByTag(tag.PixelData)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := dicom.MustGetPixelDataInfo(e.Value).Frames[0].GetNativeFrame()
		if err != nil || frame.Rows() != 96 || frame.Cols() != 128 {
			t.Fatalf("slice %d: %v", i, err)
		}
	}
}

func TestIdentifiersFitTheirFields(t *testing.T) {
	uid := regexp.MustCompile(`^2\.25\.(0|[1-9][0-9]{0,38})$`)
	seen := map[string]bool{}
	for f, err := range Bench(1, 250, Options{Slices: 100, Rows: 16, Columns: 16, Time: noon}) {
		if err != nil {
			t.Fatal(err)
		}
		if !uid.MatchString(f.InstanceUID) || seen[f.InstanceUID] || !bytes.Contains(f.Head, []byte(f.InstanceUID)) {
			t.Fatalf("%s is malformed, repeated or not written", f.InstanceUID)
		}
		seen[f.InstanceUID] = true
		seen[f.StudyUID+" study"] = true
	}
	if len(seen) != 250+3 {
		t.Errorf("%d instances and studies, want 253", len(seen))
	}
}

func TestWhatTheBodyShowsHasItsDensity(t *testing.T) {
	const n = 256
	p := NewPhantom(4, false)
	mean := func(px []int16, x, y float64) int {
		pitch := fieldOfView / n
		column, row := int(x/pitch+n/2), int(y/pitch+n/2)
		sum := 0
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				sum += int(px[(row+dy)*n+column+dx])
			}
		}
		return sum / 25
	}
	top, heartLevel, low := p.Slice(-70, n, n), p.Slice(-212, n, n), p.Slice(-280, n, n)
	for _, c := range []struct {
		name     string
		got      int
		from, to int
	}{
		{"air beside the body", mean(heartLevel, -180, -150), -1024, -960},
		{"air in the trachea", mean(top, 0, 7), -1024, -900},
		{"lung", mean(heartLevel, -85, -20), -940, -750},
		{"blood in the left ventricle", mean(heartLevel, 46, -8), 20, 70},
		{"liver", mean(low, -60, 0), 40, 80},
		{"nodule", mean(p.Slice(p.Nodule.Z, n, n), p.Nodule.X, p.Nodule.Y), -100, 60},
	} {
		if c.got < c.from || c.got > c.to {
			t.Errorf("%s: %d HU, want %d to %d", c.name, c.got, c.from, c.to)
		}
	}
	if blood := mean(NewPhantom(4, true).Slice(-212, n, n), 46, -8); blood < 180 {
		t.Errorf("contrast medium leaves the blood at %d HU", blood)
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"no time":               {},
		"a negative number":     {Time: noon, Slices: -1},
		"a gigantic matrix":     {Time: noon, Rows: 1 << 20},
		"an odd character set":  {Time: noon, CharacterSet: "ISO_IR 100"},
		"too many slices asked": {Time: noon, Slices: 1 << 20},
	} {
		for _, err := range CTSeries(1, o) {
			if !hub.Is(err, hub.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, err := range Bench(1, 1, o) {
			if !hub.Is(err, hub.Invalid) {
				t.Errorf("%s in a bench: %v", name, err)
			}
		}
	}
}

// TestDcmtkAgrees asks a second implementation, once for each character set and pixel representation.
func TestDcmtkAgrees(t *testing.T) {
	tool, err := exec.LookPath("dcm2json")
	if err != nil {
		t.Skip("skipped: dcm2json of dcmtk is not on PATH")
	}
	for _, o := range []Options{{}, {CharacterSet: gb18030Set, Signed: true, Enhanced: true}} {
		o.Slices, o.Rows, o.Columns, o.Time, o.Person = 1, 128, 128, noon, zhang()
		f := series(t, 9, o)[0]
		path := filepath.Join(t.TempDir(), "slice.dcm")
		if err := os.WriteFile(path, f.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, path).Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", o.CharacterSet, err, out)
		}
		var ds map[string]struct {
			VR    string
			Value []any
		}
		if err := json.Unmarshal(out, &ds); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"0020000D": f.StudyUID, "00180015": "CHEST", "00281052": float64(intercept), "00280103": 0.0}
		want["00081030"] = "胸部CT平扫"
		if o.Signed {
			want["00280103"], want["00081030"], want["00180010"] = 1.0, "胸部CT增强", "碘海醇"
		}
		for of, v := range want {
			if got := ds[of].Value; len(got) != 1 || got[0] != v {
				t.Errorf("%s: %s is %v, want %v", o.CharacterSet, of, got, v)
			}
		}
		name, _ := ds["00100010"].Value[0].(map[string]any)
		if name["Alphabetic"] != "Zhang^Wei" || name["Ideographic"] != "张^伟" {
			t.Errorf("%s: the name is %v", o.CharacterSet, name)
		}
	}
}

func BenchmarkSlice(b *testing.B) {
	p := NewPhantom(1, false)
	for b.Loop() {
		p.Slice(-150, 512, 512)
	}
}

func BenchmarkInstances(b *testing.B) {
	n := 0
	for f, err := range Bench(1, b.N+1, Options{Slices: 200, Time: noon}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n == 1 {
			b.ResetTimer()
			b.SetBytes(f.Size())
		}
	}
}

func BenchmarkInstancesCopied(b *testing.B) {
	n := 0
	for f := range Bench(1, b.N+1, Options{Slices: 200, Time: noon}) {
		if n++; n == 1 {
			b.ResetTimer()
			b.SetBytes(f.Size())
		}
		if int64(len(f.Bytes())) != f.Size() {
			b.Fatal("short")
		}
	}
}
