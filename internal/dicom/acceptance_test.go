package dicom

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

// refused are the files of the corpus that ScanFile refuses, with a part of the reason it must give.
func refused() map[string]string {
	const (
		missing = "is missing or empty"
		short   = "holds less than Rows, Columns"
	)
	return map[string]string{
		"charset/chrSQEncoding.dcm":                         missing,
		"charset/chrSQEncoding1.dcm":                        missing,
		"sop/ColorPalette_pet.dcm":                          missing,
		"sop/SM_wsi_140tiles_jpeg.dcm":                      missing,
		"transfer-syntax/HTJ2KLossless_08_RGB.dcm":          missing,
		"transfer-syntax/HTJ2K_08_RGB.dcm":                  missing,
		"transfer-syntax/JPEGLSNearLossless_16.dcm":         missing,
		"transfer-syntax/SC_rgb_jls_lossy_line.dcm":         missing,
		"hostile-derived/cut-at-preamble.dcm":               "ends inside the preamble",
		"hostile-derived/cut-in-meta.dcm":                   "at byte 250",
		"hostile-derived/cut-in-pixeldata.dcm":              "ends inside (7FE0,0010) at byte 20000",
		"hostile-derived/deflate-bomb-512MiB.dcm":           "inflates to more than 200 times",
		"hostile-derived/frames-2147483647.dcm":             short,
		"hostile-derived/path-traversal-uid.dcm":            "is not a UID",
		"hostile-derived/pixeldata-length-fffffffe.dcm":     "ends inside (7FE0,0010) at byte 39206",
		"hostile-derived/sopuid-empty-meta-set.dcm":         missing,
		"hostile-derived/ts-says-implicit-is-explicit.dcm":  "declares Implicit VR",
		"hostile-derived/uid-74-chars.dcm":                  "longer than 64",
		"hostile-derived/zero-bytes.dcm":                    "the file is empty",
		"hostile/3gb-bulk-data-truncated.dcm":               "at byte 100000",
		"hostile/DICOMDIR":                                  "not an instance",
		"hostile/DICOMDIR-nooffset":                         "not an instance",
		"hostile/GH220.dcm":                                 missing,
		"hostile/GH223.dcm":                                 missing,
		"hostile/GH340.dcm":                                 missing,
		"hostile/GH487.dcm":                                 missing,
		"hostile/MR_truncated.dcm":                          "at byte 9630",
		"hostile/UN_sequence.dcm":                           missing,
		"hostile/bad_sequence.dcm":                          "is not a UID",
		"hostile/empty_charset_LEI.dcm":                     missing,
		"hostile/emri_small_jpeg_2k_lossless_too_short.dcm": "ends inside (7FE0,0010) at byte 40316",
		"hostile/meta_missing_tsyntax.dcm":                  missing,
		"hostile/nested_priv_SQ.dcm":                        missing,
		"hostile/no_meta.dcm":                               "not a DICOM file",
		"hostile/no_meta_group_length.dcm":                  missing,
		"hostile/no_preamble_dicm_in_data.dcm":              missing,
		"hostile/orthanc_deeply-nested-sequence.dcm.gz":     "nest deeper than 64",
		"hostile/orthanc_oob-monochrome-46341.dcm":          short,
		"hostile/orthanc_oob-monochrome-65535.dcm":          short,
		"hostile/rtplan_truncated.dcm":                      "ends inside (300A,012C) at byte 2129",
		"hostile/zipMR.gz":                                  "gzip",
	}
}

