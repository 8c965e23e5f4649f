package upload

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEveryStorableFileOfTheCorpusIsRecognised(t *testing.T) {
	corpus := os.Getenv("CONCORD_CORPUS")
	if corpus == "" {
		t.Skip("CONCORD_CORPUS names no folder of real files")
	}
	named := 0
	for _, dir := range []string{"charset", "sop", "transfer-syntax", "derived", "series-ct-3", "fileset-77654033"} {
		filepath.WalkDir(filepath.Join(corpus, "dicom", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".txt") || d.Name() == "DICOMDIR" {
				return err
			}
			head, err := readHead(File{Path: path, open: openFile(path)})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			uid, ok := knowsDICOM(path, head)
			if !ok {
				t.Errorf("%s is not recognised", path)
			}
			if uid != "" {
				named++
			}
			return nil
		})
	}
	if named < 100 {
		t.Errorf("only %d files tell their instance UID", named)
	}
}

func TestWhatIsNotAnInstanceIsNotTakenForOne(t *testing.T) {
	for name, head := range map[string]string{
		"empty":                "",
		"short":                "\x08\x00",
		"zeros":                strings.Repeat("\x00", 400),
		"a picture":            "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 200),
		"text":                 strings.Repeat("DICM ", 100),
		"cut inside preamble":  strings.Repeat("\x00", 100),
		"an HL7 message":       "MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.5.1\r",
		"a DICOMDIR by itself": string(directory()),
	} {
		if uid, ok := knowsDICOM(name, []byte(head)); ok {
			t.Errorf("%s is taken for instance %q", name, uid)
		}
	}
}

// directory is a file meta group of a DICOMDIR.
func directory() []byte {
	b := instance("1.2.3", 0)
	class := "\x02\x00\x02\x00UI\x14\x00" + classDICOMDIR
	return append(append(append([]byte(nil), b[:preambleSize+4]...), class...), b[preambleSize+4:]...)
}

func FuzzKnowsDICOM(f *testing.F) {
	f.Add(instance("1.2.840.99", 10))
	f.Add(instance("1.2.840.99", 10)[preambleSize+4:])
	f.Add(directory())
	f.Fuzz(func(t *testing.T, head []byte) {
		uid, _ := knowsDICOM("", head)
		if len(uid) > longestUID || strings.Trim(uid, "0123456789.") != "" {
			t.Errorf("%q is no UID", uid)
		}
	})
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{"12": 12 * time.Second, "Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": 0} {
		if d, ok := retryAfter(value, now); !ok || d != want {
			t.Errorf("%s: %v %v", value, d, ok)
		}
	}
	for _, value := range []string{"", "-1", "soon"} {
		if _, ok := retryAfter(value, now); ok {
			t.Errorf("%q is taken", value)
		}
	}
}

func TestADoorIsChosenByIdAndTypeAlone(t *testing.T) {
	for in, want := range map[string]string{
		`{"resourceType":"Patient","id":"a"}`:                            "PUT /fhir/Patient/a",
		`{"resourceType":"Patient"}`:                                     "POST /fhir/Patient",
		`{"resourceType":"Bundle","type":"batch","id":"b"}`:              "POST /fhir",
		`{"resourceType":"Bundle","type":"collection","id":"b"}`:         "PUT /fhir/Bundle/b",
		`{"resourceType":"Organization","id":"o","type":[{"text":"a"}]}`: "PUT /fhir/Organization/o",
		`{"resourceType":"Patient","id":"../../oauth/token?x=1"}`:        "PUT /fhir/Patient/..%2F..%2Foauth%2Ftoken%3Fx=1",
	} {
		var r resource
		if err := json.Unmarshal([]byte(in), &r); err != nil {
			t.Error(err)
		}
		if method, path := r.door(); method+" "+path != want {
			t.Errorf("%s goes to %s %s, expected %s", in, method, path, want)
		}
	}
}
