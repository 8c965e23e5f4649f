package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/sample"
)

// TestInteropOHIF opens studies of a hub in OHIF, in a browser: see testdata/ohif/view.mjs. Pictures of the screen are left in
// the folder that CONCORD_TEST_PICTURES names.
func TestInteropOHIF(t *testing.T) {
	clientOf(t, "CONCORD_TEST_NODE")
	viewer := clientOf(t, "CONCORD_TEST_OHIF")
	browser, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium is not in PATH")
	}
	ecg := readFile(t, filepath.Join(corpusDir(t), "ecg", "dicom_12lead_waveform_ecg.dcm"))
	on := hubproc.Embedded(t)
	token := on.Member(t, "village")
	hub := hubproc.Start(t, on)

	ct := ""
	files := [][]byte{ecg}
	for f, err := range sample.CTSeries(7, sample.Options{Slices: 24, Time: time.Date(2025, 5, 6, 9, 30, 0, 0, time.FixedZone("", 8*3600))}) {
		if err != nil {
			t.Fatal(err)
		}
		ct = f.StudyUID
		files = append(files, f.Bytes())
	}
	contentType, body := multipartOf(files...)
	answer := ask(t, "POST", hub.URL+"/dicom-web/studies", token, body, "Content-Type", contentType)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("store: %s", answer.Status)
	}
	pictures := os.Getenv("CONCORD_TEST_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	header, err := dicom.ScanFile(bytes.NewReader(ecg), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "ohif", "view.mjs"), oneOrigin(t, viewer, hub.URL, token), ct, header.StudyInstanceUID, pictures)
	cmd.Env = append(os.Environ(), "CONCORD_TEST_CHROMIUM="+browser)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheExamplesOfDICOMwebRun executes the shell examples of docs/dicomweb.md.
func TestTheExamplesOfDICOMwebRun(t *testing.T) {
	on := hubproc.Embedded(t)
	token := on.Member(t, "village")
	hub := hubproc.Start(t, on)
	file := filepath.Join(t.TempDir(), "ct.dcm")
	for f, err := range sample.CTSeries(3, sample.Options{Slices: 1, Time: time.Date(2025, 5, 6, 9, 30, 0, 0, time.UTC)}) {
		if err == nil {
			err = os.WriteFile(file, f.Bytes(), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runExamples(t, "dicomweb", "HUB="+hub.URL+"/dicom-web", "TOKEN="+token, "FILE="+file)
}

// ohifConfig points OHIF at the hub behind its own origin.
const ohifConfig = `window.config = {
  routerBasename: null, extensions: [], modes: [], customizationService: {}, showStudyList: true, maxNumberOfWebWorkers: 2,
  showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false, strictZSpacingForVolumeViewport: true, investigationalUseDialog: {option: 'never'},
  defaultDataSourceName: 'hub',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'hub',
    configuration: {
      friendlyName: 'Concord', name: 'hub', wadoUriRoot: ORIGIN + '/dicom-web/wado', qidoRoot: ORIGIN + '/dicom-web', wadoRoot: ORIGIN + '/dicom-web',
      qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'thumbnail', thumbnailRequestStrategy: 'fetch', enableStudyLazyLoad: true,
      supportsFuzzyMatching: true, supportsWildcard: true, singlepart: 'bulkdata', bulkDataURI: {enabled: true}, omitQuotationForMultipartRequest: true,
    },
  }],
};
`

// oneOrigin serves the viewer's files, and the hub with a member's token, from one address.
func oneOrigin(t *testing.T, viewer, hub, token string) string {
	to, err := url.Parse(hub)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // so that addresses in metadata are of the viewer's origin
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
	files := http.FileServer(http.Dir(viewer))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(viewer, filepath.FromSlash(filepath.Clean("/"+r.URL.Path)))
		switch {
		case strings.HasPrefix(r.URL.Path, "/dicom-web/"):
			proxy.ServeHTTP(w, r)
		case r.URL.Path == "/app-config.js":
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprintf(w, "const ORIGIN = %q;\n%s", "http://"+r.Host, ohifConfig)
		case exists(name):
			files.ServeHTTP(w, r)
		default: // a page of the application
			http.ServeFile(w, r, filepath.Join(viewer, "index.html"))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// ask sends one request as the member that a token is of; the answer's body is read and dropped.
func ask(t *testing.T, method, address, token string, body []byte, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}
