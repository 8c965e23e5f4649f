package dicomweb

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"concord/internal/dicom"
	"concord/internal/dicom/dict"
	"concord/internal/pixels"
)

// WriteConformance prints the conformance statement of the web services (PS3.2 annex J), in Markdown, from the tables that
// requests are routed and answered by.
func WriteConformance(out io.Writer) error {
	w := bufio.NewWriter(out)
	s := &Server{}
	s.Limits.fill()
	fmt.Fprint(w, `# DICOMweb Conformance Statement

Printed by `+"`concord conformance dicomweb`"+` from the tables that the hub runs on. What the services do in detail is in [dicomweb.md](dicomweb.md), the network
in [dicom-conformance.md](dicom-conformance.md).

## 1 Transactions

At `+"`/dicom-web`"+`. The scope is what the caller's token must grant on `+"`system/ImagingStudy`"+`.

| transaction | method | resource | scope | media types of the answer |
|---|---|---|---|---|
`)
	routes := s.routes()
	slices.SortStableFunc(routes, func(a, b route) int { return strings.Compare(a.what, b.what) })
	for _, r := range routes {
		fmt.Fprintf(w, "| %s | %s | `%s` | .%s | %s |\n", r.what, r.method, template(r.path), r.action, strings.Join(r.types, ", "))
	}
	fmt.Fprint(w, `
## 2 Search

Keys of the levels above match, too. These are answered from the index:

| level | keys |
|---|---|
`)
	for _, l := range []dicom.Level{dicom.Study, dicom.Series, dicom.Instance} {
		above := []string{}
		if l > dicom.Study {
			above = dicom.Keywords(l - 1)
		}
		own := slices.DeleteFunc(dicom.Keywords(l), func(k string) bool { return slices.Contains(above, k) })
		fmt.Fprintf(w, "| %s | %s |\n", l, strings.Join(own, ", "))
	}
	fmt.Fprint(w, `
## 3 Transfer syntaxes

Everything is served as it is stored. Where the last column says so, it is also decoded: for rendered images, and in Explicit VR Little Endian.

| transfer syntax | UID | decoded |
|---|---|---|
`)
	for u := range dict.UIDs() {
		if u.Kind == dict.TransferSyntax {
			fmt.Fprintf(w, "| %s | %s | %s |\n", u.Name, u.UID, map[bool]string{true: "yes", false: "no"}[pixels.Decodable(u.UID)])
		}
	}
	fmt.Fprintf(w, `
## 4 Limits

| | |
|---|---|
| results of a search | %d, and %d without a limit; a Warning 299 says that there are more |
| instances of one store request | %d |
| metadata of one store request | %d MB |
`, s.Limits.Results, s.Limits.Default, s.Limits.Parts, s.Limits.Metadata>>20)
	return w.Flush()
}
