package fhir

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/commit"
	"concord/internal/fhir"
	"concord/internal/webbody"
)

// A Binary may be sent as a resource in JSON or as the bytes that it holds, with their own Content-Type (R4 binary.html#rest). A body in
// FHIR's own type that is no Binary resource is content like any other, but must be a resource.

// contextHeader carries what Binary.securityContext says when the bytes are sent as they are (R4 binary.html#security).
const contextHeader = "X-Security-Context"

// isBinary tells whether the request reads or writes one Binary, whose bytes may come and go in any format.
func isBinary(c *gin.Context) bool {
	if c.Param("type") != "Binary" {
		return false
	}
	id, sub, op := c.Param("id"), c.Param("sub"), c.Param("operation")
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		return idGrammar.MatchString(id) && (sub == "" || sub == "_history" && c.Param("vid") != "" && c.Param("vid")[0] != '$') && op == ""
	case http.MethodPost:
		return id == ""
	}
	return c.Request.Method == http.MethodPut
}

// writeBinary answers POST and PUT of a Binary. Whether it may be written, as far as can be told, is found out before the
// bytes are taken in.
func (s *Server) writeBinary(c *gin.Context, who access.Caller, ch *change) {
	d, want, err := s.takeBinary(c, who, ch)
	if err != nil {
		refuse(c, err)
		return
	}
	s.answer(c, &d, want)
}

func (s *Server) takeBinary(c *gin.Context, who access.Caller, ch *change) (d done, want preference, err error) {
	want = preferred(c)
	content, err := s.content(c, ch)
	if err != nil {
		return d, want, err
	}
	op, err := s.operation(c, who, ch)
	if err == nil && content != nil {
		if want == unsaid {
			want = minimal // who sends bytes does not want them back
		}
		err = s.takeContent(c.Request.Context(), who, op, content)
	}
	if err == nil {
		d, err = s.single(c, who, op)
	}
	return d, want, err
}

// content makes the resource of a change. content is what is yet to be put into it, nil when it came as a resource.
func (s *Server) content(c *gin.Context, ch *change) (content io.Reader, err error) {
	sent := strings.TrimSpace(c.GetHeader("Content-Type"))
	switch typ := mediaType(sent); {
	case typ == "":
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "a Binary has a content type", Hint: "application/octet-stream is one"}
	case typ == "application/fhir+xml" || typ == "application/xml+fhir":
		return nil, &hub.Error{Kind: hub.Unsupported, Path: "Content-Type", Msg: "the hub takes no XML resources", Hint: "send a Binary as application/fhir+json, or the bytes with their own type"}
	case isJSON(typ):
		content, ch.resource, err = s.jsonContent(c, typ)
	default:
		content, err = webbody.Reader(c.Request, s.Limits.Binary)
	}
	if err != nil {
		return nil, err
	}
	context := c.GetHeader(contextHeader)
	if ch.resource != nil {
		if context != "" {
			return nil, &hub.Error{Kind: hub.Invalid, Path: contextHeader, Msg: "a resource says its security context itself", Hint: "Binary.securityContext"}
		}
		return nil, nil
	}
	if _, ok := fhir.ContextName(context); context != "" && !ok {
		return nil, wrongContext(contextHeader)
	}
	ch.resource, err = binaryDoc(ch.name.ID, sent, context, "")
	return content, err
}

// jsonContent reads a body that may be a Binary resource, or content.
func (s *Server) jsonContent(c *gin.Context, typ string) (content io.Reader, resource *fhir.Doc, err error) {
	own := typ != "application/json" && typ != "text/json"
	limit := s.Limits.Binary
	if own {
		limit = s.Limits.Resource
	}
	body, err := webbody.Reader(c.Request, limit)
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, s.Limits.Resource))
	if err != nil {
		return nil, nil, err
	}
	doc, err := fhir.Parse(data, fhir.Limits{Bytes: int(s.Limits.Resource)})
	switch {
	case err == nil && doc.Type() == "Binary":
		if _, err := body.Read(make([]byte, 1)); hub.Is(err, hub.TooLarge) {
			return nil, nil, err
		}
		return nil, doc, nil
	case own && err != nil:
		if _, long := body.Read(make([]byte, 1)); hub.Is(long, hub.TooLarge) {
			err = long
		}
		return nil, nil, err
	case own && (doc.Root().Kind() != fhir.Object || !fhir.IsResourceType(doc.Type())):
		return nil, nil, checkType(doc, "Binary")
	}
	return io.MultiReader(bytes.NewReader(data), body), nil, nil
}

