package dict

import (
	"slices"
	"testing"
)

func TestTablesAreOrderedSoThatSearchFindsEveryLine(t *testing.T) {
	for i := range attributes {
		a := &attributes[i]
		if got, ok := Lookup(a.Tag); !ok || got != a {
			t.Errorf("%v is not found", a.Tag)
		}
		if got, ok := ByKeyword(a.Keyword); !ok || got != a {
			t.Errorf("%s is not found", a.Keyword)
		}
		if !a.VR.Known() {
			t.Errorf("%v has VR %v", a.Tag, a.VR)
		}
	}
	if !slices.IsSortedFunc(uids[:], func(a, b UID) int {
		if a.UID < b.UID {
			return -1
		}
		return 1
	}) {
		t.Error("UIDs are not ordered")
	}
}

func TestLookup(t *testing.T) {
	for tag, keyword := range map[Tag]string{0x00100020: "PatientID", 0x60023000: "OverlayData", 0x7FE00001: "ExtendedOffsetTable", 0x00091001: "(0009,1001)"} {
		if got := Name(tag); got != keyword {
			t.Errorf("%v is %s, want %s", tag, got, keyword)
		}
	}
	if u, ok := LookupUID("1.2.840.10008.1.2.4.201"); !ok || u.Kind != TransferSyntax {
		t.Errorf("HTJ2K Lossless is %+v", u)
	}
	if _, ok := LookupUID("1.2.3"); ok {
		t.Error("1.2.3 has a name")
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"PatientNmae": "PatientName", "studydate": "StudyDate", "xyzzyplugh": "", "": ""} {
		if got := Nearest(word); got != want {
			t.Errorf("%q is near %q, want %q", word, got, want)
		}
	}
}
