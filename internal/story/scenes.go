package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"concord/internal/dicom"
	"concord/internal/sample"
)

// register: the centre creates the patient, unless it has done so before.
func (t *teller) register(ctx context.Context) error {
	t.scene("基层登记患者", "the centre registers a patient")
	p := t.person
	t.both(fmt.Sprintf("%s登记患者%s%s：身份证号、健康卡号、病案号。", t.Cast.Linjiang.Name, p.Family, p.Given),
		fmt.Sprintf("%s registers %s %s, with identity card, health card and record number.", t.Cast.Linjiang.English, p.FamilyPinyin, p.GivenPinyin))
	a, id, err := t.enrol(ctx, t.Cast.Linjiang, 0)
	if err != nil {
		return err
	}
	t.patient = id
	if a.status == http.StatusCreated {
		t.check("已登记："+t.patient, "Registered.")
	} else {
		t.check("此前已登记，不会重复："+t.patient, "Registered before, and not twice: If-None-Exist found the number.")
	}
	return nil
}

// scan: the centre sends a CT series, by C-STORE where the hub takes associations.
func (t *teller) scan(ctx context.Context) error {
	t.scene("基层上传影像", "the centre uploads a chest CT")
	for f, err := range sample.CTSeries(t.seed, sample.Options{Slices: slices, Rows: edge, Columns: edge, Person: &t.person, Time: t.taken, Institution: t.Cast.Linjiang.Name}) {
		if err != nil {
			return fmt.Errorf("render the CT: %w", err)
		}
		t.ct = append(t.ct, f)
	}
	t.study = t.ct[0].StudyUID
	t.both(fmt.Sprintf("昨日 9:30 的胸部 CT 平扫，%d 层，%d×%d。Patient ID 即病案号，影像因此归到该患者名下。", slices, edge, edge),
		fmt.Sprintf("A plain chest CT of yesterday 9:30, %d slices of %d×%d. Its Patient ID is the record number, by which the study is linked to the patient.", slices, edge, edge))
	if t.DICOM != "" {
		if err := t.send(ctx); err != nil {
			return err
		}
	} else if err := t.stow(ctx); err != nil {
		return err
	}
	t.check(fmt.Sprintf("%d 个实例已落盘并进入日志。", slices), fmt.Sprintf("%d instances are durable and in the log.", slices))
	return nil
}

// stow sends the series by STOW-RS (PS3.18 10.5), where the hub takes no associations.
func (t *teller) stow(ctx context.Context) error {
	body, boundary := related(t.ct)
	a, err := t.do(ctx, call{who: t.Cast.Linjiang, method: http.MethodPost, path: "/dicom-web/studies", body: body, want: []int{200},
		headers: []string{"Content-Type", `multipart/related; type="application/dicom"; boundary=` + boundary, "Accept", "application/dicom+json"}})
	if err != nil {
		return err
	}
	var got map[string]struct{ Value []json.RawMessage }
	if err := a.decode(&got); err != nil {
		return err
	}
	if n := len(got["00081199"].Value); n != slices {
		return fmt.Errorf("the hub lists %d instances as stored, %d were sent", n, slices)
	}
	return nil
}

// related packs instances as multipart/related.
func related(files []sample.File) (body []byte, boundary string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	w.SetBoundary("concord-demo-boundary")
	for _, f := range files {
		part, _ := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/dicom"}})
		part.Write(f.Head)
		part.Write(f.Pixels)
	}
	w.Close()
	return b.Bytes(), w.Boundary()
}

const labNumbers = "urn:concord:sample:laboratory"

// laboratory: the centre's laboratory sends a day's results as one transaction.
func (t *teller) laboratory(ctx context.Context) error {
	t.scene("基层上传检验", "the centre's laboratory sends results")
	n := len(sample.Analytes())
	t.both(fmt.Sprintf("血常规、肝肾功能、电解质、血糖、血脂共 %d 项，作为一个事务：要么全部，要么没有。", n),
		fmt.Sprintf("%d results as one transaction: all of them, or none.", n))
	var entries []any
	for i, o := range sample.LabObservations(t.seed, t.patient, n, t.taken.Add(-time.Hour)) {
		number := sample.UUID(t.seed, "observation", i)
		o = append([]byte(`{"identifier":[{"system":"`+labNumbers+`","value":"`+number+`"}],`), o[1:]...)
		entries = append(entries, object{"fullUrl": "urn:uuid:" + number, "resource": json.RawMessage(o),
			"request": object{"method": "POST", "url": "Observation", "ifNoneExist": "identifier=" + labNumbers + "|" + number}})
	}
	body, err := json.Marshal(object{"resourceType": "Bundle", "type": "transaction", "entry": entries})
	if err != nil {
		return err
	}
	a, err := t.do(ctx, call{who: t.Cast.Linjiang, method: http.MethodPost, path: "/fhir", body: body, want: []int{200}, headers: []string{"Content-Type", fhirJSON}})
	if err != nil {
		return err
	}
	var got resource
	if err := a.decode(&got); err != nil {
		return err
	}
	made := 0
	for _, e := range got.Entry {
		if strings.HasPrefix(e.Response.Status, "201") {
			made++
		} else if !strings.HasPrefix(e.Response.Status, "200") {
			return fmt.Errorf("an entry of the transaction was answered %q", e.Response.Status)
		}
	}
	if len(got.Entry) != n {
		return fmt.Errorf("the hub answered %d entries of %d", len(got.Entry), n)
	}
	t.check(fmt.Sprintf("%d 项新建，%d 项此前已有。", made, n-made), fmt.Sprintf("%d created, %d were there before.", made, n-made))
	return nil
}

