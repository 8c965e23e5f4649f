package dicomweb_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"
)

const ofMetadata = `Content-Type: multipart/related; type="application/dicom+json"; boundary=concord`

// ctObject is an image in DICOM JSON whose pixels, of 2×2 bytes a frame, are elsewhere.
func ctObject(sop string, frames int, pixels string) string {
	text := func(tag, vr, v string) string { return `"` + tag + `":{"vr":"` + vr + `","Value":["` + v + `"]},` }
	count := func(tag, vr string, n int) string { return fmt.Sprintf(`"%s":{"vr":"%s","Value":[%d]},`, tag, vr, n) }
	return `{` + text("00080016", "UI", "1.2.840.10008.5.1.4.1.1.7") + text("00080018", "UI", sop) + text("00080060", "CS", "OT") +
		`"00100010":{"vr":"PN","Value":[{"Alphabetic":"Li^Na","Ideographic":"李^娜"}]},` + text("00100020", "LO", "7") + text("0020000D", "UI", "1.2.5") + text("0020000E", "UI", "1.2.6") +
		count("00280002", "US", 1) + text("00280004", "CS", "MONOCHROME2") + count("00280008", "IS", frames) + count("00280010", "US", 2) + count("00280011", "US", 2) +
		count("00280100", "US", 8) + count("00280101", "US", 8) + count("00280102", "US", 7) + count("00280103", "US", 0) + pixels + `}`
}

func reasonOf(t *testing.T, a answer) (code any) {
	t.Helper()
	_, rest, ok := strings.Cut(string(a.body), `"00081197":{"Value":[`)
	if !ok {
		t.Fatalf("no failure: %s", a.body)
	}
	digits, _, _ := strings.Cut(rest, "]")
	return digits
}

func TestMetadataAndBulkDataBecomeAnInstance(t *testing.T) {
	c := start(t)
	for _, k := range []struct {
		say, sop, pixels string
		parts            [][3]string
	}{
		{"inline", "1.2.7.1", `"7FE00010":{"vr":"OB","InlineBinary":"AQIDBA=="}`, nil},
		{"a relative location", "1.2.7.2", `"7FE00010":{"vr":"OB","BulkDataURI":"pixels/2"}`, [][3]string{{"application/octet-stream", "pixels/2", "\x01\x02\x03\x04"}}},
		{"an absolute location", "1.2.7.3", `"7FE00010":{"vr":"OB","BulkDataURI":"http://example.org/p"}`, [][3]string{{"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", "http://example.org/p", "\x01\x02\x03\x04"}}},
		{"relative to the service", "1.2.7.4", `"7FE00010":{"vr":"OB","BulkDataURI":"` + c.base + `/studies/p"}`, [][3]string{{"application/octet-stream", "p", "\x01\x02\x03\x04"}}},
	} {
		parts := append([][3]string{{"application/dicom+json", "", "[" + ctObject(k.sop, 1, k.pixels) + "]"}}, k.parts...)
		if a := c.do("POST", "/studies", multipartOf(parts...), ofMetadata); a.status != 200 {
			t.Errorf("%s: %d %s", k.say, a.status, a.body)
			continue
		}
		at := "/studies/1.2.5/series/1.2.6/instances/" + k.sop
		if a := c.get(at+"/frames/1", "Accept: application/octet-stream").want(200); string(a.body) != "\x01\x02\x03\x04" {
			t.Errorf("%s: the frame is %q", k.say, a.body)
		}
		file := c.get(at, "Accept: application/dicom").want(200)
		if !bytes.Equal(file.body[128:132], []byte("DICM")) || !bytes.Contains(file.body, []byte("李^娜")) {
			t.Errorf("%s: no Part 10 file", k.say)
		}
	}
	if all := c.get("/studies?PatientName=李*").want(200).objects(); len(all) != 1 {
		t.Errorf("%d studies by name", len(all))
	}
}

