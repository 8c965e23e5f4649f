package mappings_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/internal/hl7"
	"concord/internal/hl7map"
	"concord/mappings"
)

// corpus is the folder of messages that other projects publish, named by CONCORD_CORPUS.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CONCORD_CORPUS")
	if dir == "" {
		t.Skip("CONCORD_CORPUS names no folder of messages")
	}
	return filepath.Join(dir, "hl7v2")
}

// sent is one message of the corpus.
type sent struct {
	name string // its file, and its number there if the file has several
	raw  []byte
}

// messages reads all that is in the corpus. A file that cannot be split is one message.
func messages(t *testing.T) (all []sent) {
	root := corpus(t)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), "expected"):
			return filepath.SkipDir
		case e.IsDir():
			return nil
		}
		name, _ := filepath.Rel(root, path)
		data := read(t, path)
		batch, err := hl7.Split(data, 100_000)
		if err != nil || len(batch.Messages) < 2 {
			all = append(all, sent{name, data})
			return nil
		}
		for i, m := range batch.Messages {
			all = append(all, sent{fmt.Sprintf("%s#%d", name, i+1), m})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// read reads a file, unpacked.
func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return data
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return data
}

// made is a bundle of what a message means.
func made(t *testing.T, r *hl7map.Result) []byte {
	t.Helper()
	type entry struct {
		FullURL  string         `json:"fullUrl"`
		Resource map[string]any `json:"resource"`
	}
	bundle := struct {
		ResourceType string  `json:"resourceType"`
		Entry        []entry `json:"entry"`
	}{ResourceType: "Bundle"}
	for _, one := range r.Resources {
		var body map[string]any
		d := json.NewDecoder(bytes.NewReader(one.Body))
		d.UseNumber()
		if err := d.Decode(&body); err != nil {
			t.Fatalf("%s: %v", one.Rule, err)
		}
		body["id"] = one.Name.ID
		bundle.Entry = append(bundle.Entry, entry{one.Name.String(), body})
	}
	out, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refused are the messages of the corpus that are not taken, and why.
var refused = map[string]string{
	"hostile/hapi_messages_odd_delimiters.txt#1": "MSH: the message does not begin with MSH", // the file's comment
	"hostile/hapi_uuencoded_escaped.txt.gz":      "MSH: the message does not begin with MSH",
	"hostile/hapi_xml-with-xxe.xml":              "the message is in XML",
	"hostile/simhospital_invalid_messages.yml":   "MSH: the message does not begin with MSH",
}

func TestEveryMessageOfTheCorpusIsReadOrRefusedWithItsReason(t *testing.T) {
	n := 0
	for _, m := range messages(t) {
		_, err := hl7.Parse(m.raw, hl7.Limits{})
		switch why := refused[m.name]; {
		case err == nil && why == "":
			n++
		case err == nil:
			t.Errorf("%s is read and was expected to be refused: %s", m.name, why)
		case why == "":
			t.Errorf("%s is refused: %v", m.name, err)
		case !strings.Contains(err.Error(), why):
			t.Errorf("%s is refused for another reason: %v", m.name, err)
		}
	}
	t.Logf("%d messages are read, %d are refused", n, len(refused))
}

func rulesOfHL7v2(t *testing.T) *hl7map.Rules {
	t.Helper()
	rules, err := mappings.HL7v2()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
