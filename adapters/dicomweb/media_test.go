package dicomweb

import "testing"

const (
	explicitLittle = "1.2.840.10008.1.2.1"
	jpegBaseline   = "1.2.840.10008.1.2.4.50"
	j2k            = "1.2.840.10008.1.2.4.90"
)

func TestAcceptHeadersOfRealClientsAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		say, accept, stored string
		count               int
		typ                 string
		multi, ok           bool
	}{
		{"OHIF asks for octets in any syntax", `multipart/related; type="application/octet-stream"; transfer-syntax="*"`, j2k, 1, "application/octet-stream", true, true},
		{"an unquoted type", `multipart/related; type=application/octet-stream; transfer-syntax=*`, j2k, 1, "application/octet-stream", true, true},
		{"nothing asked", "", explicitLittle, 1, "application/octet-stream", true, true},
		{"anything", "*/*", jpegBaseline, 3, "application/octet-stream", true, true},
		{"one frame bare", "application/octet-stream", explicitLittle, 1, "application/octet-stream", false, true},
		{"two frames cannot be bare", "application/octet-stream", explicitLittle, 2, "", false, false},
		{"the image type of the stored syntax", `multipart/related; type="image/jpeg"`, jpegBaseline, 1, "image/jpeg", true, true},
		{"another image type", `multipart/related; type="image/jpeg"`, j2k, 1, "", false, false},
		{"another syntax", `multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.4.80`, j2k, 1, "", false, false},
		{"the second choice fits", `image/png, multipart/related; type="image/jp2"; q=0.5`, j2k, 1, "image/jp2", true, true},
		{"a refused choice does not", `multipart/related; type="image/jp2"; q=0`, j2k, 1, "application/octet-stream", true, true},
	} {
		typ, multi, ok := frameAnswer(parseAccept(nonEmpty(c.accept), ""), c.stored, c.count)
		if typ != c.typ || multi != c.multi || ok != c.ok {
			t.Errorf("%s: got %q multipart=%v ok=%v, want %q %v %v", c.say, typ, multi, ok, c.typ, c.multi, c.ok)
		}
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func TestInstancesAreSentAsAskedForOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		say, accept string
		stored      []string
		single      bool
		multi, ok   bool
	}{
		{"as stored", `multipart/related; type="application/dicom"; transfer-syntax=*`, []string{j2k, explicitLittle}, false, true, true},
		{"one instance bare", "application/dicom", []string{explicitLittle}, true, false, true},
		{"a study cannot be bare", "application/dicom", []string{explicitLittle}, false, false, false},
		{"a syntax that one of them has not", `multipart/related; type="application/dicom"; transfer-syntax=` + j2k, []string{j2k, explicitLittle}, false, false, false},
		{"JSON is no instance", "application/dicom+json", []string{j2k}, true, false, false},
	} {
		multi, ok := instanceAnswer(parseAccept(nonEmpty(c.accept), ""), c.stored, c.single)
		if multi != c.multi || ok != c.ok {
			t.Errorf("%s: multipart=%v ok=%v, want %v %v", c.say, multi, ok, c.multi, c.ok)
		}
	}
}

func FuzzParseMediaNeverPanics(f *testing.F) {
	for _, s := range []string{`multipart/related; type="application/dicom"; boundary=x`, `a;b="\";c=d`, `;;;=`, `"`, `a/b;q=abc`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range parseAccept([]string{s}, "") {
			if m.typ == "" {
				t.Errorf("a media type without a name from %q", s)
			}
		}
	})
}
