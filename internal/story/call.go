package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const fhirJSON = "application/fhir+json"

// call is one request of the story.
type call struct {
	who     Institution
	method  string
	path    string // behind Base
	headers []string
	body    []byte
	// want are the statuses that are as they should be.
	want []int
	// lines of the answer to print, 2 where it is 0; negative: none.
	lines int
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes a request and prints it together with its answer.
func (t *teller) do(ctx context.Context, c call) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, t.Base+c.path, bytes.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	var shown []string
	if c.who.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.who.Token)
		shown = append(shown, "Authorization: Bearer ‹"+c.who.ID+"›")
	}
	for i := 0; i+1 < len(c.headers); i += 2 {
		req.Header.Set(c.headers[i], c.headers[i+1])
		shown = append(shown, c.headers[i]+": "+c.headers[i+1])
	}
	t.line("")
	for i, l := range wrap(c.method+" "+t.Base+c.path, columns-4) {
		t.line([]string{"  → ", "    "}[min(i, 1)] + t.bold(l))
	}
	for _, h := range shown {
		for _, l := range wrap(h, columns-6) {
			t.line("      " + l)
		}
	}
	if len(c.body) > 0 {
		t.line("      (" + size(int64(len(c.body))) + ")")
	}
	started := time.Now()
	a, err := t.exchange(req)
	took := time.Since(started)
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	head := fmt.Sprintf("  ← %d %s   %s   %.1f ms", a.status, http.StatusText(a.status), size(int64(len(a.body))), float64(took.Microseconds())/1000)
	t.line(t.bold(head))
	if l := a.header.Get("Location"); l != "" {
		t.line("      Location: " + l)
	}
	if c.lines == 0 {
		c.lines = 2
	}
	if c.lines > 0 && strings.Contains(a.header.Get("Content-Type"), "json") {
		t.excerpt(compact(a.body), c.lines)
	}
	for _, s := range c.want {
		if s == a.status {
			return a, nil
		}
	}
	return a, fmt.Errorf("%s %s: expected %v, the hub answered %d: %.400s", c.method, c.path, c.want, a.status, a.body)
}

func (t *teller) exchange(req *http.Request) (answer, error) {
	res, err := t.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return answer{res.StatusCode, res.Header, body}, err
}

// quiet is a GET that is asked again and again and not printed.
func (t *teller) quiet(ctx context.Context, who Institution, path string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Base+path, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+who.Token)
	return t.exchange(req)
}

func (a answer) decode(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func compact(body []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, body) != nil {
		return string(body)
	}
	return b.String()
}

// resource is what the story reads of any FHIR answer.
type resource struct {
	Type  string `json:"resourceType"`
	ID    string `json:"id"`
	Total int    `json:"total"`
	Entry []struct {
		Resource struct {
			Type string `json:"resourceType"`
			ID   string `json:"id"`
			Code struct {
				Text string `json:"text"`
			} `json:"code"`
			Value struct {
				Value json.Number `json:"value"`
				Unit  string      `json:"unit"`
			} `json:"valueQuantity"`
			Subject struct {
				Reference string `json:"reference"`
			} `json:"subject"`
		} `json:"resource"`
		Response struct {
			Status string `json:"status"`
		} `json:"response"`
	} `json:"entry"`
}
