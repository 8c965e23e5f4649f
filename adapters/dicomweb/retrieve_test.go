package dicomweb_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/internal/dicom"
)

func TestAnInstanceComesBackAsItWasSentOnEveryWay(t *testing.T) {
	c := start(t)
	f := c.stored(1, 3, 64)[1]
	whole := c.get(pathOf(f), "Accept: application/dicom; transfer-syntax=*").want(200)
	if !bytes.Equal(whole.body, f.Bytes()) {
		t.Error("the file is another")
	}
	whole.says("Content-Disposition", "attachment").says("Accept-Ranges", "bytes")
	if parts := c.get(pathOf(f)).want(200).parts(); len(parts) != 1 || !bytes.Equal(parts[0].body, f.Bytes()) {
		t.Error("the part is another")
	}
	if parts := c.get("/studies/" + f.StudyUID).want(200).parts(); len(parts) != 3 || parts[0].header.Get("Content-Location") == "" {
		t.Errorf("the study has %d parts", len(parts))
	}
	if got := c.get("/wado?requestType=WADO&studyUID=" + f.StudyUID + "&seriesUID=" + f.SeriesUID + "&objectUID=" + f.InstanceUID + "&contentType=application%2Fdicom&transferSyntax=*").want(200); !bytes.Equal(got.body, f.Bytes()) {
		t.Error("by WADO-URI the file is another")
	}
	root := strings.TrimSuffix(c.base, "/dicom-web")
	c.get(root + "/wado?requestType=WADO&studyUID=" + f.StudyUID + "&seriesUID=" + f.SeriesUID + "&objectUID=" + f.InstanceUID + "&contentType=application%2Fdicom").want(200)
	packed := c.get("/studies/"+f.StudyUID+"/series/"+f.SeriesUID, "Accept: application/zip").want(200)
	z, err := zip.NewReader(bytes.NewReader(packed.body), int64(len(packed.body)))
	if err != nil || len(z.File) != 3 {
		t.Fatalf("the archive: %v", err)
	}
	for _, entry := range z.File {
		if entry.Name == f.SeriesUID+"/"+f.InstanceUID+".dcm" {
			r, _ := entry.Open()
			if data, _ := io.ReadAll(r); !bytes.Equal(data, f.Bytes()) {
				t.Error("in the archive the file is another")
			}
			return
		}
	}
	t.Error("the archive does not have the instance")
}

func TestRangesAndTagsSaveBytes(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 64)[0]
	const as = "Accept: application/dicom; transfer-syntax=*"
	whole, size := f.Bytes(), len(f.Bytes())
	tag := c.get(pathOf(f), as).want(200).header.Get("ETag")
	for _, r := range []struct {
		say, ask string
		status   int
		from, to int
	}{
		{"the first bytes", "bytes=0-99", 206, 0, 100},
		{"from the middle on", "bytes=1000-", 206, 1000, size},
		{"the last bytes", "bytes=-10", 206, size - 10, size},
		{"beyond the end", "bytes=10-99999999", 206, 10, size},
		{"behind the end", "bytes=99999999-", 416, 0, 0},
		{"several that are more than the whole", "bytes=0-,5-6", 200, 0, size},
		{"several, one of them nonsense", "bytes=0-1,6-5", 200, 0, size},
		{"several, one of them behind the end", "bytes=5-6, 99999999-", 206, 5, 7},
		{"several behind the end", "bytes=99999999-,88888888-", 416, 0, 0},
		{"more than anybody needs", "bytes=" + strings.Repeat("1-1,", 64) + "1-1", 200, 0, size},
		{"nonsense", "bytes=a-b", 200, 0, size},
		{"another unit", "lines=1-2", 200, 0, size},
	} {
		a := c.get(pathOf(f), as, "Range: "+r.ask)
		if a.status != r.status || a.status < 300 && !bytes.Equal(a.body, whole[r.from:r.to]) {
			t.Errorf("%s: %d, %d bytes", r.say, a.status, len(a.body))
		}
	}
	parts := c.get(pathOf(f), as, "Range: bytes=0-1,-3, 5-6").want(206).parts()
	for i, want := range []struct{ from, to int }{{0, 2}, {size - 3, size}, {5, 7}} {
		if len(parts) != 3 || !bytes.Equal(parts[i].body, whole[want.from:want.to]) || parts[i].header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", want.from, want.to-1, size) ||
			!strings.HasPrefix(parts[i].header.Get("Content-Type"), "application/dicom") {
			t.Errorf("range %d of several: %v", i, parts)
		}
	}
	c.get(pathOf(f), as, "If-None-Match: "+tag).want(304)
	c.get(pathOf(f), as, `If-None-Match: "x", W/`+tag).want(304)
	c.get(pathOf(f), as, `If-None-Match: "x"`).want(200)
	if a := c.get(pathOf(f), as, "Range: bytes=0-9", `If-Range: "x"`); a.status != 200 {
		t.Errorf("a range of another state: %d", a.status)
	}
	head := c.do("HEAD", pathOf(f), nil, as).want(200)
	if len(head.body) != 0 || head.header.Get("Content-Length") == "" || head.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d bytes, length %s", len(head.body), head.header.Get("Content-Length"))
	}
}

