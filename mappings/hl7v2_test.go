package mappings

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/internal/fhir"
	"concord/internal/hl7"
	"concord/internal/hl7map"
)

func TestTheHL7v2MappingsAreRight(t *testing.T) {
	if _, err := HL7v2(); err != nil {
		t.Fatal(errorLines(err))
	}
}

func errorLines(err error) string {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range list.Unwrap() {
		b.WriteString(e.Error() + "\n")
	}
	return b.String()
}

// corpusMessages are the messages of the corpus that can be read, by file.
func corpusMessages(t *testing.T) map[string][]*hl7.Message {
	root := os.Getenv("CONCORD_CORPUS")
	if root == "" {
		t.Skip("CONCORD_CORPUS is not set: no real messages are mapped")
	}
	all := map[string][]*hl7.Message{}
	err := filepath.WalkDir(filepath.Join(root, "hl7v2"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(p, "expected-") {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if strings.HasSuffix(p, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				return err
			}
			if data, err = io.ReadAll(z); err != nil {
				return err
			}
		}
		data = append([]byte("\r"), bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\n"), []byte("\r"))...)
		for i, one := range bytes.Split(data, []byte("\rMSH")) {
			if i == 0 {
				continue
			}
			if m, err := hl7.Parse(append([]byte("MSH"), one...), hl7.Limits{}); err == nil {
				name := strings.TrimPrefix(p, root)
				all[name] = append(all[name], m)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatIsMadeOfTheCorpusIsFHIR(t *testing.T) {
	rules, err := HL7v2()
	if err != nil {
		t.Fatal(errorLines(err))
	}
	mapped := 0
	for file, list := range corpusMessages(t) {
		for _, m := range list {
			res, err := rules.Map(m, hl7map.Options{Member: "m"})
			if err != nil {
				continue
			}
			mapped++
			for _, r := range res.Resources {
				doc, err := fhir.Parse(r.Body, fhir.Limits{})
				if err == nil {
					err = doc.Check()
				}
				if err != nil {
					t.Errorf("%s: %s of rule %s: %s\n%.1500s", file, r.Name.Type, r.Rule, errorLines(err), r.Body)
				}
			}
		}
	}
	t.Logf("%d messages mapped", mapped)
}
