package mappings

import (
	"strings"
	"testing"
	"time"

	"concord/hub"
	"concord/hub/recognition"
)

func TestTheStarterCatalogueIsClean(t *testing.T) {
	c, err := Recognition()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Items) < 60 || c.Version == "" {
		t.Errorf("%d items, version %q", len(c.Items), c.Version)
	}
	for id, want := range map[string]time.Duration{"ct-chest-plain": 30 * 24 * time.Hour, "hba1c": 60 * 24 * time.Hour, "ecg-resting": 24 * time.Hour, "troponin-i": 0} {
		if got := c.Item(id).Windows.Default; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if got := c.Item("potassium").Windows.ByClass["IMP"]; got != 24*time.Hour {
		t.Errorf("potassium of inpatients: %s", got)
	}
	for _, i := range c.Items {
		if found := c.ItemOf(recognition.Exam{Text: []string{i.Chinese}}); found == nil || found.ID != i.ID {
			t.Errorf("%s is not found by its own name", i.ID)
		}
		for _, code := range i.Codes {
			if found := c.ItemOf(recognition.Exam{Codes: []recognition.Coding{code}}); found == nil || found.ID != i.ID {
				t.Errorf("%s is not found by %s", i.ID, code.Code)
			}
		}
	}
}

func TestFaultsAreNamedWithTheirLine(t *testing.T) {
	const head = "version: v1\nitems:\n"
	const good = "  - {id: a, kind: laboratory, zh: 甲, en: A, loinc: [718-7], window: 3d, source: D}\n"
	for _, c := range []struct{ name, text, want string }{
		{"an id given twice", head + good + strings.Replace(strings.Replace(good, "甲", "乙", 1), "en: A, loinc: [718-7]", "en: B, loinc: [777-3]", 1), `f.yaml:4: item a: id "a" belongs to item a already`},
		{"a code given twice", head + good + "  - {id: b, kind: laboratory, zh: 乙, en: B, loinc: [718-7], window: 3d, source: D}\n", "f.yaml:4: item b: code"},
		{"an alias given twice", head + good + "  - {id: b, kind: laboratory, zh: 甲, en: B, loinc: [777-3], window: 3d, source: D}\n", "f.yaml:4: item b: alias"},
		{"a wrong check digit", head + strings.Replace(good, "718-7", "718-8", 1), "f.yaml:3: item a: \"718-8\" is no LOINC code"},
		{"a window without unit", head + strings.Replace(good, "3d", "3", 1), "line 3: \"3\" is no window"},
		{"a window of weeks", head + strings.Replace(good, "3d", "2w", 1), "line 3: \"2w\" is no window"},
		{"a negative window", head + strings.Replace(good, "3d", "-3d", 1), "line 3: \"-3d\" is no window"},
		{"a class that is not", head + strings.Replace(good, "3d", "{default: 3d, XYZ: 1d}", 1), "\"XYZ\" is no class of encounter"},
		{"windows without default", head + strings.Replace(good, "3d", "{IMP: 1d}", 1), "need a default"},
		{"no window", head + strings.Replace(good, "window: 3d, ", "", 1), "f.yaml:3: item a: the item needs a window"},
		{"no source", head + strings.Replace(good, ", source: D", "", 1), "f.yaml:3: item a: source"},
		{"a misspelt column", head + strings.Replace(good, "source", "sauce", 1), "field sauce not found"},
		{"an image without region", head + "  - {id: a, kind: imaging, zh: 甲, en: A, modalities: [CT], window: 3d, source: D}\n", "f.yaml:3: item a: an imaging item needs"},
		{"a region nobody says", head + "  - {id: a, kind: imaging, zh: 甲, en: A, modalities: [CT], regions: [TOE], window: 3d, source: D}\n", "no word says region TOE"},
		{"a contrast that is not", head + strings.Replace(good, "source: D", "source: D, contrast: some", 1), "\"some\" is not known here"},
		{"no version", strings.Replace(head, "version: v1\n", "", 1) + good, "f.yaml: catalogue: a catalogue needs a version"},
		{"a word said twice", head + good + "words:\n  - {say: [CT], modalities: [CT]}\n  - {say: [ct], modalities: [CT]}\n", "f.yaml:6: word ct: \"ct\" is said before"},
		{"a word without meaning", head + good + "words:\n  - {say: [CT]}\n", "f.yaml:5: word CT"},
		{"an exception without reason", head + good + "exemptions: [{flag: x, reason: because, zh: 甲, en: A, source: D}]\n", "f.yaml:4: exemption x: \"because\" is no coded reason"},
		{"an empty file", "", "read the catalogue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseRecognition("f.yaml", []byte(c.text))
			if !hub.Is(err, hub.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := ParseRecognition("f.yaml", []byte(head+good)); err != nil {
		t.Errorf("a good file: %v", err)
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := ParseRecognition("f.yaml", []byte("version: v1\nitems:\n  - {id: A, kind: x, window: 0}\n"))
	if err == nil || strings.Count(err.Error(), "f.yaml:3") < 4 {
		t.Errorf("%v", err)
	}
}

func FuzzACatalogueFromOutsideIsReadOrRefused(f *testing.F) {
	f.Add([]byte("version: v1\nitems: [{id: a, kind: laboratory, zh: 甲, en: A, loinc: [718-7], window: 3d, source: D}]\n"))
	f.Add([]byte("version: v1\nitems: [{id: a, window: {default: 3d}}]\n"))
	f.Add([]byte("items: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRecognition("f.yaml", data); err == nil && len(c.Items) == 0 {
			t.Error("a catalogue without items is accepted")
		}
	})
}