func TestRangesOfADeflatedFileAreThoseOfItsBytes(t *testing.T) {
	c := start(t)
	plain := series(t, 1, 1, 16)[0]
	meta := 144 + int(binary.LittleEndian.Uint32(plain.Bytes()[140:]))
	file := bytes.NewBuffer(dicom.AppendMeta(nil, "1.2.840.10008.1.2.1.99", "1.2.840.10008.5.1.4.1.1.2", plain.InstanceUID, "1.2.3"))
	w, _ := flate.NewWriter(file, flate.BestCompression)
	w.Write(plain.Bytes()[meta:])
	w.Close()
	c.stow(file.Bytes()).want(200)
	const as = "Accept: application/dicom; transfer-syntax=*"
	if a := c.get(pathOf(plain), as).want(200); !bytes.Equal(a.body, file.Bytes()) {
		t.Error("the whole is another")
	}
	if a := c.get(pathOf(plain), as, "Range: bytes=300-399").want(206); !bytes.Equal(a.body, file.Bytes()[300:400]) {
		t.Error("a range is another")
	}
	if a := c.get(pathOf(plain)+"/frames/1", "Accept: application/octet-stream").want(200); !bytes.Equal(a.body, plain.Pixels) {
		t.Error("the frame is another")
	}
}

func TestBulkDataIsLittleEndianWhateverTheFileIs(t *testing.T) {
	c := start(t)
	file := dicom.AppendMeta(nil, "1.2.840.10008.1.2.2", "1.2.840.10008.5.1.4.1.1.2", "1.2.7.1", "1.2.3")
	put := func(tag uint32, vr string, value []byte) {
		file = append(binary.BigEndian.AppendUint32(file, tag), vr...)
		if vr == "OW" {
			file = binary.BigEndian.AppendUint32(append(file, 0, 0), uint32(len(value)))
		} else {
			file = binary.BigEndian.AppendUint16(file, uint16(len(value)))
		}
		file = append(file, value...)
	}
	number := func(n byte) []byte { return []byte{0, n} }
	put(0x00080016, "UI", []byte("1.2.840.10008.5.1.4.1.1.2\x00"))
	put(0x00080018, "UI", []byte("1.2.7.1\x00"))
	put(0x0020000D, "UI", []byte("1.2.5\x00"))
	put(0x0020000E, "UI", []byte("1.2.6\x00"))
	put(0x00280002, "US", number(1))
	put(0x00280004, "CS", []byte("MONOCHROME2 "))
	put(0x00280010, "US", number(1))
	put(0x00280011, "US", number(2))
	put(0x00280100, "US", number(16))
	put(0x00280101, "US", number(16))
	put(0x00280102, "US", number(15))
	put(0x00280103, "US", number(0))
	put(0x60003000, "OW", bytes.Repeat([]byte{1, 2}, 4000))
	put(0x7FE00010, "OW", []byte{1, 2, 3, 4})
	c.stow(file).want(200)
	const at = "/studies/1.2.5/series/1.2.6/instances/1.2.7.1"
	for path, want := range map[string][]byte{"/bulk/7FE00010": {2, 1, 4, 3}, "/frames/1": {2, 1, 4, 3}, "/bulk/60003000": bytes.Repeat([]byte{2, 1}, 4000)} {
		if a := c.get(at+path, "Accept: application/octet-stream").want(200); !bytes.Equal(a.body, want) {
			t.Errorf("%s: %.8x", path, a.body)
		}
	}
}

