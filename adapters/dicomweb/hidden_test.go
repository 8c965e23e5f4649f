package dicomweb_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/dicom"
	"concord/internal/sample"
)

// hide makes of what others than county stored something that county may not know of.
func (c *client) hide() {
	c.rules.hidden = func(who access.Caller, rec *hub.Record) bool { return who.Member == "county" && rec.Member != "county" }
}

// everyPath is every resource of the study of f and below.
func everyPath(f sample.File) []string {
	study, series, instance := "/studies/"+f.StudyUID, "/studies/"+f.StudyUID+"/series/"+f.SeriesUID, pathOf(f)
	paths := []string{study + "/series", study + "/instances", series + "/instances", instance + "/frames/1", instance + "/frames/1/rendered", instance + "/frames/1/thumbnail", instance + "/bulk/7FE00010"}
	for _, at := range []string{study, series, instance} {
		paths = append(paths, at, at+"?accept=application/zip", at+"/metadata", at+"/rendered", at+"/thumbnail")
	}
	for _, key := range []string{"StudyInstanceUID=" + f.StudyUID, "SeriesInstanceUID=" + f.SeriesUID, "SOPInstanceUID=" + f.InstanceUID} {
		for _, level := range []string{"studies", "series", "instances"} {
			paths = append(paths, "/"+level+"?includefield=all&"+key)
		}
	}
	return append(paths, fmt.Sprintf("/wado?requestType=WADO&studyUID=%s&seriesUID=%s&objectUID=%s", f.StudyUID, f.SeriesUID, f.InstanceUID))
}

func TestWhatPolicyHidesAnswersLikeWhatNeverWas(t *testing.T) {
	c := start(t)
	files := c.stored(1, 3, 16)
	f, never := files[0], series(t, 2, 1, 16)[0]
	c.hide()
	county := c.as("county")
	same := func(when string) {
		unknown := everyPath(never)
		for i, path := range everyPath(f) {
			for _, method := range []string{"GET", "HEAD", "DELETE"} {
				got, want := county.do(method, path, nil, "If-None-Match: *"), county.do(method, unknown[i], nil, "If-None-Match: *")
				clean := func(a answer, f sample.File) string {
					return strings.NewReplacer(f.StudyUID, "STUDY", f.SeriesUID, "SERIES", f.InstanceUID, "INSTANCE").Replace(fmt.Sprint(a.status, a.header["Etag"], a.header["Warning"], string(a.body)))
				}
				if clean(got, f) != clean(want, never) {
					t.Errorf("%s: %s %s: %.200s, but what never was is %.200s", when, method, path, clean(got, f), clean(want, never))
				}
			}
		}
	}
	same("stored")
	c.get("/studies/" + f.StudyUID).want(200)
	c.do("DELETE", pathOf(f), nil).want(204)
	same("an instance deleted")
	c.do("DELETE", "/studies/"+f.StudyUID, nil).want(204)
	same("deleted")
}

func TestNumbersCountWhatTheCallerMaySee(t *testing.T) {
	c := start(t)
	files := c.stored(1, 3, 16)
	c.rules.hidden = func(who access.Caller, rec *hub.Record) bool {
		return who.Member == "county" && rec.Name == dicom.InstanceName(files[0].StudyUID, files[0].InstanceUID)
	}
	for _, path := range []string{"/studies?includefield=00201208", "/series?includefield=00201209&includefield=00201208", "/studies?includefield=00201204&includefield=00201208"} {
		for member, want := range map[string]float64{"village": 3, "county": 2} {
			for tag, a := range c.as(member).get(path).want(200).objects()[0] {
				if (tag == "00201208" || tag == "00201209" || tag == "00201204") && a.Value[0] != want {
					t.Errorf("%s is told %s of %s: %v, may see %v", member, tag, path, a.Value, want)
				}
			}
		}
	}
}

func TestADeletedSeriesIsGoneForDeletionToo(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	other := strings.ReplaceAll(string(f.Bytes()), f.SeriesUID, f.SeriesUID[:len(f.SeriesUID)-1]+"9")
	other = strings.ReplaceAll(other, f.InstanceUID, f.InstanceUID[:len(f.InstanceUID)-1]+"9")
	c.stow([]byte(other)).want(200)
	path := "/studies/" + f.StudyUID + "/series/" + f.SeriesUID
	c.do("DELETE", path, nil).want(204)
	c.get(path).want(410)
	c.do("DELETE", path, nil).want(410)
	c.get("/studies/" + f.StudyUID).want(200)
}

func TestGzipThatInflatesTooFarIsTheClientsFault(t *testing.T) {
	c := start(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(bytes.Repeat([]byte{'['}, 64<<20))
	z.Close()
	c.do("POST", "/studies", packed.Bytes(), ofDICOM, "Content-Encoding: gzip").want(413)
	c.do("POST", "/studies", packed.Bytes(), "Content-Type: application/dicom+json", "Content-Encoding: gzip").want(413)
	c.do("POST", "/studies", packed.Bytes()[:packed.Len()/2], "Content-Type: application/dicom+json", "Content-Encoding: gzip").want(413)
}