func TestCompressedFramesOfAnInstanceComeInPartsOfTheirOwn(t *testing.T) {
	c := start(t)
	body := multipartOf([3]string{"application/dicom+json", "", "[" + ctObject("1.2.7.1", 2, `"7FE00010":{"vr":"OB","BulkDataURI":"p"}`) + "]"},
		[3]string{"image/jls", "p", "\xFF\xD8\xFF\xF7one"}, [3]string{"image/jls", "p", "\xFF\xD8\xFF\xF7second!"})
	c.do("POST", "/studies", body, ofMetadata).want(200)
	parts := c.get("/studies/1.2.5/series/1.2.6/instances/1.2.7.1/frames/1,2", `Accept: multipart/related; type="image/jls"`).want(200).parts()
	if len(parts) != 2 || !bytes.HasPrefix(parts[0].body, []byte("\xFF\xD8\xFF\xF7one")) || !bytes.HasPrefix(parts[1].body, []byte("\xFF\xD8\xFF\xF7second!")) ||
		!strings.Contains(parts[0].header.Get("Content-Type"), "1.2.840.10008.1.2.4.80") {
		t.Errorf("%q", parts)
	}
}

func TestTheHubFetchesNothingThatAClientNames(t *testing.T) {
	var asked atomic.Int64
	bait := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer bait.Close()
	c := start(t)
	for _, uri := range []string{bait.URL + "/secret", "http://169.254.169.254/latest", "file:///etc/passwd", "/etc/passwd", "../../../etc/passwd"} {
		object := "[" + ctObject("1.2.7.1", 1, `"7FE00010":{"vr":"OB","BulkDataURI":"`+uri+`"}`) + "]"
		a := c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", object}), ofMetadata).want(409)
		if got := reasonOf(t, a); got != "49152" {
			t.Errorf("%s: reason %v", uri, got)
		}
		if !bytes.Contains(a.body, []byte(`"1.2.7.1"`)) {
			t.Errorf("%s: the failure does not name its instance: %s", uri, a.body)
		}
	}
	if asked.Load() > 0 {
		t.Error("the hub asked the address")
	}
}

func TestEachInstanceOfARequestHasAnAnswerOfItsOwn(t *testing.T) {
	c := start(t)
	files := series(t, 1, 2, 16)
	other := series(t, 2, 1, 16)[0]
	a := c.do("POST", "/studies/"+files[0].StudyUID, multipartOf(
		[3]string{"application/dicom", "", string(files[0].Bytes())}, [3]string{"application/dicom", "", "no DICOM"}, [3]string{"application/dicom", "", string(other.Bytes())}), ofDICOM).want(202)
	object := a.objects()[0]
	if len(object["00081199"].Value) != 1 || len(object["00081198"].Value) != 1 || len(object["0008119A"].Value) != 1 {
		t.Errorf("%s", a.body)
	}
	for _, code := range []string{`"Value":[49152]`, `"Value":[43264]`} {
		if !bytes.Contains(a.body, []byte(code)) {
			t.Errorf("no reason %s in %s", code, a.body)
		}
	}
	xml := c.do("POST", "/studies", files[1].Bytes(), "Content-Type: application/dicom", "Accept: application/dicom+xml").want(200).says("Content-Type", "application/dicom+xml")
	if !bytes.Contains(xml.body, []byte(`keyword="ReferencedSOPSequence"><Item number="1">`)) {
		t.Errorf("%s", xml.body)
	}
}

func TestAUIDThatAnotherStudyHasIsWarnedOf(t *testing.T) {
	c := start(t)
	of := func(study, series, sop string) string {
		return strings.NewReplacer(`"1.2.5"`, `"`+study+`"`, `"1.2.6"`, `"`+series+`"`).Replace(ctObject(sop, 1, `"7FE00010":{"vr":"OB","InlineBinary":"AQIDBA=="}`))
	}
	store := func(objects ...string) answer {
		return c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", "[" + strings.Join(objects, ",") + "]"}), ofMetadata)
	}
	const warning = `"00081196":{"Value":[45063]`
	for _, k := range []struct {
		say     string
		objects []string
		warned  int
	}{
		{"the first", []string{of("1.2.5", "1.2.6", "1.2.7.1")}, 0},
		{"the same again", []string{of("1.2.5", "1.2.6", "1.2.7.1")}, 0},
		{"another of its series", []string{of("1.2.5", "1.2.6", "1.2.7.2")}, 0},
		{"a series that keeps its UIDs, in another study", []string{of("1.2.9", "1.2.6", "1.2.7.1"), of("1.2.9", "1.2.6", "1.2.7.2")}, 1},
		{"two that begin series, in one request", []string{of("1.2.5", "1.2.6.4", "1.2.7.4"), of("1.2.9", "1.2.6.4", "1.2.7.4")}, 2},
		{"sound ones beside them", []string{of("1.2.5", "1.2.6.5", "1.2.7.5"), of("1.2.9", "1.2.6.5", "1.2.7.6")}, 0},
	} {
		status := 200
		if k.warned > 0 {
			status = 202
		}
		a := store(k.objects...).want(status)
		if n := strings.Count(string(a.body), warning); n != k.warned || strings.Count(string(a.body), "another study") != k.warned {
			t.Errorf("%s: %d warnings: %s", k.say, n, a.body)
		}
	}
	for _, study := range []string{"1.2.5", "1.2.9"} {
		c.get("/studies/"+study+"/series/1.2.6/instances/1.2.7.1", "Accept: application/dicom").want(200)
	}
}

