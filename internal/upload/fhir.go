package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"concord/hub"
)

const (
	mediaFHIR = "application/fhir+json"
	// largestJSON bounds what one file takes in memory; the hub's own limit is lower.
	largestJSON = 256 << 20
)

// knowsFHIR recognises a JSON object that has a resourceType near its beginning, or is named .json (the
// member may come late); one that turns out to have none is not sent.
func knowsFHIR(name string, head []byte) (string, bool) {
	if !beginsObject(head) {
		return "", false
	}
	return "", strings.HasSuffix(name, ".json") || bytes.Contains(head, []byte(`"resourceType"`))
}

func beginsObject(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n"), []byte{'{'})
}

// resource is what decides where a resource goes.
type resource struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Type         string `json:"type"` // of a Bundle
}

// UnmarshalJSON takes only what is a string: other resources have a type that is a CodeableConcept.
func (r *resource) UnmarshalJSON(data []byte) error {
	var raw struct {
		ResourceType any `json:"resourceType"`
		ID           any `json:"id"`
		Type         any `json:"type"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	r.ResourceType, _ = raw.ResourceType.(string)
	r.ID, _ = raw.ID.(string)
	r.Type, _ = raw.Type.(string)
	return nil
}

// acts reports whether a Bundle is a list of things to do (R4 http.html#transaction) and not a document.
func (r resource) acts() bool {
	return r.ResourceType == "Bundle" && (r.Type == "transaction" || r.Type == "batch")
}

// door is the interaction for a resource: update where it has an id (R4 http.html#update), else create.
func (r resource) door() (method, path string) {
	switch {
	case r.acts():
		return http.MethodPost, "/fhir"
	case r.ID != "":
		return http.MethodPut, "/fhir/" + url.PathEscape(r.ResourceType) + "/" + url.PathEscape(r.ID)
	}
	return http.MethodPost, "/fhir/" + url.PathEscape(r.ResourceType)
}

// sendFHIR sends one JSON file: a resource, or a Bundle of interactions.
func sendFHIR(ctx context.Context, c *client, files []File) ([]outcome, error) {
	f := files[0]
	defer c.moved(f.Size)
	data, sha, err := readJSON(f)
	if err != nil {
		return []outcome{refused("", err.Error())}, nil
	}
	if !bytes.Contains(data, []byte(`"resourceType"`)) {
		return []outcome{{status: Strange, reason: "JSON, but no FHIR resource"}}, nil
	}
	var r resource
	if err := json.Unmarshal(data, &r); err != nil {
		return []outcome{refused("", "not JSON: "+err.Error())}, nil
	}
	if r.ResourceType == "" {
		return []outcome{{status: Strange, reason: "JSON, but no FHIR resource"}}, nil
	}
	method, path := r.door()
	ans, err := c.sendJSON(ctx, method, path, data, method == http.MethodPut)
	if err != nil {
		return nil, err
	}
	o := fhirOutcome(ans, r.acts())
	o.sha256 = sha
	return []outcome{o}, nil
}

// sendJSON sends one resource to its door.
func (c *client) sendJSON(ctx context.Context, method, path string, data []byte, repeatable bool) (*answer, error) {
	ans, err := c.do(ctx, request{
		method: method, path: path, media: mediaFHIR, accept: mediaFHIR, prefer: "return=minimal", size: int64(len(data)),
		open:       func() io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) },
		repeatable: repeatable,
	})
	if err == nil && path == "/fhir" && (ans.status == http.StatusNotFound || ans.status == http.StatusMethodNotAllowed) {
		return nil, &hub.Error{Kind: hub.NotFound, Path: c.base + path, Msg: "the hub has no such door (" + ans.line() + ")",
			Hint: "--to is the hub's base URL, without /fhir"}
	}
	return ans, err
}

// fhirOutcome reads an answer; acts says that it answers a Bundle of interactions.
func fhirOutcome(ans *answer, acts bool) outcome {
	if ans.status < 200 || ans.status > 299 {
		o := ans.refusal()
		o.again = mendedByOrder(ans.status)
		return o
	}
	o := outcome{status: Sent}
	if !acts {
		return o
	}
	statuses, notes := bundleRefusals(ans.body)
	if len(notes) == 0 {
		return o
	}
	o = refused(notes[0].Code, fmt.Sprintf("%d of its entries were refused", len(notes)))
	o.notes, o.again = notes, slices.ContainsFunc(statuses, mendedByOrder)
	return o
}

// mendedByOrder: a refusal that may be about something another file brings.
func mendedByOrder(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return true
	}
	return passing(status)
}

// bundleRefusals lists the entries of an answer that were not done (R4 http.html#transaction-response),
// with their statuses.
func bundleRefusals(body []byte) (statuses []int, notes []Note) {
	var b struct {
		Entry []struct {
			Response struct {
				Status  string          `json:"status"`
				Outcome json.RawMessage `json:"outcome"`
			} `json:"response"`
		} `json:"entry"`
	}
	if json.Unmarshal(body, &b) != nil {
		return nil, nil
	}
	for i, e := range b.Entry {
		var status int
		if _, err := fmt.Sscan(e.Response.Status, &status); err != nil || status < 400 {
			continue
		}
		reason := outcomeReason(e.Response.Outcome)
		if reason == "" {
			reason = http.StatusText(status)
		}
		statuses = append(statuses, status)
		notes = append(notes, Note{Path: fmt.Sprintf("entry %d", i+1), Code: fmt.Sprint(status), Reason: reason, entry: i})
	}
	return statuses, notes
}

var errJSONTooLarge = errors.New("larger than 256 MB as JSON: split it, or send it as NDJSON")

// readJSON reads a whole file, without byte order mark, and the digest of its bytes.
func readJSON(f File) (data []byte, sha string, err error) {
	r, err := f.open()
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	data, err = io.ReadAll(io.LimitReader(r, largestJSON+1))
	if err != nil {
		return nil, "", err
	}
	if len(data) > largestJSON {
		return nil, "", errJSONTooLarge
	}
	sum := sha256.Sum256(data)
	return bytes.TrimPrefix(data, []byte("\ufeff")), hex.EncodeToString(sum[:]), nil
}
