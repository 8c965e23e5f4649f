package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// noise is a stream of size bytes that are always the same and no packing makes smaller.
func noise(seed byte, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), size)
}

func digest(r io.Reader) string {
	sum := sha256.New()
	io.Copy(sum, r)
	return hex.EncodeToString(sum.Sum(nil))
}

// stream reads an answer without keeping it.
func (h *corpusHub) stream(path, accept string, header ...string) (status int, size int64, sum string) {
	h.t.Helper()
	req, err := http.NewRequest("GET", h.URL+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.village)
	req.Header.Set("Accept", accept)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatalf("GET %s: %v", path, err)
	}
	defer res.Body.Close()
	hash := sha256.New()
	if size, err = io.Copy(hash, res.Body); err != nil {
		h.t.Errorf("GET %s: after %d bytes: %v", path, size, err)
	}
	return res.StatusCode, size, hex.EncodeToString(hash.Sum(nil))
}

func (h *corpusHub) upload(path string, r io.Reader, size int64) (reply, error) {
	return h.try(request{method: "PUT", path: path, body: r, header: map[string]string{"Content-Type": "application/zip", "Content-Length": fmt.Sprint(size)}})
}

// signalling closes begun when half of it has been read, and then is slow.
type signalling struct {
	io.Reader
	left  int64
	begun chan struct{}
}

func (s *signalling) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	before := s.left
	if s.left -= int64(n); before > 0 && s.left <= 0 {
		close(s.begun)
	}
	if s.left <= 0 {
		time.Sleep(time.Millisecond)
	}
	return n, err
}

// TestAKillInTheMiddleOfAnUploadShowsNothing cuts the power of a hub while it takes in a large Binary, and once more right
// after it has acknowledged one.
func TestAKillInTheMiddleOfAnUploadShowsNothing(t *testing.T) {
	const size = 200 << 20
	h := startCorpusHub(t)
	body := &signalling{noise(1, size), size / 2, make(chan struct{})}
	broken := make(chan error, 1)
	go func() {
		got, err := h.upload("/fhir/Binary/one", body, size)
		if err == nil {
			err = fmt.Errorf("answered %d", got.status)
		} else {
			err = nil
		}
		broken <- err
	}()
	<-body.begun
	h.Kill()
	if err := <-broken; err != nil {
		t.Fatalf("the upload was not cut off: %v", err)
	}
	h.Restart()
	if got := h.get("/fhir/Binary/one"); got.status != 404 {
		t.Errorf("after the kill: %d", got.status)
	}
	if _, total := h.pages("/fhir/Binary"); total != 0 {
		t.Errorf("%d Binaries are found", total)
	}

	if got, err := h.upload("/fhir/Binary/one", noise(2, size), size); err != nil || got.status != 201 {
		t.Fatal(got.status, err)
	}
	h.Kill()
	h.Restart()
	if status, n, sum := h.stream("/fhir/Binary/one", "*/*"); status != 200 || n != size || sum != digest(noise(2, size)) {
		t.Errorf("what was acknowledged came back as %d with %d bytes", status, n)
	}
	h.Kill()
	checkStores(t, h.Stores)
}

// TestALargeBinaryLeavesTheMemoryFlat sends and fetches one in each way that there is.
func TestALargeBinaryLeavesTheMemoryFlat(t *testing.T) {
	const size = 200 << 20
	h := startCorpusHub(t)
	sum := digest(noise(3, size))
	h.staysFlat("an upload of 200 MiB", func() {
		if got, err := h.upload("/fhir/Binary/one", noise(3, size), size); err != nil || got.status != 201 {
			t.Fatalf("%d %s %v", got.status, got.body, err)
		}
	})
	h.staysFlat("a download of 200 MiB", func() {
		if status, n, got := h.stream("/fhir/Binary/one", "*/*"); status != 200 || n != size || got != sum {
			t.Errorf("%d, %d bytes", status, n)
		}
	})
	h.staysFlat("half of it", func() {
		if status, n, _ := h.stream("/fhir/Binary/one", "*/*", "Range", fmt.Sprintf("bytes=%d-", size/2)); status != 206 || n != size/2 {
			t.Errorf("%d, %d bytes", status, n)
		}
	})
	for _, path := range []string{"/fhir/Binary/one", "/fhir/Binary?_id=one", "/fhir/Binary/one/_history"} {
		h.staysFlat("as JSON, "+path, func() {
			if status, n, _ := h.stream(path, fhirJSON); status != 200 || n < size/3*4 {
				t.Errorf("%s: %d, %d bytes", path, status, n)
			}
		})
	}
	resident, peak := h.memory()
	t.Logf("%d MiB resident, %d MiB at most", resident>>20, peak>>20)
}

// TestAPageOfLargeAttachmentsLeavesTheMemoryFlat searches among resources with attachments of 5 MB each.
func TestAPageOfLargeAttachmentsLeavesTheMemoryFlat(t *testing.T) {
	const each, count = 5_000_000, 30
	h := startCorpusHub(t)
	for i := range count {
		data, _ := io.ReadAll(noise(byte(i), each))
		body := fmt.Sprintf(`{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"data":"%s"}}]}`, base64.StdEncoding.EncodeToString(data))
		if got := h.do(request{method: "POST", path: "/fhir/DocumentReference", body: []byte(body), header: map[string]string{"Content-Type": fhirJSON, "Prefer": "return=minimal"}}); got.status != 201 {
			t.Fatalf("%d %.300s", got.status, got.body)
		}
	}
	for _, path := range []string{"/fhir/DocumentReference?_count=100", "/fhir/DocumentReference?_count=100&_pretty=true", "/fhir/DocumentReference/_history?_count=100"} {
		h.staysFlat(path, func() {
			if status, n, _ := h.stream(path, fhirJSON); status != 200 || n < count*each/3*4 {
				t.Errorf("%s: %d, %d bytes", path, status, n)
			}
		})
		resident, peak := h.memory()
		t.Logf("%s: %d MiB resident, %d MiB at most", path, resident>>20, peak>>20)
	}
}