func TestAnInstanceThatIsCutIsNamedByItsUIDs(t *testing.T) {
	c := start(t)
	file := series(t, 1, 1, 16)[0]
	for _, size := range []int{len(file.Bytes()) - 10, 400} {
		a := c.do("POST", "/studies", file.Bytes()[:size], "Content-Type: application/dicom").want(409)
		object := a.objects()[0]
		if len(object["00081198"].Value) != 1 || len(object["0008119A"].Value) != 0 || !bytes.Contains(a.body, []byte(`"`+file.InstanceUID+`"`)) {
			t.Errorf("cut at %d: %s", size, a.body)
		}
	}
}

func TestWhatIsSaidOfAnInstanceIsNoLongerThanItsAttributeAllows(t *testing.T) {
	c := start(t)
	files := series(t, 1, 2, 16)
	other := bytes.Clone(files[0].Bytes())
	other[len(other)-1] ^= 1
	c.stow(files[0].Bytes()).want(200)
	for _, body := range [][]byte{other, []byte("no DICOM"), files[1].Bytes()[:len(files[1].Bytes())-1], nil} {
		a := c.do("POST", "/studies", body, "Content-Type: application/dicom")
		_, text, ok := strings.Cut(string(a.body), `"00000902":{"Value":["`)
		if text, _, _ = strings.Cut(text, `"]`); !ok || utf8.RuneCountInString(text) > 64 || strings.Contains(text, "…") {
			t.Errorf("%d: %q", a.status, text)
		}
	}
	if a := c.do("POST", "/studies/1.2.3", files[0].Bytes(), "Content-Type: application/dicom").want(409); !bytes.Contains(a.body, []byte(`"StudyInstanceUID: is not that of the URL"`)) {
		t.Errorf("%s", a.body)
	}
}

func TestAPartOfAnotherTypeDoesNotStopThoseBehindIt(t *testing.T) {
	c := start(t)
	files := series(t, 1, 2, 16)
	a := c.do("POST", "/studies", multipartOf([3]string{"application/dicom", "", string(files[0].Bytes())}, [3]string{"text/html", "", "<p>"},
		[3]string{"application/dicom", "", string(files[1].Bytes())}), ofDICOM).want(202)
	if object := a.objects()[0]; len(object["00081199"].Value) != 2 || len(object["0008119A"].Value) != 1 {
		t.Errorf("%s", a.body)
	}
	if a := c.do("POST", "/studies", multipartOf([3]string{"text/html", "", "<p>"}), ofDICOM).want(415); !bytes.Contains(a.body, []byte("text/html")) {
		t.Errorf("%s", a.body)
	}
}

