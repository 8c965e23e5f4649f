package dicom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"concord/internal/dicom/charset"
	"concord/internal/dicom/dict"
)

// TestJSONAgreesWithPydicom compares all files of the corpus that can be stored with what pydicom makes of them.
func TestJSONAgreesWithPydicom(t *testing.T) {
	python := os.Getenv("CONCORD_TEST_PYTHON")
	if python == "" {
		t.Skip("CONCORD_TEST_PYTHON is not set: pydicom is not compared with")
	}
	root := corpusDir(t)
	var names []string
	for _, name := range corpusNames(t) {
		if !strings.HasSuffix(name, ".gz") {
			names = append(names, name)
		}
	}
	cmd := exec.Command(python, "testdata/pydicom_json.py")
	cmd.Stdin = strings.NewReader(root + "/" + strings.Join(names, "\n"+root+"/") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	compared := 0
	for _, name := range names {
		if !lines.Scan() {
			t.Fatalf("pydicom said nothing of %s", name)
		}
		h, err := ScanFile(bytes.NewReader(corpusFile(t, name)), Limits{Inline: 1 << 20})
		var want, got map[string]any
		if err != nil || json.Unmarshal(lines.Bytes(), &want) != nil || decodeNumbers(lines.Bytes(), &want) != nil || want == nil {
			continue
		}
		compared++
		if err := decodeNumbers(AppendJSON(nil, h, JSONOptions{}), &got); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { compareObjects(t, pydicomDiffers(name, h), "", got, want) })
	}
	if compared < 130 {
		t.Errorf("only %d files were compared", compared)
	}
}

// pydicomDiffers lists where the hub means to differ from pydicom.
func pydicomDiffers(name string, h *Header) differs {
	left := map[string]string{ // pydicom leaves out what it cannot write
		"hostile/GH1146.dcm/00081140": "a sequence that ends without its delimiter is read as far as it goes (PS3.5 7.5)", "hostile/badVR.dcm/00280008": "what is no IS is its text (PS3.18 F.2.3)",
		"hostile/badVR.dcm/300C0002": "F.2.3 in its items", "transfer-syntax/rtdose.dcm/300C0002": "F.2.3 in its items",
	}
	return func(path string, got, want jsonAttribute) string {
		tag, _ := dict.ParseTag(path[len(path)-8:])
		switch {
		case tag == tagCharset:
			return "PS3.18 8.8.3.2: the text of the answer is UTF-8, and so is what it says of itself"
		case got.Bulk != "" || want.Bulk != "":
			return "PS3.18 F.2.6: bulk by reference"
		case got.VR == "UN" && tag.Private() && want.VR != "":
			return "PS3.5 6.2.2: a private attribute without a VR is UN; pydicom has a list of makers' own"
		case want.VR == "" && left[name+"/"+path] != "":
			return left[name+"/"+path]
		case got.VR == "PN" && len(got.Value) == 0 && len(want.Value) == 1:
			return "PS3.5 6.2.1.1: a name of delimiters only has no value"
		case h.repair == charset.AsGBK && (got.VR == "LO" || got.VR == "PN"):
			return "text that is not what is declared is read as what it is; pydicom believes the declaration"
		case name == "charset/chrGB2312.dcm" && got.VR == "PN":
			return "PS3.3 Table C.12-4: ISO 2022 IR 58; pydicom shows the escapes"
		case len(got.Value) == 0 && len(want.Value) == 1 && want.Value[0] == nil:
			return "PS3.18 F.2.5: no Value for an empty attribute"
		}
		return ""
	}
}
