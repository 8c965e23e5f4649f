package dicomweb_test

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"strings"
	"testing"
)

func TestImagesAreRenderedAsAsked(t *testing.T) {
	c := start(t)
	f := c.stored(1, 3, 64)[1]
	series := "/studies/" + f.StudyUID + "/series/" + f.SeriesUID
	size := func(a answer, w, h int) {
		t.Helper()
		im, _, err := image.Decode(bytes.NewReader(a.body))
		if err != nil || im.Bounds().Dx() != w || im.Bounds().Dy() != h {
			t.Errorf("%s: %v, %v", a.asked, err, im)
		}
	}
	for _, at := range []string{pathOf(f), pathOf(f) + "/frames/1", series, "/studies/" + f.StudyUID} {
		size(c.get(at+"/rendered").want(200).says("Content-Type", "image/jpeg"), 64, 64)
		size(c.get(at+"/rendered?viewport=32,16", "Accept: image/png").want(200).says("Content-Type", "image/png"), 16, 16)
		size(c.get(at+"/thumbnail").want(200).says("Content-Type", "image/jpeg"), 256, 256)
		size(c.get(at+"/thumbnail?viewport=32,32").want(200), 32, 32)
	}
	wide, narrow := c.get(pathOf(f)+"/rendered?window=40,4000,linear", "Accept: image/png").want(200), c.get(pathOf(f)+"/rendered?window=40,10", "Accept: image/png").want(200)
	if a, err := png.Decode(bytes.NewReader(wide.body)); err != nil || bytes.Equal(wide.body, narrow.body) {
		t.Errorf("the window is without effect: %v %v", err, a)
	}
	good, poor := c.get(pathOf(f)+"/rendered?quality=95"), c.get(pathOf(f)+"/rendered?quality=5")
	if len(poor.body) >= len(good.body) {
		t.Errorf("quality 5 has %d bytes, 95 %d", len(poor.body), len(good.body))
	}
	if parts := c.get(series+"/rendered", `Accept: multipart/related; type="image/png"`).want(200).parts(); len(parts) != 3 || parts[0].header.Get("Content-Type") != "image/png" {
		t.Errorf("%d images of the series", len(parts))
	}
	uri := fmt.Sprintf("/wado?requestType=WADO&studyUID=%s&seriesUID=%s&objectUID=%s", f.StudyUID, f.SeriesUID, f.InstanceUID)
	size(c.get(uri).want(200).says("Content-Type", "image/jpeg"), 64, 64)
	size(c.get(uri+"&contentType=image%2Fpng&rows=32&columns=32&windowCenter=40&windowWidth=400&region=0,0,0.5,0.5").want(200).says("Content-Type", "image/png"), 32, 32)
	for path, status := range map[string]int{
		pathOf(f) + "/rendered?window=1": 400, pathOf(f) + "/rendered?window=1,0": 400, pathOf(f) + "/rendered?viewport=a,b": 400, pathOf(f) + "/rendered?viewport=999999,1": 400,
		pathOf(f) + "/rendered?quality=101": 400, pathOf(f) + "/rendered?accept=video/mp4": 406, pathOf(f) + "/thumbnail?viewport=5000,5000": 400, pathOf(f) + "/frames/2/rendered": 404,
		pathOf(f) + "/rendered?viewport=32,32,8": 200, pathOf(f) + "/rendered?viewport=1,1,1,1,1,1,1": 400, pathOf(f) + "/frames/1,2": 404, pathOf(f) + "/frames/1,x": 400,
		pathOf(f) + "/metadata?accept=application/dicom+json": 200, uri + "&frameNumber=x": 400, uri + "&anonymize=yes": 400, uri + "&anonymize=no": 200, uri + "&presentationUID=1.2": 400,
		uri + "&windowCenter=4": 400, uri + "&frameNumber=2": 404, uri + "&contentType=video/mp4": 406, "/wado?requestType=X": 400,
	} {
		if a := c.get(path); a.status != status {
			t.Errorf("%s: %d, want %d: %s", path, a.status, status, a.body)
		}
	}
	await(t, func() bool { return len(under(filepath.Join(c.root, "derived", "dicom"))) > 0 })
	tag := c.get(pathOf(f) + "/thumbnail").header.Get("ETag")
	c.get(pathOf(f)+"/thumbnail", "If-None-Match: "+tag).want(304)
}

// rle is a frame of one segment of literal runs (PS3.5 annex G).
func rle(frame []byte) string {
	head := make([]byte, 64)
	head[0], head[4] = 1, 64
	out := string(head)
	for len(frame) > 0 {
		n := min(128, len(frame))
		out += string([]byte{byte(n - 1)}) + string(frame[:n])
		frame = frame[n:]
	}
	return out
}