func TestFramesAreTheBytesOfTheFile(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 64)[0]
	parts := c.get(pathOf(f)+"/frames/1", `Accept: multipart/related; type="application/octet-stream"; transfer-syntax="*"`).want(200).parts()
	if len(parts) != 1 || !bytes.Equal(parts[0].body, f.Pixels) || !strings.Contains(parts[0].header.Get("Content-Type"), "transfer-syntax=1.2.840.10008.1.2.1") {
		t.Errorf("%d parts, %v", len(parts), parts[0].header)
	}
	if a := c.get(pathOf(f)+"/frames/1", "Accept: application/octet-stream", "Range: bytes=2-5").want(206); !bytes.Equal(a.body, f.Pixels[2:6]) {
		t.Error("a range of a frame is another")
	}
	for path, status := range map[string]int{"/frames/2": 404, "/frames/0": 400, "/frames/x": 400, "/frames/1,1": 400, "/frames/-1": 400} {
		if a := c.get(pathOf(f) + path); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
}

func TestMetadataAreKeptReadyAndTrue(t *testing.T) {
	c := start(t)
	files := c.stored(1, 12, 16)
	study := "/studies/" + files[0].StudyUID
	first := c.get(study + "/metadata").want(200)
	if all := first.objects(); len(all) != 12 || !strings.HasPrefix(all[0]["7FE00010"].BulkDataURI, c.base+study+"/series/") {
		t.Fatalf("%d instances, pixels at %q", len(all), all[0]["7FE00010"].BulkDataURI)
	}
	pixels := c.get(first.objects()[0]["7FE00010"].BulkDataURI).want(200)
	if len(pixels.body) != 16*16*2 {
		t.Errorf("the pixels have %d bytes", len(pixels.body))
	}
	kept := filepath.Join(c.root, "derived", "dicom")
	c.get(study+"/metadata", "Accept-Encoding: gzip").want(200)
	await(t, func() bool { return len(under(kept)) == 1 })
	packed := c.get(study+"/metadata", "Accept-Encoding: gzip, deflate").want(200).says("Content-Encoding", "gzip")
	z, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, first.body) {
		t.Errorf("what was kept is another: %v", err)
	}
	c.get(study+"/metadata", "If-None-Match: "+first.header.Get("ETag")).want(304)

	for _, path := range under(kept) { // damage is as good as absence
		data, _ := os.ReadFile(path)
		data[len(data)-9] ^= 1
		os.WriteFile(path, data, 0o600)
	}
	if again := c.get(study+"/metadata", "Accept-Encoding: gzip").want(200); !bytes.Equal(again.body, packed.body) {
		t.Error("damaged metadata was served")
	}
	os.RemoveAll(filepath.Join(c.root, "derived"))
	c.get(study + "/metadata").want(200)

	more := series(t, 1, 13, 16)[12]
	c.stow(more.Bytes()).want(200)
	now := c.get(study + "/metadata").want(200)
	if n := len(now.objects()); n != 13 || now.header.Get("ETag") == first.header.Get("ETag") {
		t.Errorf("after another instance there are %d", n)
	}
	one := c.get(pathOf(files[0]) + "/metadata").want(200)
	if len(one.objects()) != 1 {
		t.Error("metadata of one instance")
	}
	xml := c.get(pathOf(files[0])+"/metadata", `Accept: multipart/related; type="application/dicom+xml"`).want(200).parts()
	if len(xml) != 1 || !bytes.Contains(xml[0].body, []byte(`<DicomAttribute tag="0020000D" vr="UI" keyword="StudyInstanceUID"><Value number="1">`+files[0].StudyUID+`</Value>`)) {
		t.Errorf("XML: %.300s", xml[0].body)
	}
	c.get(study+"/metadata", "Accept: text/html").want(406)
	if a := c.get("/studies/1.2.3/metadata"); a.status != 404 {
		t.Errorf("no study: %d", a.status)
	}
}

