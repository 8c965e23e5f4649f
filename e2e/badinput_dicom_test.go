package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestBadSTOWIsRefusedWithTheReason sends broken uploads. What came whole before the fault is stored and says so; nothing
// else is, and the hub's memory stays as it is.
func TestBadSTOWIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	corpus := filepath.Join(corpusDir(t), "dicom")
	ct := readFile(t, filepath.Join(corpus, "transfer-syntax", "CT_small.dcm"))
	h := startCorpusHub(t)
	contentType, whole := multipartOf(ct)
	boundary := contentType[strings.LastIndex(contentType, "=")+1:]
	at := bytes.Index(whole, []byte("\r\n\r\n")) + 4 // where the part's body begins
	bomb := append([]byte("--b\r\nContent-Type: application/dicom\r\n\r\n"), ct[:132]...)
	before := h.counted()
	for _, c := range []struct {
		name, contentType string
		body              any
		header            [2]string
		status            int
		reason            string
	}{
		{"no content type", "", whole, [2]string{}, 415, "Content-Type"},
		{"JSON", "application/json", []byte("[]"), [2]string{}, 415, "Content-Type"},
		{"no metadata", "application/dicom+json", []byte("[]"), [2]string{}, 400, "no instances"},
		{"multipart of something else", `multipart/related; type="image/jpeg"; boundary=` + boundary, whole, [2]string{}, 415, "image/jpeg"},
		{"form data", "multipart/form-data; boundary=" + boundary, whole, [2]string{}, 415, "multipart/form-data"},
		{"no boundary", `multipart/related; type="application/dicom"`, whole, [2]string{}, 400, "boundary"},
		{"another boundary than the body's", `multipart/related; type="application/dicom"; boundary=other`, whole, [2]string{}, 400, "multipart"},
		{"an empty body", contentType, []byte{}, [2]string{}, 400, "multipart"},
		{"an empty single body", "application/dicom", []byte{}, [2]string{}, 409, "the file is empty"},
		{"no parts", contentType, []byte("--" + boundary + "--\r\n"), [2]string{}, 400, ""},
		{"cut in the part's header", contentType, whole[:at-10], [2]string{}, 400, "cut"},
		{"cut in the part's body", contentType, whole[:at+20000], [2]string{}, 400, "ends before"},
		{"cut after the last byte of the instance, sent alone", "application/dicom", ct, [2]string{"Content-Length", strconv.Itoa(len(ct) + 10)}, -1, ""},
		{"cut before the final boundary", contentType, whole[:at+len(ct)], [2]string{}, 400, "ends before"},
		{"a part that is JPEG", contentType, bytes.Replace(whole, []byte("application/dicom"), []byte("image/jpeg"), 1), [2]string{}, 415, "image/jpeg"},
		{"a part's header of 11 MB", contentType, bytes.Replace(whole, []byte("Content-Type"), []byte("X-Long: "+strings.Repeat("x", 11<<20)+"\r\nContent-Type"), 1), [2]string{}, 400, "multipart"},
		{"a gzip bomb", "application/dicom", zipped(repeated(string(ct[:132]), "\x00", 80<<20)), [2]string{"Content-Encoding", "gzip"}, 413, "inflates"},
		{"a gzip bomb in multipart", "multipart/related; boundary=b", zipped(io.MultiReader(bytes.NewReader(bomb), repeated("", "\x00", 80<<20))), [2]string{"Content-Encoding", "gzip"}, 413, "inflates"},
		{"a coding that is unknown", "application/dicom", ct, [2]string{"Content-Encoding", "zstd"}, 415, "Content-Encoding"},
	} {
		h.staysFlat(c.name, func() {
			got, err := h.try(request{method: "POST", path: "/dicom-web/studies", body: c.body, header: headers("Content-Type", c.contentType, c.header[0], c.header[1])})
			switch {
			case (err != nil) != (c.status == -1): // the connection breaks off: nobody is there to be answered
				t.Errorf("%s: %v", c.name, err)
			case c.status == -1:
			case c.status == 0 && (got.status < 400 || got.status >= 500):
				t.Errorf("%s: %d %.300s", c.name, got.status, got.body)
			case c.status != 0 && (got.status != c.status || !strings.Contains(string(got.body), c.reason)):
				t.Errorf("%s: %d %.300s, want %d and %q", c.name, got.status, got.body, c.status, c.reason)
			}
		})
	}
	for path, status := range map[string]int{
		"/dicom-web/studies/..%2f..%2fetc/metadata":                      404,
		"/dicom-web/studies/1.2.3/../../../etc/passwd":                   404,
		"/dicom-web/studies/" + strings.Repeat("1", 65) + "/metadata":    400,
		"/dicom-web/studies/1.2.x/metadata":                              400,
		"/dicom-web/studies/1.2.3/metadata":                              404,
		"/dicom-web/studies/1.2.3/series/1.2/instances/1.3/frames/1":     404,
		"/dicom-web/studies?limit=many":                                  400,
		"/dicom-web/studies?PatientNmae=x":                               400,
		"/dicom-web/studies?StudyDate=20240101-x":                        400,
		"/dicom-web/studies?includefield=" + strings.Repeat("0", 70):     400,
		"/dicom-web/studies/1.2.3/series/1.2/instances/1.3/bulk/..%2f..": 404,
	} {
		if got := h.get(path); got.status != status {
			t.Errorf("%s: %d %.200s, want %d", path, got.status, got.body, status)
		}
	}
	if after := h.counted(); after != before {
		t.Errorf("something was stored:\nbefore %s\nafter  %s", before, after)
	}
	t.Run("what came whole before the cut is stored and named", func(t *testing.T) {
		contentType, both := multipartOf(ct, readFile(t, filepath.Join(corpus, "transfer-syntax", "MR_small.dcm")))
		got := readStow(t, h.do(request{method: "POST", path: "/dicom-web/studies", body: both[:len(both)-3000], header: headers("Content-Type", contentType)}))
		if got.status != 202 || len(got.stored) != 1 || len(got.failed) != 1 {
			t.Errorf("%d, %d stored, %d failed: %s", got.status, len(got.stored), len(got.failed), got.raw)
		}
	})
}

