package mappings_test

import (
	"encoding/json"
	"strings"
	"testing"

	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// TestNothingOfAnObservationIsLost: what stands in OBX and NTE, files in ED included, is in the resources, or named as
// unread and in the message that is kept. Kept are the bytes as sent: read again, they say the same.
func TestNothingOfAnObservationIsLost(t *testing.T) {
	rules := rulesOfHL7v2(t)
	inResources, inSource, unread := map[string]int{}, map[string]int{}, 0
	for _, m := range messages(t) {
		msg, err := hl7.Parse(m.raw, hl7.Limits{})
		if err != nil {
			continue
		}
		again, err := hl7.Parse(m.raw, hl7.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		var said string
		named := map[string]bool{}
		if r, err := rules.Map(msg, hl7map.Options{Member: "m1"}); err == nil {
			said = texts(t, made(t, r))
			for _, place := range r.Unread {
				named[place] = true
			}
		}
		for v := range msg.Leaves() {
			at := v.Place()
			if at.Segment != "OBX" && at.Segment != "NTE" {
				continue
			}
			field := at.Segment + "-" + strings.SplitN(hl7.Place{Segment: "X", Field: at.Field}.String(), "-", 2)[1]
			switch kept := again.At(at).Raw(); {
			case kept != v.Raw():
				t.Errorf("%s: %v is not in what is kept", m.name, at)
			case strings.Contains(said, squeezed(v.Text())):
				inResources[field]++
			default:
				inSource[field]++
				if named[at.String()] {
					unread++
				}
			}
		}
	}
	made, kept := 0, 0
	for _, n := range inResources {
		made += n
	}
	for _, n := range inSource {
		kept += n
	}
	t.Logf("%d values are in the resources, %d in the kept message only, of which %d are named as unread", made, kept, unread)
	t.Logf("kept only: %v", inSource)
	if made == 0 {
		t.Error("no value of an observation is in a resource")
	}
}

// texts is all strings and numbers of a JSON text, a line each.
func texts(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, m := range v {
				walk(m)
			}
		case []any:
			for _, m := range v {
				walk(m)
			}
		case string:
			b.WriteString(squeezed(v))
			b.WriteByte('\n')
		case json.Number:
			b.WriteString(v.String())
			b.WriteByte('\n')
		}
	}
	walk(v)
	return b.String()
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), " ") }
