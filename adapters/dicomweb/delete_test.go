package dicomweb_test

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"testing"

	face "concord/adapters/dicomweb"
	"concord/hub"
	"concord/hub/audit"
)

func TestWhatItsOwnerDeletesIsGoneOnEveryWayOutAndMayComeBack(t *testing.T) {
	c := start(t)
	files := c.stored(1, 3, 16)
	study, f := "/studies/"+files[0].StudyUID, files[1]
	c.as("county").do("DELETE", study, nil).want(403)
	c.as("county").do("DELETE", pathOf(f), nil).want(403)
	c.get(pathOf(f)).want(200)

	c.do("DELETE", pathOf(f), nil).want(204)
	for _, path := range []string{pathOf(f), pathOf(f) + "/metadata", pathOf(f) + "/frames/1", pathOf(f) + "/thumbnail", pathOf(f) + "/bulk/7FE00010"} {
		c.get(path).want(410)
	}
	c.do("DELETE", pathOf(f), nil).want(410)
	if n := len(c.get(study + "/metadata").want(200).objects()); n != 2 {
		t.Errorf("the study has %d instances left", n)
	}
	if n := len(c.get("/instances?SOPInstanceUID=" + f.InstanceUID).objects()); n != 0 {
		t.Errorf("the deleted instance is found %d times", n)
	}
	c.as("county").stow(f.Bytes()).want(200) // again, by another
	c.get(pathOf(f)).want(200)
	c.do("DELETE", study, nil).want(403) // which it is not the first one's to take away
	c.as("county").do("DELETE", pathOf(f), nil).want(204)

	c.get(study + "/thumbnail").want(200)
	await(t, func() bool { return len(under(filepath.Join(c.root, "derived", "dicom"))) > 0 })
	c.do("DELETE", study, nil).want(204)
	if left := under(filepath.Join(c.root, "derived", "dicom")); len(left) > 0 {
		t.Errorf("derived blobs are left: %v", left)
	}
	c.get(study + "/metadata").want(410)
	c.get(study).want(410)
	c.do("DELETE", study, nil).want(410)
	if n := len(c.get("/studies?StudyInstanceUID=" + files[0].StudyUID).objects()); n != 0 {
		t.Errorf("the deleted study is found %d times", n)
	}
	c.stow(files[0].Bytes()).want(200)
	if n := len(c.get(study + "/metadata").want(200).objects()); n != 1 {
		t.Errorf("what came back has %d instances", n)
	}
	c.do("DELETE", "/studies/1.2.3", nil).want(404)
	c.do("DELETE", "/studies/1.2.3/series/4/instances/5", nil).want(404)
	if !slices.ContainsFunc(c.trail.events, func(e audit.Event) bool { return e.Action == audit.Delete && e.Count == 2 }) {
		t.Error("the deletion of the study was not noted")
	}
	weak := *c
	weak.scope = "system/ImagingStudy.crus"
	weak.do("DELETE", study, nil).want(403)
}

func TestAStudyKeepsTheModalitiesOfTheSeriesThatAreLeft(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	sr := `[{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.88.11"]},"00080018":{"vr":"UI","Value":["1.2.3.9"]},"00080060":{"vr":"CS","Value":["SR"]},
		"00100020":{"vr":"LO","Value":["x"]},"0020000D":{"vr":"UI","Value":["` + f.StudyUID + `"]},"0020000E":{"vr":"UI","Value":["1.2.3.8"]}}]`
	c.do("POST", "/studies", []byte(sr), "Content-Type: application/dicom+json").want(202) // another Patient ID
	modalities := func() []any {
		all := c.get("/studies?StudyInstanceUID=" + f.StudyUID).want(200).objects()
		if len(all) != 1 {
			t.Fatalf("%d studies", len(all))
		}
		return all[0]["00080061"].Value
	}
	if got := modalities(); !slices.Equal(got, []any{"CT", "SR"}) {
		t.Fatalf("modalities %v", got)
	}
	c.do("DELETE", "/studies/"+f.StudyUID+"/series/1.2.3.8", nil).want(204)
	if got := modalities(); !slices.Equal(got, []any{"CT"}) {
		t.Errorf("modalities %v after the report was deleted", got)
	}
	c.do("DELETE", pathOf(f), nil).want(204) // the last one takes series and study along
	if n := len(c.get("/studies").objects()); n != 0 {
		t.Errorf("%d studies are left", n)
	}
}

// gate is a shelf that takes things when it is told to.
type gate struct {
	hub.Derived
	open chan struct{}
}

func (g gate) Put(ctx context.Context, key string, size int64, r io.Reader) error {
	<-g.open
	return g.Derived.Put(ctx, key, size, r)
}

func TestWhatIsMadeOfAStudyWhileItIsDeletedDoesNotStay(t *testing.T) {
	open := make(chan struct{})
	c := start(t, func(d *face.Deps) { d.Shelf.Derived = gate{d.Shelf.Derived, open} })
	f := c.stored(1, 1, 16)[0]
	c.get(pathOf(f) + "/thumbnail").want(200)
	c.do("DELETE", "/studies/"+f.StudyUID, nil).want(204)
	close(open)
	c.face.Close() // what is on its way to the shelf is there then
	if left := under(filepath.Join(c.root, "derived", "dicom")); len(left) > 0 {
		t.Errorf("derived blobs are left: %v", left)
	}
}

func TestAStudyKeepsTheSOPClassesOfTheInstancesThatAreLeft(t *testing.T) {
	c := start(t)
	f := c.stored(1, 1, 16)[0]
	report := func(class, sop, series string) {
		c.do("POST", "/studies", []byte(`[{"00080016":{"vr":"UI","Value":["`+class+`"]},"00080018":{"vr":"UI","Value":["`+sop+`"]},"00080060":{"vr":"CS","Value":["SR"]},
			"00100020":{"vr":"LO","Value":["x"]},"0020000D":{"vr":"UI","Value":["`+f.StudyUID+`"]},"0020000E":{"vr":"UI","Value":["`+series+`"]}}]`), "Content-Type: application/dicom+json").want(202)
	}
	const ct, text, enhanced = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22"
	report(text, "1.2.3.91", "1.2.3.8")
	report(enhanced, "1.2.3.92", "1.2.3.8")
	report(text, "1.2.3.93", "1.2.3.8")
	classes := func(when string, want ...any) {
		t.Helper()
		all := c.get("/studies?includefield=SOPClassesInStudy&StudyInstanceUID=" + f.StudyUID).want(200).objects()
		if len(all) != 1 || !slices.Equal(all[0]["00080062"].Value, want) {
			t.Errorf("%s: %v, want SOP classes %v", when, all, want)
		}
		for _, class := range []any{ct, text, enhanced} {
			if n := len(c.get("/studies?SOPClassesInStudy=" + class.(string)).objects()); n == 1 != slices.Contains(want, class) {
				t.Errorf("%s: %d studies of %s", when, n, class)
			}
		}
	}
	series := "/studies/" + f.StudyUID + "/series/1.2.3.8"
	classes("stored", ct, text, enhanced)
	c.do("DELETE", series+"/instances/1.2.3.91", nil).want(204)
	classes("one of two of a class deleted", ct, text, enhanced)
	c.do("DELETE", series+"/instances/1.2.3.92", nil).want(204)
	classes("the only one of a class deleted", ct, text)
	c.do("DELETE", series, nil).want(204)
	classes("a series deleted", ct)
}
