package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// TestEveryWayInMakesTheSameRecords stores the corpus in three hubs: by STOW, by the upload command and by C-STORE. Files whose
// UIDs another one has are left out, since which of them is shown depends on the order.
func TestEveryWayInMakesTheSameRecords(t *testing.T) {
	t.Parallel()
	files := distinctFiles(t)
	if len(files) < 90 {
		t.Fatalf("only %d files of the corpus are to be stored", len(files))
	}
	ways := map[string]func(t *testing.T, on hubproc.Stores, token string){
		"STOW": func(t *testing.T, on hubproc.Stores, token string) {
			h := hubproc.Start(t, on)
			for part := range slices.Chunk(files, 20) {
				var bodies [][]byte
				for _, f := range part {
					bodies = append(bodies, f.data)
				}
				if a, err := h.Client(token).Store(bodies...); err != nil || a.Status/100 != 2 {
					t.Fatalf("store: %v %s", err, a)
				}
			}
			h.Stop()
		},
		"upload": func(t *testing.T, on hubproc.Stores, token string) {
			h := hubproc.Start(t, on)
			folder := t.TempDir()
			for i, f := range files {
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.dcm", i)), f.data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := exec.Command(hubproc.Binary(t), "upload", folder, "--to", h.URL, "--token", token).CombinedOutput(); err != nil {
				t.Fatalf("upload: %v\n%s", err, out)
			}
			h.Stop()
		},
		"C-STORE": func(t *testing.T, on hubproc.Stores, _ string) {
			address := hubproc.FreeAddress(t)
			h := hubproc.Start(t, on, "--dimse", address)
			for _, f := range files {
				if status, err := sendFile(t.Context(), address, f.data); err != nil || status != 0 && status&0xF000 != 0xB000 {
					t.Errorf("send %s: %04X %v", f.name, status, err)
				}
			}
			h.Stop()
		},
	}
	records := map[string]map[hub.Name]hub.Record{}
	for name, store := range ways {
		on := hubproc.Embedded(t)
		on.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
		began := time.Now()
		store(t, on, on.Token(t, "village"))
		t.Logf("%s: %d files in %v", name, len(files), time.Since(began))
		records[name] = dicomRecords(t, on)
	}
	sameRecords(t, "upload", records["STOW"], records["upload"], true)
	sameRecords(t, "C-STORE", records["STOW"], records["C-STORE"], false)
}

// distinctFiles are those of the corpus that can be stored and sent in any way, each study once or as instances that do not
// meet: what a study says of itself is said by the instance that comes first. Private SOP classes are by C-STORE taken only
// where they are configured.
func distinctFiles(t *testing.T) []dicomFile {
	var all []dicomFile
	seen := map[string]bool{}
	for _, f := range dicomFiles(t) {
		h, err := dicom.ScanFile(bytes.NewReader(f.data), dicom.Limits{})
		if err != nil || h.Bare || !strings.HasPrefix(h.SOPClassUID, "1.2.840.10008.") || seen[h.StudyInstanceUID+"/"+h.SOPInstanceUID] || seen[h.SOPInstanceUID] {
			continue
		}
		seen[h.StudyInstanceUID+"/"+h.SOPInstanceUID], seen[h.SOPInstanceUID] = true, true
		all = append(all, f)
	}
	return all
}

// sendFile stores one file by C-STORE in its own transfer syntax.
func sendFile(ctx context.Context, address string, file []byte) (upperlayer.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	h, err := dicom.ScanFile(bytes.NewReader(file), dicom.Limits{})
	if err != nil {
		return 0, err
	}
	set, syntax, err := dicom.DataSetOf(bytes.NewReader(file))
	if err != nil {
		return 0, err
	}
	var dialer upperlayer.Dialer
	a, err := dialer.Dial(ctx, address, upperlayer.Proposal{Called: "CONCORD", Calling: "CT1",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: h.SOPClassUID, Transfer: []string{syntax}}}})
	if err != nil {
		return 0, err
	}
	defer a.Release(ctx)
	in, ok := a.ContextFor(h.SOPClassUID, "")
	if !ok {
		return 0, fmt.Errorf("%s in %s is not accepted", h.SOPClassUID, syntax)
	}
	call, err := a.Call(ctx, in, upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: h.SOPClassUID, SOPInstance: h.SOPInstanceUID}, set)
	if err != nil {
		return 0, err
	}
	defer call.Close()
	m, err := call.Next(ctx)
	if err != nil {
		return 0, err
	}
	return m.Command.Status, nil
}

// dicomRecords reads what the logs of a hub that has ended say of DICOM, the last version of each.
func dicomRecords(t *testing.T, on hubproc.Stores) map[hub.Name]hub.Record {
	t.Helper()
	records := map[hub.Name]hub.Record{}
	err := filepath.WalkDir(filepath.Join(on.Data, "objects", "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "dicom") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c, err := hub.DecodeCommit(data)
		if err != nil {
			return err
		}
		for _, r := range c.Records {
			if records[r.Name].Version < r.Version {
				records[r.Name] = r
			}
		}
		return nil
	})
	if err != nil || len(records) == 0 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	return records
}

// sameRecords compares what two ways in have made. Of studies and series of several instances the names count; files: the
// blobs are the very files, else only their data sets are the same and lie where another preamble and group 2 let them.
func sameRecords(t *testing.T, way string, want, got map[hub.Name]hub.Record, files bool) {
	t.Helper()
	instances := map[string]int{} // of a study
	for n := range want {
		if n.Type == dicom.Instance.Type() {
			study, _, _ := strings.Cut(n.ID, "/")
			instances[study]++
		}
	}
	for n := range got {
		if _, ok := want[n]; !ok {
			t.Errorf("%s makes %s besides", way, n)
		}
	}
	for n, w := range want {
		g, ok := got[n]
		if !ok {
			t.Errorf("%s does not make %s", way, n)
			continue
		}
		study, _, _ := strings.Cut(n.ID, "/")
		if g.Member != w.Member || (n.Type == dicom.Instance.Type() || instances[study] == 1) && !bytes.Equal(g.Body, w.Body) {
			t.Errorf("%s makes another %s:\n%.600s\n%.600s", way, n, g.Body, w.Body)
		}
		switch {
		case w.Blob == nil && g.Blob == nil:
		case w.Blob == nil || g.Blob == nil:
			t.Errorf("%s: one of %s has a blob", way, n)
		case g.Blob.Media != w.Blob.Media || g.Blob.Remark != w.Blob.Remark || g.Blob.Parts.Len() != w.Blob.Parts.Len():
			t.Errorf("%s describes %s as %s %q %d, %s %q %d", way, n, g.Blob.Media, g.Blob.Remark, g.Blob.Parts.Len(), w.Blob.Media, w.Blob.Remark, w.Blob.Parts.Len())
		case files && (g.Blob.SHA256 != w.Blob.SHA256 || g.Blob.Size != w.Blob.Size):
			t.Errorf("%s keeps other bytes of %s", way, n)
		case !files && w.Blob.Parts.Len() > 0 && !slices.Equal(lengths(g.Blob.Parts.Spans(0)), lengths(w.Blob.Parts.Spans(0))):
			t.Errorf("%s finds a first frame of %v in %s, not %v", way, g.Blob.Parts.Spans(0), n, w.Blob.Parts.Spans(0))
		}
	}
}

// lengths are those of spans.
func lengths(spans []int64) []int64 {
	var all []int64
	for i := 1; i < len(spans); i += 2 {
		all = append(all, spans[i])
	}
	return all
}