// stricter are the files that Orthanc stores and the hub refuses, and why.
func stricter() map[string]string {
	return map[string]string{
		"hostile-derived/deflate-bomb-512MiB.dcm":  "a deflated data set is bounded",
		"hostile-derived/frames-2147483647.dcm":    "a frame count must be borne out by pixel data",
		"hostile-derived/path-traversal-uid.dcm":   "UIDs are checked (PS3.5 9.1)",
		"hostile-derived/uid-74-chars.dcm":         "UIDs are checked (PS3.5 9.1)",
		"hostile/bad_sequence.dcm":                 "UIDs are checked: a hexadecimal digest stands for the SOP Instance UID",
		"hostile/orthanc_oob-monochrome-46341.dcm": "Rows × Columns must be borne out by pixel data",
		"hostile/orthanc_oob-monochrome-65535.dcm": "Rows × Columns must be borne out by pixel data",
	}
}

func TestEveryCorpusFileIsAcceptedOrRefusedForATrueReason(t *testing.T) {
	want := refused()
	for _, name := range corpusNames(t) {
		reason, refuse := want[name]
		delete(want, name)
		data := corpusFile(t, name)
		h, err := ScanFile(bytes.NewReader(data), Limits{})
		switch {
		case refuse && err == nil:
			t.Errorf("%s was accepted", name)
		case refuse && !strings.Contains(err.Error(), reason):
			t.Errorf("%s was refused because %q, want %q", name, err, reason)
		case refuse && hub.KindOf(err) == hub.Internal:
			t.Errorf("%s: %v has no kind", name, err)
		case !refuse && err != nil:
			t.Errorf("%s was refused: %v", name, err)
		case !refuse && h.Size != int64(len(data)):
			t.Errorf("%s: read %d of %d bytes", name, h.Size, len(data))
		}
	}
	for name := range want {
		t.Errorf("%s is not in the corpus", name)
	}
}

// TestAcceptanceAgreesWithOrthanc holds the table of refusals against what Orthanc 1.10.1 did with the same files.
func TestAcceptanceAgreesWithOrthanc(t *testing.T) {
	table, err := os.ReadFile(filepath.Join(corpusDir(t), "expected", "acceptance.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	ours, meant := refused(), stricter()
	for line := range strings.Lines(string(table)) {
		columns := strings.Split(line, "\t")
		name, orthanc := columns[0], columns[1]
		if name == "file" {
			continue
		}
		stored := orthanc == "Success" || orthanc == "AlreadyStored"
		_, refuse := ours[name]
		switch why, known := meant[name]; {
		case stored && refuse && !known:
			t.Errorf("%s: Orthanc stores it, we refuse it without a reason on record", name)
		case known && !(stored && refuse):
			t.Errorf("%s: no longer a difference (%s)", name, why)
		case !stored && !refuse:
			t.Errorf("%s: Orthanc refuses it (%s), we accept", name, orthanc)
		}
	}
}

// TestNoFileTakesMuchMemoryOrTime covers the bombs: 512 MiB deflated, 3.6 MB of nested sequences, lengths of gigabytes.
func TestNoFileTakesMuchMemoryOrTime(t *testing.T) {
	for _, name := range corpusNames(t) {
		data := corpusFile(t, name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		h, err := ScanFile(bytes.NewReader(data), Limits{})
		if err == nil {
			_ = AppendJSON(nil, h, JSONOptions{})
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if all := after.TotalAlloc - before.TotalAlloc; all > 16<<20 {
			t.Errorf("%s allocated %d bytes in all", name, all)
		}
		if took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestLenientScanKeepsWhatThereIs accepts truncated pixel data, as an archive that takes over old media wants.
func TestLenientScanKeepsWhatThereIs(t *testing.T) {
	for name, frames := range map[string]int{
		"hostile/MR_truncated.dcm":                 0,
		"hostile-derived/frames-2147483647.dcm":    1,
		"hostile-derived/cut-in-pixeldata.dcm":     0,
		"hostile/orthanc_oob-monochrome-46341.dcm": 0,
	} {
		h := scanCorpus(t, name, Limits{Lenient: true})
		if h.Frames.Len() != frames || len(h.Warnings) == 0 {
			t.Errorf("%s: %d frames, want %d; warnings %q", name, h.Frames.Len(), frames, h.Warnings)
		}
	}
}