func headers(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "" && pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

// uploadVariable is how many megabytes TestAHugeUploadTakesNoMemory sends; the default is a third of a minute's work.
const uploadVariable = "CONCORD_TEST_UPLOAD_MB"

// TestAHugeUploadTakesNoMemory streams one STOW request of many large instances, made while they are sent.
func TestAHugeUploadTakesNoMemory(t *testing.T) {
	t.Parallel()
	corpus := filepath.Join(corpusDir(t), "dicom")
	total := int64(1024)
	if text := os.Getenv(uploadVariable); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total = n
	}
	const each = 64 << 20
	parts := int(total << 20 / each)
	template := readFile(t, filepath.Join(corpus, "transfer-syntax", "CT_small.dcm"))
	h := startCorpusHub(t)
	h.stow(template) // warm
	var readers []io.Reader
	boundary := uuid.NewString()
	for i := range parts {
		readers = append(readers, strings.NewReader(fmt.Sprintf("\r\n--%s\r\nContent-Type: application/dicom\r\n\r\n", boundary)), grown(t, template, i, each))
	}
	readers = append(readers, strings.NewReader("\r\n--"+boundary+"--\r\n"))
	began := time.Now()
	var got stow
	h.staysFlat("the upload", func() {
		got = readStow(t, h.do(request{method: "POST", path: "/dicom-web/studies", body: io.MultiReader(readers...),
			header: headers("Content-Type", `multipart/related; type="application/dicom"; boundary=`+boundary)}))
	})
	took := time.Since(began)
	t.Logf("%d MB in %v: %.0f MB/s", total, took.Round(time.Millisecond), float64(total)/took.Seconds())
	if got.status != 200 || len(got.stored) != parts {
		t.Fatalf("%d, %d stored of %d, %d failed", got.status, len(got.stored), parts, len(got.failed))
	}
	h.staysFlat("the download of one", func() {
		item := got.stored[parts-1]
		back := h.do(request{method: "GET", path: item.path(), header: headers("Accept", "application/dicom; transfer-syntax=*")})
		if len(back.body) < each || !strings.Contains(string(back.body[:8000]), item.sop) {
			t.Errorf("%s comes back as %d with %d bytes", item.sop, back.status, len(back.body))
		}
	})
}

// grown is CT_small with another SOP Instance UID of the same length and pixel data of about size bytes. The whole is never
// in memory.
func grown(t *testing.T, template []byte, n int, size int) io.Reader {
	t.Helper()
	pixels := bytes.LastIndex(template, []byte("\xe0\x7f\x10\x00OW\x00\x00"))
	if pixels < 0 {
		t.Fatal("the template has no pixel data")
	}
	head := bytes.Clone(template[:pixels+8])
	uid := []byte("1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322")
	if !bytes.Contains(head, uid) {
		t.Fatal("the template has another UID")
	}
	own := []byte(fmt.Sprintf("1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.%05d", 50000+n))
	head = bytes.ReplaceAll(head, uid, own)
	head = append(head, byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
	return io.MultiReader(bytes.NewReader(head), repeated("", "\x01\x02", int64(size)))
}
