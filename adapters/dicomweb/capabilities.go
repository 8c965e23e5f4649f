package dicomweb

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// capabilities answers with what the service can do (PS3.18 8.9): WADL, as XML unless JSON is asked for. It is printed from
// the table that the routes are made of.
func (s *Server) capabilities(c *gin.Context) {
	app := s.application(s.base(c))
	for _, m := range accepted(c) {
		if strings.HasSuffix(m.typ, "json") {
			body, err := json.Marshal(app)
			c.Header("Content-Type", "application/json")
			sendCapabilities(c, body, err)
			return
		}
	}
	body, err := xml.Marshal(app)
	c.Header("Content-Type", "application/vnd.sun.wadl+xml")
	sendCapabilities(c, append([]byte(xml.Header), body...), err)
}

func sendCapabilities(c *gin.Context, body []byte, err error) {
	if err != nil {
		WriteError(c, err)
		return
	}
	c.Header("Vary", "Accept")
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.Write(body)
}

// application is a WADL document (W3C submission of 31 August 2009), as far as it is used.
type application struct {
	XMLName   xml.Name  `xml:"http://wadl.dev.java.net/2009/02 application" json:"-"`
	Resources resources `xml:"resources" json:"resources"`
}

type resources struct {
	Base     string     `xml:"base,attr" json:"base"`
	Resource []resource `xml:"resource" json:"resource"`
}

type resource struct {
	Path   string   `xml:"path,attr" json:"path"`
	Method []method `xml:"method" json:"method"`
}

type method struct {
	Name           string           `xml:"name,attr" json:"name"`
	ID             string           `xml:"id,attr" json:"id"`
	Representation []representation `xml:"response>representation" json:"response,omitempty"`
}

type representation struct {
	MediaType string `xml:"mediaType,attr" json:"mediaType"`
}

func (s *Server) application(base string) application {
	app := application{Resources: resources{Base: base}}
	at := map[string]int{}
	for _, r := range s.routes() {
		m := method{Name: r.method, ID: strings.ReplaceAll(r.what, " ", "")}
		for _, t := range r.types {
			m.Representation = append(m.Representation, representation{t})
		}
		path := template(r.path)
		i, known := at[path]
		if !known {
			i = len(app.Resources.Resource)
			at[path] = i
			app.Resources.Resource = append(app.Resources.Resource, resource{Path: path})
		}
		app.Resources.Resource[i].Method = append(app.Resources.Resource[i].Method, m)
	}
	return app
}

// template turns a route's pattern into a URI template: /studies/{study}.
func template(pattern string) string {
	segments := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	for i, seg := range segments {
		if seg != "" && (seg[0] == ':' || seg[0] == '*') {
			segments[i] = "{" + seg[1:] + "}"
		}
	}
	return strings.Join(segments, "/")
}