// find: the lead hospital finds the study by the patient's number (QIDO-RS, PS3.18 10.6) and reads its metadata.
func (t *teller) find(ctx context.Context) error {
	t.scene("上级医院查找影像", "the lead hospital finds the study")
	t.both(t.Cast.Lead.Name+"用自己的令牌，按病案号查询。", t.Cast.Lead.English+" asks by the record number, with a token of its own.")
	a, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/dicom-web/studies?PatientID=" + url.QueryEscape(t.person.Number) + "&includefield=StudyDescription",
		headers: []string{"Accept", "application/dicom+json"}, want: []int{200}, lines: 3})
	if err != nil {
		return err
	}
	var studies []map[string]struct{ Value []any }
	if err := a.decode(&studies); err != nil {
		return err
	}
	if len(studies) != 1 || fmt.Sprint(studies[0]["0020000D"].Value) != "["+t.study+"]" {
		return fmt.Errorf("%d studies were found, and not the one that was sent", len(studies))
	}
	t.check(fmt.Sprintf("找到 1 个检查：%v", first(studies[0]["00081030"].Value)), "One study was found, the one that was sent.")

	if a, err = t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: "/dicom-web/studies/" + t.study + "/metadata", headers: []string{"Accept", "application/dicom+json"}, want: []int{200}, lines: 3}); err != nil {
		return err
	}
	var instances []map[string]struct{ Value []any }
	if err := a.decode(&instances); err != nil {
		return err
	}
	if len(instances) != slices {
		return fmt.Errorf("the metadata are of %d instances, not of %d", len(instances), slices)
	}
	t.check(fmt.Sprintf("%d 个实例的完整头信息，未打开任何文件。", slices), fmt.Sprintf("The full headers of %d instances, without opening a file.", slices))
	return nil
}

func first(v []any) any {
	if len(v) == 0 {
		return "-"
	}
	return v[0]
}

// look: one frame and one whole file by WADO-RS (PS3.18 10.4), compared with what was sent.
func (t *teller) look(ctx context.Context) error {
	t.scene("上级医院阅片", "the lead hospital reads the images")
	f := t.ct[slices/2]
	path := "/dicom-web/studies/" + f.StudyUID + "/series/" + f.SeriesUID + "/instances/" + f.InstanceUID
	for _, one := range []struct {
		path, accept     string
		sent             []byte
		chinese, english string
	}{
		{path + "/frames/1", "application/octet-stream", f.Pixels, "一帧像素", "One frame"},
		{path, "application/dicom", f.Bytes(), "整个文件（数据集）", "The data set of the whole file"},
	} {
		a, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, path: one.path, headers: []string{"Accept", one.accept}, want: []int{200}})
		if err != nil {
			return err
		}
		received, original := a.body, one.sent
		if t.DICOM != "" && one.accept == "application/dicom" { // over an association there is no file around the data set
			if received, original, err = dataSets(a.body, one.sent); err != nil {
				return err
			}
		}
		got, sent := sha256.Sum256(received), sha256.Sum256(original)
		if got != sent {
			return fmt.Errorf("%s has %d bytes with SHA-256 %x, sent were %d bytes with %x", one.path, len(a.body), got, len(one.sent), sent)
		}
		t.check(fmt.Sprintf("%s %d 字节，与上传时一字节不差。", one.chinese, len(a.body)),
			fmt.Sprintf("%s, %d bytes, is what was sent, byte for byte: SHA-256 %x…", one.english, len(a.body), got[:8]))
	}
	return nil
}

// dataSets are those of two files.
func dataSets(a, b []byte) (x, y []byte, err error) {
	for _, one := range []struct {
		file []byte
		set  *[]byte
	}{{a, &x}, {b, &y}} {
		r, _, err := dicom.DataSetOf(bytes.NewReader(one.file))
		if err != nil {
			return nil, nil, err
		}
		if *one.set, err = io.ReadAll(r); err != nil {
			return nil, nil, err
		}
	}
	return x, y, nil
}

