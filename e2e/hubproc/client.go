package hubproc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// Client asks one hub as one member. It is safe for concurrent use.
type Client struct {
	Base  string // the hub's URL
	Token string
	HTTP  *http.Client
}

// NewClient makes a client with connections of its own. A request takes 20 seconds at most.
func NewClient(base, token string) *Client {
	return &Client{base, token, &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Answer is a whole response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// String shows an answer in a test's message.
func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, clip(string(a.Body))) }

// Do sends a request; headers are "Name: value". An error means that no whole answer came, so that the outcome of a
// write is unknown.
func (c *Client) Do(method, path string, body []byte, headers ...string) (Answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, data}, err
}

// Get reads with an Accept header that suits path.
func (c *Client) Get(path string) (Answer, error) {
	accept := "application/fhir+json"
	if strings.HasPrefix(path, "/dicom-web/") {
		accept = "application/dicom+json"
	}
	return c.Do("GET", path, nil, "Accept: "+accept)
}

// JSON sends a FHIR body.
func (c *Client) JSON(method, path string, body []byte, headers ...string) (Answer, error) {
	return c.Do(method, path, body, append([]string{"Content-Type: application/fhir+json"}, headers...)...)
}

// Store sends Part 10 files in one STOW-RS request (PS3.18 10.5).
func (c *Client) Store(files ...[]byte) (Answer, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range files {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/dicom"}})
		if err != nil {
			return Answer{}, err
		}
		part.Write(f)
	}
	w.Close()
	return c.Do("POST", "/dicom-web/studies", body.Bytes(),
		`Content-Type: multipart/related; type="application/dicom"; boundary=`+w.Boundary(), "Accept: application/dicom+json")
}

// Instance retrieves one instance as it was stored (PS3.18 10.4), without the multipart wrapping.
func (c *Client) Instance(study, series, instance string) (Answer, error) {
	return c.Do("GET", "/dicom-web/studies/"+study+"/series/"+series+"/instances/"+instance, nil,
		"Accept: application/dicom; transfer-syntax=*")
}

// Decode reads an answer's JSON or fails the test.
func Decode[T any](t testing.TB, a Answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("read the answer %s: %v", a, err)
	}
	return v
}
