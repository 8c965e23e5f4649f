package fhir

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/internal/fhir"
	"concord/internal/fhirpatch"
)

// jsonPatchType is the media type of RFC 6902.
const jsonPatchType = "application/json-patch+json"

// sentPatch is a patch as it was sent.
type sentPatch struct {
	*fhirpatch.Patch
	// tests says that a JSON Patch tests for a value that may lie in a blob.
	tests bool
}

// readPatch reads the body of a PATCH: JSON Patch or, as FHIR JSON, FHIRPath Patch (R4 http.html#patch).
func (s *Server) readPatch(c *gin.Context) (*sentPatch, error) {
	ct := mediaType(c.GetHeader("Content-Type"))
	if ct != jsonPatchType && !isJSON(ct) {
		return nil, wrongPatch("Content-Type", ct)
	}
	doc, err := readBody(c, s.Limits.Resource, 0)
	if err != nil {
		return nil, err
	}
	if ct == jsonPatchType {
		return s.jsonPatch(doc)
	}
	return fhirPatch(doc)
}

func wrongPatch(path, ct string) error {
	e := &hub.Error{Kind: hub.Unsupported, Path: path, Msg: "a patch is " + jsonPatchType + " or a Parameters resource as application/fhir+json, not " + quote(ct)}
	if ct == "application/xml-patch+xml" {
		e.Msg = "the hub takes no XML Patch"
		e.Hint = "it takes " + jsonPatchType + ", and FHIRPath Patch as application/fhir+json"
	}
	return e
}

func (s *Server) jsonPatch(doc *fhir.Doc) (*sentPatch, error) {
	p, err := fhirpatch.JSON(doc)
	if err != nil {
		return nil, err
	}
	sent := &sentPatch{Patch: p}
	for item := range doc.Root().Items() {
		sent.tests = sent.tests || item.Get("op").Text() == "test" && item.Get("value").HasLargeBase64(s.Limits.Attachment)
	}
	return sent, nil
}

func fhirPatch(doc *fhir.Doc) (*sentPatch, error) {
	if doc.Type() != "Parameters" {
		return nil, &hub.Error{Kind: hub.Invalid, Path: doc.Type(), Msg: "a FHIRPath Patch is a Parameters resource"}
	}
	if err := doc.Check(); err != nil {
		return nil, err
	}
	p, err := fhirpatch.FHIRPath(doc)
	return &sentPatch{Patch: p}, err
}

// entryPatch reads the resource of a PATCH entry: a Binary with a JSON Patch, or Parameters (R4 http.html#patch).
func (s *Server) entryPatch(resource *fhir.Doc) (*sentPatch, error) {
	if resource.Type() != "Binary" {
		return fhirPatch(resource)
	}
	if ct := mediaType(resource.Root().Get("contentType").Text()); ct != jsonPatchType {
		return nil, wrongPatch("Binary.contentType", ct)
	}
	data, err := base64.StdEncoding.DecodeString(resource.Root().Get("data").Text())
	if err != nil {
		return nil, &hub.Error{Kind: hub.Invalid, Path: "Binary.data", Msg: "the data is not base64"}
	}
	doc, err := fhir.Parse(data, fhir.Limits{Bytes: int(s.Limits.Resource)})
	if err != nil {
		return nil, err
	}
	return s.jsonPatch(doc)
}

// apply patches the version at the tail, so that of two patches at once neither is lost.
func (t *turn) apply(ctx context.Context, op *operation) error {
	rec, err := t.view.Record(ctx, op.name)
	if err != nil {
		return err
	}
	if err := t.Reader.MayRead(ctx, t.who, t.Partition, &rec); err != nil { // what comes back is what a read gives
		return err
	}
	before, known, err := stoodIn(&rec)
	if err != nil {
		return err
	}
	if op.patch.tests && rec.Blob != nil {
		return &hub.Error{Kind: hub.Unprocessable, Path: op.name.Type, Msg: "a patch cannot test for an attachment of this size", Hint: "If-Match says which version is meant"}
	}
	after, err := op.patch.Apply(before)
	if err != nil {
		return err
	}
	if err := checkPatched(after, op.name, t.Limits.Resource); err != nil {
		return err
	}
	if after, err = op.detach(after, known, &rec, &t.Limits); err != nil {
		return err
	}
	var links []*link
	for _, ref := range op.references(after) {
		if to := op.bundle.find(op, ref); to != nil {
			links = append(links, &link{ref: ref, to: to})
		} else if conditional(ref) {
			return &hub.Error{Kind: hub.Unsupported, Msg: "a patch cannot bring in a conditional reference"}
		}
	}
	if op.doc, err = rewrite(after, links); err != nil {
		return err
	}
	e, err := t.Project.Entry(op.doc, op.name)
	op.entry = &e
	return err
}

// checkPatched holds the result of a patch to what is asked of a resource that is sent. A patch that makes a resource
// wrong is refused, whoever is to blame.
func checkPatched(doc *fhir.Doc, name hub.Name, limit int64) error {
	switch n := int64(len(doc.Root().Raw())); {
	case doc.Type() != name.Type:
		return &hub.Error{Kind: hub.Unprocessable, Path: name.Type, Msg: "a patch cannot change the resourceType"}
	case doc.ID() != name.ID:
		return &hub.Error{Kind: hub.Unprocessable, Path: name.Type + ".id", Msg: "a patch cannot change the id"}
	case n > limit:
		return &hub.Error{Kind: hub.TooLarge, Path: name.Type, Msg: fmt.Sprintf("the patched resource has %d bytes, the limit is %d", n, limit)}
	}
	return doc.Check()
}

func mediaType(contentType string) string {
	ct, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(ct))
}
