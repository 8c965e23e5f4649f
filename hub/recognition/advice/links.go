package advice

import (
	"net/url"
	"strings"
)

// Link is an address under which a result, or a report about it, can be had.
type Link struct {
	Chinese, English string
	URL              string
	// Page says that a person can open it in a browser; the others are for programs, which bring their credential.
	Page bool
}

// Links says where addresses begin.
type Links struct {
	// Base is the hub's address without a trailing slash.
	Base string
	// Viewer is the address of a viewer of images, with {study} where the Study Instance UID belongs; empty: there is none.
	Viewer string
}

// Of lists the links of a result and its reports.
func (l Links) Of(r *Result, reports []Report) []Link {
	var all []Link
	if r.Study != "" {
		if l.Viewer != "" {
			all = append(all, Link{"打开影像", "Open the images", strings.ReplaceAll(l.Viewer, "{study}", url.QueryEscape(r.Study)), true})
		}
		all = append(all, Link{"影像（DICOMweb）", "Images (DICOMweb)", l.Base + "/dicom-web/studies/" + r.Study, false})
	}
	for _, report := range reports {
		if report.Result == r.Name {
			all = append(all, Link{"报告", "Report", l.Base + "/fhir/" + report.Name.String(), false})
		}
	}
	return append(all, Link{"结果", "Result", l.Base + "/fhir/" + r.Name.String(), false})
}