func TestPathsOutOfTheStoreAreRefused(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	for _, path := range []string{
		"/studies/..%2f..%2fetc", "/studies/%2e%2e/metadata", "/studies/1..2/thumbnail", "/studies/1.2/series/..", "/studies/" + strings.Repeat("1", 65),
		"/studies/" + f.StudyUID + "/series/" + f.SeriesUID + "/instances/..%2f..%2fpasswd/bulk/7FE00010",
		pathOf(f) + "/bulk/../../../../etc/passwd", pathOf(f) + "/bulk/%2e%2e%2f%2e%2e%2fpasswd",
		"/wado?requestType=WADO&studyUID=../..&seriesUID=1&objectUID=1", "/wado?requestType=WADO&studyUID=1&seriesUID=1&objectUID=a/../b",
	} {
		if a := c.get(path); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestCapabilitiesArePrintedFromTheRoutes(t *testing.T) {
	c := start(t)
	if a := c.do("OPTIONS", "/", nil).want(200).says("Content-Type", "application/vnd.sun.wadl+xml"); !bytes.Contains(a.body, []byte(`path="studies/{study}/series/{series}/instances/{instance}/frames/{frames}"`)) {
		t.Errorf("%.500s", a.body)
	}
	if a := c.get("/", "Accept: application/json").want(200); !bytes.Contains(a.body, []byte(`"id":"RetrieveThumbnail"`)) {
		t.Errorf("%.500s", a.body)
	}
}

func under(root string) (files []string) {
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	return files
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it did not happen")
		}
	}
}

func TestAddressesHaveThePortThatTheClientLeftOut(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	for _, k := range []struct{ say, host, forwarded, begins string }{
		{"the whole address", "", "", c.base},
		{"without port", "127.0.0.1", "", c.base},
		{"without port, of a proxy", "hub.example", "10.0.0.1", "http://hub.example/dicom-web"},
	} {
		headers := []string{"X-Forwarded-For: " + k.forwarded}
		if k.host != "" {
			headers = append(headers, "Host: "+k.host)
		}
		if got := c.get(pathOf(f)+"/metadata", headers...).want(200).objects()[0]["7FE00010"].BulkDataURI; !strings.HasPrefix(got, k.begins+"/studies/") {
			t.Errorf("%s: %s", k.say, got)
		}
	}
}

func TestARefusalSaysWhatWouldBeAccepted(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	study, instance := "/studies/"+f.StudyUID, pathOf(f)
	for _, k := range []struct{ path, accept, text string }{
		{study, "application/dicom", `sent as multipart/related; type=\"application/dicom\", or application/zip`},
		{instance, "image/png", `sent as application/dicom, multipart/related`},
		{instance, "application/dicom; transfer-syntax=" + "1.2.840.10008.1.2.4.50", "ask with transfer-syntax=*"},
		{instance + "/frames/1", "application/dicom", "frames are sent as application/octet-stream"},
		{instance, "*/*; q=0", "sent as"},
	} {
		if a := c.get(k.path, "Accept: "+k.accept).want(406); !bytes.Contains(a.body, []byte(k.text)) {
			t.Errorf("%s, %s: %s", k.path, k.accept, a.body)
		}
	}
}

func TestAnEncapsulatedDocumentComesAsItself(t *testing.T) {
	c := start(t)
	for i, k := range []struct{ size int }{{101}, {10_001}} {
		text := strings.Repeat("x", k.size)
		sop := fmt.Sprint("1.9.1.", i+1)
		more := `"00420011":{"vr":"OB","InlineBinary":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"},"00420012":{"vr":"LO","Value":["application/pdf"]},` +
			`"00420015":{"vr":"UL","Value":[` + fmt.Sprint(k.size) + `]}`
		c.stow(dataSet(t, "1.9", "1.9.1", sop, more)).want(200)
		at := "/studies/1.9/series/1.9.1/instances/" + sop + "/bulk/00420011"
		for _, accept := range []string{"*/*", "application/pdf", "text/html, application/pdf; q=0.9"} {
			if a := c.get(at, "Accept: "+accept).want(200).says("Content-Type", "application/pdf").says("Content-Disposition", "attachment"); string(a.body) != text {
				t.Errorf("%s: %d bytes, want %d", accept, len(a.body), k.size)
			}
		}
		if a := c.get(at, "Accept: application/octet-stream").want(200).says("Content-Type", "application/octet-stream"); len(a.body) != k.size+1 {
			t.Errorf("the value has %d bytes", len(a.body))
		}
		if a := c.get(at, "Accept: text/html").want(406); !bytes.Contains(a.body, []byte("application/octet-stream or application/pdf")) {
			t.Errorf("%s", a.body)
		}
	}
	c.stow(dataSet(t, "1.9", "1.9.1", "1.9.1.9", `"00420011":{"vr":"OB","InlineBinary":"AQID"},"00420012":{"vr":"LO","Value":["text/html"]}`)).want(200)
	c.get("/studies/1.9/series/1.9.1/instances/1.9.1.9/bulk/00420011").want(200).says("Content-Type", "application/octet-stream")
}
