package webserver

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"concord/docs"
	"concord/web"
)

// pageData is what the page says about this hub.
type pageData struct {
	Base, Version string
	Ready         bool
	Reasons       []string
	Chinese       bool
	Docs, DICOM   []string
}

// mountPage serves what web/ holds: index.html at /, in the language asked for, and the rest at /assets; and the
// documents as plain text at /docs, with and without .md, by which they refer to each other.
func (s *Server) mountPage() error {
	index, err := template.ParseFS(web.Files, "index.html")
	if err != nil {
		return fmt.Errorf("read the embedded pages: %w", err)
	}
	documents, err := s.mountFiles(docs.Files, "/docs/", "text/plain; charset=utf-8")
	if err != nil {
		return err
	}
	s.engine.GET("/", func(c *gin.Context) { s.page(c, index, documents) })
	_, err = s.mountFiles(web.Files, "/assets/", "")
	return err
}

func (s *Server) page(c *gin.Context, index *template.Template, documents []string) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 3*time.Second)
	defer cancel()
	data := pageData{Base: s.base(c.Request), Version: s.config.Version, Reasons: s.notReady(ctx), Chinese: chinese(c.Request), Docs: documents, DICOM: s.config.DICOM}
	data.Ready = len(data.Reasons) == 0
	var out bytes.Buffer
	if err := index.Execute(&out, data); err != nil {
		s.fail(c, fmt.Errorf("write the page: %w", err))
		return
	}
	pageHeaders(c)
	c.Header("Vary", "Accept-Language")
	c.Data(http.StatusOK, "text/html; charset=utf-8", out.Bytes())
}

// chinese is what ?lang=zh or ?lang=en says, else what the browser prefers.
func chinese(r *http.Request) bool {
	if lang := r.URL.Query().Get("lang"); lang != "" {
		return lang == "zh"
	}
	_, i := language.MatchStrings(language.NewMatcher([]language.Tag{language.English, language.Chinese}), r.Header.Get("Accept-Language"))
	return i == 1
}

// mountFiles serves files as they are, but for the page itself, and lists their names. An empty media type goes by the name.
func (s *Server) mountFiles(files fs.ReadDirFS, under, media string) ([]string, error) {
	list, err := files.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("read the embedded pages: %w", err)
	}
	var names []string
	for _, f := range list {
		if f.IsDir() || f.Name() == "index.html" {
			continue
		}
		data, err := fs.ReadFile(files, f.Name())
		if err != nil {
			return nil, fmt.Errorf("read the embedded pages: %w", err)
		}
		kind := media
		if kind == "" {
			kind = mime.TypeByExtension(path.Ext(f.Name()))
		}
		name := strings.TrimSuffix(f.Name(), ".md")
		names = append(names, name)
		serve := func(c *gin.Context) { pageHeaders(c); c.Data(http.StatusOK, kind, data) }
		s.engine.GET(under+name, serve)
		if name != f.Name() {
			s.engine.GET(under+f.Name(), serve)
		}
	}
	return names, nil
}

func pageHeaders(c *gin.Context) {
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Cache-Control", "no-cache")
}