func TestMalformedMetadataIsRefusedByItself(t *testing.T) {
	c := start(t)
	pixels := `"7FE00010":{"vr":"OB","InlineBinary":"AQIDBA=="}`
	named := strings.Replace(ctObject("1.2.7.2", 1, pixels), "{", `{"00100020":{"vr":"XX"},`, 1)
	for _, a := range []answer{
		c.do("POST", "/studies", []byte("["+strings.Join([]string{ctObject("1.2.7.1", 1, pixels), named, `{"PatientID":"x"}`, "7", ctObject("1.2.7.3", 1, pixels)}, ",")+"]"), "Content-Type: application/dicom+json").want(202),
		c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", "[" + strings.Join([]string{named, ctObject("1.2.7.4", 1, pixels), ctObject("1.2.7.5", 1, pixels), "{\"x\":1}", "[]"}, ",") + "]"}), ofMetadata).want(202),
	} {
		object := a.objects()[0]
		if len(object["00081199"].Value) != 2 || len(object["00081198"].Value) != 1 || len(object["0008119A"].Value) != 2 || !bytes.Contains(a.body, []byte(`"PatientID: its vr is \"XX\", which there is not"`)) || !bytes.Contains(a.body, []byte(`"1.2.7.2"`)) {
			t.Errorf("%s", a.body)
		}
	}
	c.do("POST", "/studies", []byte(named), "Content-Type: application/dicom+json").want(409)
}

func TestPixelsAreAsManyAsTheMetadataSays(t *testing.T) {
	c := start(t)
	for i, k := range []struct {
		pixels string
		status int
	}{{"\x01\x02\x03\x04", 200}, {"\x01\x02\x03", 409}, {"\x01\x02\x03\x04\x05", 409}, {strings.Repeat("x", 100), 409}} {
		object := "[" + ctObject(fmt.Sprint("1.2.7.", i+1), 1, `"7FE00010":{"vr":"OB","BulkDataURI":"p"}`) + "]"
		a := c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", object}, [3]string{"application/octet-stream", "p", k.pixels}), ofMetadata)
		if a.status != k.status || k.status == 409 && !bytes.Contains(a.body, []byte("PixelData")) {
			t.Errorf("%d bytes: %d %s", len(k.pixels), a.status, a.body)
		}
	}
	inline := "[" + ctObject("1.2.7.9", 1, `"7FE00010":{"vr":"OB","InlineBinary":"AQIDBAUGBwg="}`) + "]"
	if a := c.do("POST", "/studies", []byte(inline), "Content-Type: application/dicom+json").want(409); !bytes.Contains(a.body, []byte("has 8 bytes, its image takes 4")) {
		t.Errorf("%s", a.body)
	}
}

func TestRequestsThatCannotBeReadAreRefusedAsAWhole(t *testing.T) {
	c := start(t)
	for _, k := range []struct {
		say, media, body string
		status           int
	}{
		{"another type", "Content-Type: text/html", "x", 415},
		{"parts of another type", `Content-Type: multipart/related; type="text/html"; boundary=b`, "x", 415},
		{"no boundary", `Content-Type: multipart/related; type="application/dicom"`, "x", 400},
		{"no parts", ofDICOM, "--concord--\r\n", 400},
		{"another boundary", ofDICOM, "--other\r\n\r\nabc\r\n--other--\r\n", 400},
		{"a body cut short", ofDICOM, "--concord\r\nContent-Type: application/dicom\r\n\r\nabc", 400},
		{"metadata that is not JSON", "Content-Type: application/dicom+json", "{", 400},
		{"metadata that nests without end", "Content-Type: application/dicom+json", strings.Repeat("[", 100_000), 400},
		{"bulk data without metadata", ofMetadata, string(multipartOf([3]string{"application/octet-stream", "p", "x"})), 415},
		{"bulk data without location", ofMetadata, string(multipartOf([3]string{"application/dicom+json", "", "[]"}, [3]string{"application/octet-stream", "", "x"})), 400},
	} {
		if a := c.do("POST", "/studies", []byte(k.body), k.media); a.status != k.status {
			t.Errorf("%s: %d, want %d: %s", k.say, a.status, k.status, a.body)
		}
	}
	file := series(t, 1, 1, 16)[0].Bytes()
	for path, text := range map[string]string{"/studies/abc": "StudyInstanceUID: is not a UID", "/studies": "Content-Type: the multipart body has no part that begins with its boundary"} {
		if a := c.do("POST", path, multipartOf([3]string{"application/dicom", "", string(file)}), strings.Replace(ofDICOM, "concord", "other", 1)).want(400); !bytes.Contains(a.body, []byte(text)) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := c.do("POST", "/studies", file).want(415); !bytes.Contains(a.body, []byte("not a body without one")) {
		t.Errorf("%s", a.body)
	}
}
