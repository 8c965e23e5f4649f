package dicomweb

import (
	"slices"
	"testing"

	"concord/internal/pixels"
)

const (
	jpegBaseline = "1.2.840.10008.1.2.4.50"
	j2k          = "1.2.840.10008.1.2.4.90"
	unknown      = "1.2.3.4.5"
)

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func TestAcceptHeadersOfRealClientsAreUnderstood(t *testing.T) {
	const octets = typeOctets
	for _, c := range []struct {
		say, accept, stored string
		count               int
		want                frameDelivery
		ok                  bool
	}{
		{"OHIF asks for octets in any syntax", `multipart/related; type="application/octet-stream"; transfer-syntax="*"`, j2k, 1, frameDelivery{octets, true, false}, true},
		{"an unquoted type", `multipart/related; type=application/octet-stream; transfer-syntax=*`, j2k, 1, frameDelivery{octets, true, false}, true},
		{"nothing asked", "", explicitLittle, 1, frameDelivery{octets, true, false}, true},
		{"anything", "*/*", jpegBaseline, 3, frameDelivery{octets, true, false}, true},
		{"one frame bare", "application/octet-stream", explicitLittle, 1, frameDelivery{octets, false, false}, true},
		{"implicit and explicit frames are the same bytes", "application/octet-stream", implicitLittle, 1, frameDelivery{octets, false, false}, true},
		{"two frames cannot be bare", "application/octet-stream", explicitLittle, 2, frameDelivery{}, false},
		{"the image type of the stored syntax", `multipart/related; type="image/jpeg"`, jpegBaseline, 1, frameDelivery{typeJPEG, true, false}, true},
		{"an image type as it was called once", `multipart/related; type="image/x-jls"; transfer-syntax=1.2.840.10008.1.2.4.80`, "1.2.840.10008.1.2.4.80", 1, frameDelivery{"image/jls", true, false}, true},
		{"another one", `image/x-dicom-rle`, "1.2.840.10008.1.2.5", 1, frameDelivery{"image/dicom-rle", false, false}, true},
		{"another image type", `multipart/related; type="image/jpeg"`, j2k, 1, frameDelivery{}, false},
		{"another syntax", `multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.4.80`, j2k, 1, frameDelivery{}, false},
		{"what the hub can neither send nor decode", `application/octet-stream`, unknown, 1, frameDelivery{}, false},
		{"the second choice fits", `image/png, multipart/related; type="image/jp2"; q=0.5`, j2k, 1, frameDelivery{"image/jp2", true, false}, true},
		{"a refused choice does not", `multipart/related; type="image/jp2"; q=0, */*; q=0.1`, j2k, 1, frameDelivery{octets, true, false}, true},
		{"all is refused", `*/*; q=0`, j2k, 1, frameDelivery{}, false},
		{"what is wanted more counts", `application/octet-stream; transfer-syntax=*; q=0.2, image/jp2; q=0.9`, j2k, 1, frameDelivery{"image/jp2", false, false}, true},
	} {
		got, ok := frameAnswer(parseAccept(nonEmpty(c.accept), nil), c.stored, c.count)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v %v, want %+v %v", c.say, got, ok, c.want, c.ok)
		}
	}
}

func TestFramesWithoutATransferSyntaxAreExplicitLittleEndian(t *testing.T) {
	if !pixels.Decodable(jpegBaseline) {
		t.Skip("JPEG is not decoded")
	}
	got, ok := frameAnswer(parseAccept([]string{`multipart/related; type="application/octet-stream"`}, nil), jpegBaseline, 2)
	if want := (frameDelivery{typeOctets, true, true}); !ok || got != want {
		t.Errorf("got %+v %v, want %+v", got, ok, want)
	}
}

func TestInstancesAreSentAsAskedForOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		say, accept string
		stored      []string
		alone       bool
		form        form
		anew        []string
		ok          bool
	}{
		{"as stored", `multipart/related; type="application/dicom"; transfer-syntax=*`, []string{j2k, explicitLittle}, false, multipart, nil, true},
		{"one instance bare", "application/dicom", []string{explicitLittle}, true, single, nil, true},
		{"implicit becomes explicit by default", "application/dicom", []string{implicitLittle}, true, single, []string{implicitLittle}, true},
		{"what is acceptable stays", "application/dicom; transfer-syntax=" + j2k + ", application/dicom", []string{j2k}, true, single, nil, true},
		{"anything goes", "*/*", []string{j2k, unknown}, false, multipart, nil, true},
		{"an archive", "application/zip", []string{j2k, unknown}, false, archive, nil, true},
		{"a study cannot be bare", "application/dicom", []string{explicitLittle}, false, 0, nil, false},
		{"a syntax that one of them has not", `multipart/related; type="application/dicom"; transfer-syntax=` + j2k, []string{j2k, explicitLittle}, false, 0, nil, false},
		{"what cannot be decoded", "application/dicom", []string{unknown}, true, 0, nil, false},
		{"JSON is no instance", "application/dicom+json", []string{j2k}, true, 0, nil, false},
	} {
		d, ok := instanceAnswer(parseAccept(nonEmpty(c.accept), nil), c.stored, c.alone)
		if ok != c.ok || ok && (d.form != c.form || !slices.Equal(d.anew, c.anew)) {
			t.Errorf("%s: %+v %v, want %v %v %v", c.say, d, ok, c.form, c.anew, c.ok)
		}
	}
}

func TestAcceptInTheAddressCountsInsteadOfTheHeader(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"application/dicom+json", typeJSON}, {"application/dicom json", typeJSON}, // the + of a URL is a blank
		{`multipart/related; type="application/dicom xml"`, typeXML},
	} {
		if list := parseAccept([]string{"text/html"}, []string{c.query}); len(list) != 1 || list[0].inner() != c.want {
			t.Errorf("%s: %+v", c.query, list)
		}
	}
}

func TestTheProcessOfAJPEGStreamIsReadFromItsFrameHeader(t *testing.T) {
	app := "\xFF\xD8\xFF\xE0\x00\x04ab"
	sos := func(predictor string) string { return "\xFF\xDA\x00\x08\x01\x01\x00" + predictor + "\x00\x00" }
	for stream, want := range map[string]string{
		app + "\xFF\xC0\x00\x0B\x08\x00\x10\x00\x10\x01\x01\x11\x00":               "1.2.840.10008.1.2.4.50",
		app + "\xFF\xC1\x00\x0B\x0C\x00\x10\x00\x10\x01\x01\x11\x00":               "1.2.840.10008.1.2.4.51",
		app + "\xFF\xC3\x00\x0B\x0C\x00\x10\x00\x10\x01\x01\x11\x00" + sos("\x01"): "1.2.840.10008.1.2.4.70",
		app + "\xFF\xC3\x00\x0B\x0C\x00\x10\x00\x10\x01\x01\x11\x00" + sos("\x06"): "1.2.840.10008.1.2.4.57",
		app:        "",
		"":         "",
		"\xFF\xD8": "",
	} {
		if got := jpegSyntax([]byte(stream)); got != want {
			t.Errorf("%q: %s, want %s", stream, got, want)
		}
	}
}

func FuzzParseMediaNeverPanics(f *testing.F) {
	for _, s := range []string{`multipart/related; type="application/dicom"; boundary=x`, `a;b="\";c=d`, `;;;=`, `"`, `a/b;q=abc`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range parseAccept([]string{s}, nil) {
			if m.typ == "" {
				t.Errorf("a media type without a name from %q", s)
			}
		}
		frameAnswer(parseAccept([]string{s}, nil), j2k, 2)
		instanceAnswer(parseAccept([]string{s}, nil), []string{j2k, explicitLittle}, true)
	})
}

func FuzzJPEGSyntaxNeverPanics(f *testing.F) {
	f.Add([]byte("\xFF\xD8\xFF\xC3\x00\x02\xFF\xDA\x00\x08\x01"))
	f.Fuzz(func(t *testing.T, b []byte) { jpegSyntax(b) })
}