// binaryDoc is the resource of content that came by itself.
func binaryDoc(id, contentType, context, data string) (*fhir.Doc, error) {
	type reference struct {
		Reference string `json:"reference"`
	}
	b := struct {
		ResourceType    string     `json:"resourceType"`
		ID              string     `json:"id,omitempty"`
		ContentType     string     `json:"contentType"`
		SecurityContext *reference `json:"securityContext,omitempty"`
		Data            string     `json:"data,omitempty"`
	}{"Binary", id, contentType, nil, data}
	if context != "" {
		b.SecurityContext = &reference{context}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return fhir.Parse(text, fhir.Limits{})
}

// takeContent puts content into the resource of op, and into a blob where it is large. It begins when nothing speaks against
// the write; where a conditional create will meet something, the content goes nowhere.
func (s *Server) takeContent(ctx context.Context, who access.Caller, op *operation, content io.Reader) error {
	met, err := s.foresees(ctx, who, op)
	if err != nil {
		return err
	}
	content = sending{content}
	if met {
		_, err := io.Copy(io.Discard, content)
		return err
	}
	first := make([]byte, s.Limits.Attachment)
	n, err := io.ReadFull(content, first)
	data := base64.StdEncoding.EncodeToString(first[:n])
	switch {
	case err == nil:
		data = "@0"
		if op.blob, err = s.keepContent(ctx, op, io.MultiReader(bytes.NewReader(first), content)); err != nil {
			return err
		}
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	}
	root := op.source.Root()
	op.source, err = binaryDoc(op.source.ID(), root.Get("contentType").Text(), root.Get("securityContext").Get("reference").Text(), data)
	return err
}

func (s *Server) keepContent(ctx context.Context, op *operation, content io.Reader) (*hub.Blob, error) {
	blob, err := s.keep(ctx, safeType(op.source.Root().Get("contentType").Text()), func(w io.Writer) error {
		_, err := io.CopyBuffer(w, content, make([]byte, 256<<10))
		return err
	})
	if err == nil {
		blob.Parts = &hub.Parts{Size: blob.Size, Count: 1}
	}
	return blob, err
}

// sending words the fault of a sender who goes away.
type sending struct{ io.Reader }

func (r sending) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	var known *hub.Error
	if err != nil && err != io.EOF && !errors.As(err, &known) {
		err = &hub.Error{Kind: hub.Invalid, Msg: "the body ended early", Err: err}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // which means another thing to who reads
		err = &hub.Error{Kind: hub.Invalid, Msg: "the body ended early"}
	}
	return n, err
}

// foresees looks at the tail whether op could be carried out now, and whether as a conditional create it would meet
// something. It writes nothing.
func (s *Server) foresees(ctx context.Context, who access.Caller, op *operation) (met bool, err error) {
	if op.hubID && op.when == nil {
		return false, nil
	}
	op.asked = op.name
	w := commit.Write{Member: who.Member}
	if op.when == nil {
		w.Names = []hub.Name{op.name}
	}
	w.Plan = func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		t := &turn{Server: s, who: who, view: v, claims: map[hub.Name]*operation{}, made: newMade([]*operation{op})}
		if err := t.decide(ctx, op); err != nil {
			return nil, err
		}
		for _, name := range op.names {
			if op.hubID && name == op.asked {
				continue
			}
			if _, err := t.allowed(ctx, op, name); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	if _, err = s.Writer.Submit(ctx, w); err != nil {
		return false, err
	}
	met = op.met != nil
	op.name = op.asked // the plan that counts begins anew
	return met, nil
}

// checkContext refuses a Binary that nobody could read, since its security context does not say who may.
func checkContext(doc *fhir.Doc) error {
	if !fhir.HasSecurityContext(doc.Type()) {
		return nil
	}
	context := doc.Root().Get("securityContext")
	if _, ok := fhir.ContextName(context.Get("reference").Text()); context.Kind() != fhir.Absent && !ok {
		return wrongContext("Binary.securityContext")
	}
	return nil
}

func wrongContext(path string) error {
	return &hub.Error{Kind: hub.Unprocessable, Path: path, Msg: "a security context is a reference Type/id to a resource of this hub that is no Binary"}
}

// safeType is a content type as a header may say it: one that is none stands for bytes of any kind.
func safeType(contentType string) string {
	if _, _, err := mime.ParseMediaType(contentType); err != nil || !strings.Contains(contentType, "/") {
		return "application/octet-stream"
	}
	return contentType
}
