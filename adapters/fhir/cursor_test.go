package fhir

import (
	"encoding/json"
	"reflect"
	"testing"

	"concord/hub"
)

func TestACursorIsGoodForItsOwnSearchOnly(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	at := &hub.Position{Values: []float64{1.7e12, 0}, Missing: []bool{false, true}, Num: 42, Partition: "records"}
	sealed := sealCursor(key, "Observation?code=x", at)
	var got *hub.Position
	err := openCursor(key, "Observation?code=x", sealed, &got)
	if err != nil || !reflect.DeepEqual(got, at) {
		t.Fatalf("opened %+v, %v; want %+v", got, err, at)
	}
	for say, open := range map[string]func() error{
		"another search": func() error { return openCursor(key, "Observation?code=y", sealed, &got) },
		"another hub":    func() error { return openCursor([]byte("other"), "Observation?code=x", sealed, &got) },
		"cut":            func() error { return openCursor(key, "Observation?code=x", sealed[:len(sealed)-2], &got) },
		"made up":        func() error { return openCursor(key, "Observation?code=x", "AAAA", &got) },
		"no base64":      func() error { return openCursor(key, "Observation?code=x", "?", &got) },
	} {
		if err := open(); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v, want Invalid", say, err)
		}
	}
}

func TestEntityTagsAreReadInTheirForms(t *testing.T) {
	for tag, want := range map[string]uint64{"": 0, `W/"3"`: 3, `"12"`: 12, `7`: 7} {
		if got, err := parseIfMatch(tag); err != nil || got != want {
			t.Errorf("parseIfMatch(%q) = %d, %v; want %d", tag, got, err, want)
		}
	}
	for _, tag := range []string{"*", `W/"0"`, `W/"abc"`, `W/"-1"`} {
		if _, err := parseIfMatch(tag); !hub.Is(err, hub.Invalid) {
			t.Errorf("parseIfMatch(%q): %v, want Invalid", tag, err)
		}
	}
}

func TestTheBundleWriterQuotesWhatItIsGiven(t *testing.T) {
	b := newBundle("searchset", 1)
	b.link("self", "http://h/fhir/Patient?name=\"\\\n&x=1")
	b.hit("http://h/fhir", &hub.Record{Name: hub.Name{Type: "Patient", ID: "1"}, Body: []byte(`{"resourceType":"Patient"}`)}, "match")
	body := joined(t, b)
	if _, err := parseJSON(body); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	if _, err := parseJSON(joined(t, newBundle("searchset", 0))); err != nil {
		t.Errorf("an empty bundle: %v", err)
	}
}

func joined(t *testing.T, b *bundleWriter) (body []byte) {
	all, err := b.pieces()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		body = append(body, p.text...)
	}
	return body
}

func parseJSON(data []byte) (v any, err error) {
	err = json.Unmarshal(data, &v)
	return v, err
}