// results: the lead hospital searches the laboratory results.
func (t *teller) results(ctx context.Context) error {
	t.scene("上级医院查检验", "the lead hospital looks up a result")
	a, err := t.do(ctx, call{who: t.Cast.Lead, method: http.MethodGet, want: []int{200}, headers: []string{"Accept", fhirJSON},
		path: "/fhir/Observation?patient=" + t.patient + "&code=http://loinc.org|718-7&_sort=-date"})
	if err != nil {
		return err
	}
	var got resource
	if err := a.decode(&got); err != nil {
		return err
	}
	if len(got.Entry) != 1 || got.Entry[0].Resource.Subject.Reference != t.patient {
		return fmt.Errorf("the search found %d results where one was expected", len(got.Entry))
	}
	o := got.Entry[0].Resource
	t.check(fmt.Sprintf("%s：%s %s", o.Code.Text, o.Value.Value, o.Value.Unit), "Haemoglobin, to the last digit as it was sent.")
	return nil
}

// order: the lead hospital is about to order the same CT. The ImagingStudy that answers is derived from the images in
// the background, within a second or so.
func (t *teller) order(ctx context.Context) error {
	t.scene("开单之前：能否互认", "before ordering: is there a result already?")
	t.both("门诊医生正要为该患者开胸部 CT 平扫。开单系统先问枢纽：", "A doctor is about to order a plain chest CT. The ordering system asks the hub first:")
	if err := t.derived(ctx); err != nil {
		return err
	}
	candidate, err := t.ask(ctx, t.Cast.Lead, chestCT(), "AMB", "recognisable", true)
	if err != nil {
		return err
	}
	if got := candidate.part("result").Subject.Reference; got != "ImagingStudy/"+t.study {
		return fmt.Errorf("what is recognised is %q, not the study that was sent", got)
	}
	t.check("可以互认：患者少照一次射线，医保少付一次费。", "Recognised: one dose of radiation and one bill less.")
	return nil
}

// derived waits until the study has its ImagingStudy resource, linked to the patient.
func (t *teller) derived(ctx context.Context) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		a, err := t.quiet(ctx, t.Cast.Lead, "/fhir/ImagingStudy?patient="+t.patient+"&_id="+t.study)
		if err != nil {
			return err
		}
		var got resource
		if a.status == http.StatusOK && a.decode(&got) == nil && len(got.Entry) == 1 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the study has no ImagingStudy of %s after 15 s: %d %.300s", t.patient, a.status, a.body)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// contrary: another body part, and an emergency.
func (t *teller) contrary(ctx context.Context) error {
	t.scene("不能互认，或可以重做", "what is not recognised, and what may be repeated")
	t.both("同一患者，改开头颅 CT：", "The same patient, but a CT of the head:")
	if _, err := t.ask(ctx, t.Cast.Lead, headCT(), "AMB", "not-recognisable", false); err != nil {
		return err
	}
	t.line("")
	t.both("同一胸部 CT，但患者在急诊：", "The chest CT again, but in an emergency:")
	_, err := t.ask(ctx, t.Cast.Lead, chestCT(), "EMER", "exempt", false)
	return err
}

// colleague: the other centre asks the same, and about a laboratory result.
func (t *teller) colleague(ctx context.Context) error {
	t.scene("另一家基层机构也能问", "another centre asks the same")
	t.both("患者去了"+t.Cast.Heping.Name+"：", "The patient goes to "+t.Cast.Heping.English+":")
	if _, err := t.ask(ctx, t.Cast.Heping, chestCT(), "AMB", "recognisable", false); err != nil {
		return err
	}
	t.line("")
	t.both("再问肌酐：", "And creatinine:")
	_, err := t.ask(ctx, t.Cast.Heping, creatinine(), "AMB", "recognisable", true)
	return err
}

// refused: who has no right gets nothing.
func (t *teller) refused(ctx context.Context) error {
	t.scene("没有凭证，没有数据", "no credential, no data")
	t.both("不带令牌：", "Without a token:")
	if _, err := t.do(ctx, call{method: http.MethodGet, path: "/fhir/" + t.patient, want: []int{401}}); err != nil {
		return err
	}
	t.line("")
	t.both(t.Cast.Left.Name+"的令牌尚未到期，但该机构已被停用：", "The token of "+t.Cast.Left.English+" has not expired, but the member was disabled:")
	if _, err := t.do(ctx, call{who: t.Cast.Left, method: http.MethodGet, path: "/fhir/" + t.patient, want: []int{401}}); err != nil {
		return err
	}
	t.line("")
	t.both(t.Cast.Heping.Name+"想改写"+t.Cast.Linjiang.Name+"登记的患者：", t.Cast.Heping.English+" tries to overwrite the patient of "+t.Cast.Linjiang.English+":")
	body := sample.PatientResource(t.person)
	body = append([]byte(`{"id":"`+strings.TrimPrefix(t.patient, "Patient/")+`",`), body[1:]...)
	if _, err := t.do(ctx, call{who: t.Cast.Heping, method: http.MethodPut, path: "/fhir/" + t.patient, body: body, want: []int{403}, headers: []string{"Content-Type", fhirJSON}}); err != nil {
		return err
	}
	t.check("各机构都能读，但只能改自己的。", "All members read; each changes only what is its own.")
	return nil
}
