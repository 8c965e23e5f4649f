package laboratory_test

import (
	"encoding/json"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/laboratory"
)

// What nobody can read of images waits in the queue with the codes of laboratories, once for each member and description.
func TestDescriptionsOfImagesWaitInTheQueue(t *testing.T) {
	w := newWorld(t, newHouse(t))
	known := map[string]bool{"胸部CT平扫": true}
	d := &laboratory.Descriptions{Writer: w.writer, Unread: func(study *hub.Record) (string, []string, error) {
		var r struct {
			Description string
			Meta        struct{ Source string }
		}
		if err := json.Unmarshal(study.Body, &r); err != nil || known[r.Description] {
			return "", nil, err
		}
		return strings.TrimPrefix(r.Meta.Source, "urn:concord:member:"), []string{r.Description}, nil
	}}
	w.watches = []*laboratory.Watch{{Name: "descriptions", Type: "ImagingStudy", Follower: w.follower, Writer: w.writer, Derive: d.Derive}}
	for id, text := range map[string]string{"1": "某特殊扫描", "2": "某特殊扫描", "3": "胸部CT平扫"} {
		w.write(laboratory.Origin, `{"resourceType":"ImagingStudy","id":"`+id+`","meta":{"source":"urn:concord:member:village"},"status":"available","subject":{"reference":"Patient/1"},"description":"`+text+`"}`)
	}
	w.derive()
	w.derive()
	w.queue.Read = func(text string) bool { return known[text] }
	list, err := w.queue.List(t.Context(), as("village"), "", 3)
	if err != nil || len(list) != 1 || list[0].Name != "某特殊扫描" || list[0].Kind != laboratory.Images || list[0].Settled || !strings.HasPrefix(list[0].Example, "ImagingStudy/") {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := w.queue.List(t.Context(), as("county"), "village", 0); !hub.Is(err, hub.Forbidden) {
		t.Errorf("another member sees them: %v", err)
	}
	known["某特殊扫描"] = true
	if list, err := w.queue.List(t.Context(), access.NewCaller("county", "integration system/*.cruds", "t"), "", 0); err != nil || len(list) != 0 {
		t.Errorf("what is understood by now still waits: %+v %v", list, err)
	}
}
