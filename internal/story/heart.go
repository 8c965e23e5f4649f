package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"concord/internal/ecg/export"
	"concord/internal/sample"
)

// heart is an electrocardiogram of a third institution's cart, in the format that carts send, and what the lead hospital sees of it.
func (t *teller) heart(ctx context.Context) error {
	t.scene("第三家机构上传心电图", "a third institution's cart sends an electrocardiogram")
	_, at, err := t.enrol(ctx, t.Cast.Xihe, -1)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := export.AECG(&file, sample.ECG(t.seed, t.person, t.night), sample.UUID(t.seed, "ecg", 0)); err != nil {
		return err
	}
	t.both("HL7 aECG 文件原样保存，同时成为 Observation 与 DiagnosticReport；设备的判读不是医师的诊断。",
		"The HL7 aECG file is kept as it is and becomes an Observation and a DiagnosticReport; what a device states is no physician's reading.")
	a, err := t.do(ctx, call{who: t.Cast.Xihe, method: http.MethodPost, path: "/ecg", body: file.Bytes(), want: []int{201, 200}, headers: []string{"Content-Type", "application/xml"}})
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(a.header.Get("Location"), "/ecg/")
	found, err := t.quiet(ctx, t.Cast.Lead, "/fhir/Observation?patient="+at+"&code=http://loinc.org|11524-6")
	if err != nil {
		return err
	}
	var got struct {
		Entry []struct{ Resource struct{ ID string } }
	}
	if err := found.decode(&got); err != nil {
		return err
	}
	if len(got.Entry) == 0 || got.Entry[0].Resource.ID != id {
		return fmt.Errorf("the lead hospital does not find the electrocardiogram: %.300s", found.body)
	}
	a, err = t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/ecg/" + id + "/quality", want: []int{200}})
	if err != nil {
		return err
	}
	var quality struct{ Score int }
	if err := json.Unmarshal(a.body, &quality); err != nil {
		return err
	}
	picture, err := t.quiet(ctx, t.Cast.Lead, "/ecg/"+id+"/svg?layout=3x4")
	if err != nil {
		return err
	}
	if picture.status != http.StatusOK || !bytes.HasPrefix(picture.body, []byte("<svg")) {
		return fmt.Errorf("the electrocardiogram has no picture: %d %.300s", picture.status, picture.body)
	}
	t.check(fmt.Sprintf("信号质量 %d；25 mm/s、10 mm/mV 的图在 %s/ecg/%s/svg", quality.Score, t.Base, id),
		fmt.Sprintf("Signal quality %d; the picture, at 25 mm/s and 10 mm/mV, is at that address.", quality.Score))
	return nil
}