func TestWhatIsCompressedIsDecodedForWhoWantsThat(t *testing.T) {
	c := start(t)
	frames := []string{"\x01\x02\x03\x04", "\x05\x06\x07\x08"}
	c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", "[" + ctObject("1.2.7.1", 2, `"7FE00010":{"vr":"OB","BulkDataURI":"p"}`) + "]"},
		[3]string{"image/dicom-rle", "p", rle([]byte(frames[0]))}, [3]string{"image/dicom-rle", "p", rle([]byte(frames[1]))}), ofMetadata).want(200)
	at := "/studies/1.2.5/series/1.2.6/instances/1.2.7.1"
	parts := c.get(at+"/frames/2,1", `Accept: multipart/related; type=application/octet-stream`).want(200).parts()
	if len(parts) != 2 || string(parts[0].body) != frames[1] || string(parts[1].body) != frames[0] || !strings.HasSuffix(parts[0].header.Get("Content-Type"), "transfer-syntax=1.2.840.10008.1.2.1") {
		t.Errorf("%q", parts)
	}
	asStored := c.get(at+"/frames/1", `Accept: multipart/related; type="application/octet-stream"; transfer-syntax=*`).want(200).parts()
	if len(asStored) != 1 || !strings.HasPrefix(string(asStored[0].body), rle([]byte(frames[0]))) {
		t.Errorf("%q", asStored)
	}
	whole := c.get(at, "Accept: application/dicom").want(200).says("Content-Type", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
	if !bytes.Contains(whole.body, []byte(frames[0]+frames[1])) {
		t.Error("the file has no native pixels")
	}
	if back := c.do("POST", "/studies", bytes.ReplaceAll(whole.body, []byte("1.2.7.1\x00"), []byte("1.2.7.2\x00")), "Content-Type: application/dicom"); back.status != 200 {
		t.Errorf("what was written anew is not taken back: %s", back.body)
	}
	c.get(at, "Accept: application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80").want(406)
	film, err := gif.DecodeAll(bytes.NewReader(c.get(at+"/rendered", "Accept: image/gif").want(200).body))
	if err != nil || len(film.Image) != 2 {
		t.Errorf("the film: %v", err)
	}
	c.get(at+"/rendered?viewport=8192,8192", "Accept: image/gif").want(413)
	shown := c.get(at+"/frames/2,1/rendered", `Accept: multipart/related; type="image/png"`).want(200)
	if one := c.get(at+"/frames/1/rendered", "Accept: image/png").want(200); len(shown.parts()) != 2 || !bytes.Equal(shown.parts()[1].body, one.body) {
		t.Error("a frame among several is rendered otherwise than alone")
	}
	if _, err := jpeg.Decode(bytes.NewReader(c.get(at + "/frames/2/thumbnail").want(200).body)); err != nil {
		t.Error(err)
	}
	if bulk := c.get(at+"/bulk/7FE00010", `Accept: multipart/related; type="image/dicom-rle"`).want(200).parts(); len(bulk) != 2 {
		t.Errorf("bulk data of %d frames", len(bulk))
	}
}

func TestWhatCannotBeDecodedIsNotAcceptableAndComesAsStored(t *testing.T) {
	c := start(t)
	c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", "[" + ctObject("1.2.7.1", 1, `"7FE00010":{"vr":"OB","BulkDataURI":"p"}`) + "]"},
		[3]string{"image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", "p", "\xff\xd8 no JPEG"}), ofMetadata).want(200)
	at := "/studies/1.2.5/series/1.2.6/instances/1.2.7.1"
	uri := "/wado?requestType=WADO&studyUID=1.2.5&seriesUID=1.2.6&objectUID=1.2.7.1"
	for _, path := range []string{at + "/rendered", at + "/thumbnail", at + "/frames/1?accept=application/octet-stream", at + "?accept=application/dicom",
		at + "?accept=multipart/related%3Btype=application/dicom", "/studies/1.2.5/rendered", uri, uri + "&contentType=application/dicom"} {
		if a := c.get(path).want(406); !bytes.Contains(a.body, []byte("transfer-syntax=*")) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	c.get(at+"/frames/1", "Accept: image/jpeg").want(200)
	c.get(at, "Accept: application/dicom; transfer-syntax=*").want(200)
}

func TestAStudyIsShownByWhatCanBeDecoded(t *testing.T) {
	c := start(t)
	for i := range 5 {
		c.do("POST", "/studies", multipartOf([3]string{"application/dicom+json", "", "[" + ctObject(fmt.Sprint("1.2.7.", i+1), 1, `"7FE00010":{"vr":"OB","BulkDataURI":"p"}`) + "]"},
			[3]string{"image/jxl", "p", "no decoder"}), ofMetadata).want(200)
	}
	const study = "/studies/1.2.5"
	c.get(study + "/rendered").want(406)
	c.get(study + "/thumbnail").want(406)
	c.do("POST", "/studies", []byte("["+ctObject("1.2.7.9", 1, `"7FE00010":{"vr":"OB","InlineBinary":"AQIDBA=="}`)+"]"), "Content-Type: application/dicom+json").want(200)
	c.get(study + "/rendered").want(200)
	c.get(study + "/series/1.2.6/thumbnail").want(200)
	if parts := c.get(study+"/rendered", `Accept: multipart/related; type="image/png"`).want(200).parts(); len(parts) != 1 {
		t.Errorf("%d images", len(parts))
	}
	c.get(study + "/series/1.2.6/instances/1.2.7.1/rendered").want(406)
}

func TestWhatHasNoImageIsNotRendered(t *testing.T) {
	c := start(t)
	c.do("POST", "/studies", []byte(`{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.88.11"]},"00080018":{"vr":"UI","Value":["1.2.3.9"]},"0020000D":{"vr":"UI","Value":["1.2.5"]},"0020000E":{"vr":"UI","Value":["1.2.6"]}}`),
		"Content-Type: application/dicom+json").want(200)
	at := "/studies/1.2.5/series/1.2.6/instances/1.2.3.9"
	for _, path := range []string{at + "/rendered", at + "/thumbnail", at + "/frames/1", "/studies/1.2.5/rendered", "/studies/1.2.5/thumbnail", "/studies/1.2.5/series/1.2.6/thumbnail"} {
		c.get(path).want(404)
	}
}
