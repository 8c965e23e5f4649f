package e2e

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/sample"
	"concord/internal/upperlayer"
)

const ctStorage = "1.2.840.10008.5.1.4.1.1.2"

// scanner sends instances as a modality does.
type scanner struct {
	address string
	dialer  upperlayer.Dialer
}

// open associates, with both contexts a scanner has.
func (s *scanner) open(ctx context.Context) (*upperlayer.Association, error) {
	return s.dialer.Dial(ctx, s.address, upperlayer.Proposal{Called: "CONCORD", Calling: "CT1",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: ctStorage, Transfer: []string{"1.2.840.10008.1.2.1"}}}})
}

// send stores one file and returns the status; an error means that nothing was said about it.
func (s *scanner) send(ctx context.Context, a *upperlayer.Association, f sample.File) (upperlayer.Status, error) {
	set, _, err := dicom.DataSetOf(f.Reader())
	if err != nil {
		return 0, err
	}
	in, _ := a.ContextFor(ctStorage, "")
	call, err := a.Call(ctx, in, upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ctStorage, SOPInstance: f.InstanceUID}, set)
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

// ctSlices makes small CT instances, each once.
func ctSlices(t *testing.T, seed uint64, n int) []sample.File {
	t.Helper()
	var files []sample.File
	for f, err := range sample.CTSeries(seed, sample.Options{Slices: n, Rows: 128, Columns: 128, Time: time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)}) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// TestNoInstanceThatWasAcknowledgedOverDICOMIsLostWhenTheHubIsKilled sends over several associations while the hub is
// killed again and again, and then looks for the data set of each instance that was answered with success.
func TestNoInstanceThatWasAcknowledgedOverDICOMIsLostWhenTheHubIsKilled(t *testing.T) {
	const kills, senders = 8, 4
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	token := stores.Token(t, "village")
	s := &scanner{address: hubproc.FreeAddress(t)}
	h := hubproc.Start(t, stores, "--snapshot", "150ms", "--dimse", s.address)

	var mu sync.Mutex
	acknowledged := map[string]sample.File{}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for k := range senders {
		files := ctSlices(t, uint64(k+1), 120)
		all.Go(func() {
			for next := 0; ctx.Err() == nil && next < len(files); {
				a, err := s.open(ctx)
				if err != nil {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				for ; next < len(files) && ctx.Err() == nil; next++ {
					status, err := s.send(ctx, a, files[next])
					if err != nil {
						break // sent again over the next association
					}
					if status == 0xA700 { // the index is not at the tail yet: try again
						time.Sleep(5 * time.Millisecond)
						next--
						continue
					}
					if status != upperlayer.Success {
						t.Errorf("status %v", status)
						continue
					}
					mu.Lock()
					acknowledged[files[next].InstanceUID] = files[next]
					mu.Unlock()
					time.Sleep(time.Millisecond)
				}
				a.Abort()
			}
		})
	}
	dice := rand.New(rand.NewPCG(5, 6))
	for range kills {
		time.Sleep(time.Duration(20+dice.IntN(200)) * time.Millisecond)
		h.Kill()
		h.Restart()
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	all.Wait()
	if len(acknowledged) < kills*senders {
		t.Errorf("only %d instances were acknowledged: this was no load", len(acknowledged))
	}
	t.Logf("%d instances acknowledged", len(acknowledged))
	c := h.Client(token)
	for _, f := range acknowledged {
		sameDataSet(t, c, f)
	}
	h.Kill()
	checkStores(t, stores)
}

// sameDataSet retrieves an instance and compares its data set with the one that was sent.
func sameDataSet(t *testing.T, c *hubproc.Client, f sample.File) {
	t.Helper()
	a, err := c.Instance(f.StudyUID, f.SeriesUID, f.InstanceUID)
	if err != nil || a.Status != 200 {
		t.Errorf("instance %s: %v, %v", f.InstanceUID, a, err)
		return
	}
	sent, _, _ := dicom.DataSetOf(f.Reader())
	want, _ := io.ReadAll(sent)
	if !bytes.Contains(a.Body, want) {
		t.Errorf("instance %s: its data set is not the one sent", f.InstanceUID)
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (dcmtk)", name)
	}
	return path
}

// TestDCMTKSendsItsFiles sends with the clients that most toolkits are measured by.
func TestDCMTKSendsItsFiles(t *testing.T) {
	storescu, dcmsend, echoscu := tool(t, "storescu"), tool(t, "dcmsend"), tool(t, "echoscu")
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	address := hubproc.FreeAddress(t)
	h := hubproc.Start(t, stores, "--dimse", address)
	host, port, _ := strings.Cut(address, ":")
	run := func(wantOK bool, program string, args ...string) string {
		out, err := exec.Command(program, args...).CombinedOutput()
		if (err == nil) != wantOK {
			t.Errorf("%s %v: %v\n%s", filepath.Base(program), args, err, out)
		}
		return string(out)
	}
	run(true, echoscu, "-aet", "CT1", host, port)
	if out := run(false, echoscu, "-v", "-aet", "STRANGER", host, port); !strings.Contains(out, "Calling AE Title Not Recognized") {
		t.Errorf("an unknown caller is told: %s", out)
	}
	for k, send := range [][]string{{storescu}, {dcmsend, "--no-uid-checks"}} {
		folder := t.TempDir()
		files := ctSlices(t, uint64(50+k), 6)
		for _, f := range files {
			data, _ := io.ReadAll(f.Reader())
			if err := os.WriteFile(filepath.Join(folder, f.InstanceUID+".dcm"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run(true, send[0], append(send[1:], "-aet", "CT1", host, port, "+sd", folder)...)
		for _, f := range files {
			sameDataSet(t, h.Client(stores.Token(t, "village")), f)
		}
	}
}

// TestSixtyFourAssociationsAtOnceAreAllServed opens what a large hospital has at the end of a morning.
func TestSixtyFourAssociationsAtOnceAreAllServed(t *testing.T) {
	stores := hubproc.Embedded(t)
	stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1")
	s := &scanner{address: hubproc.FreeAddress(t)}
	hubproc.Start(t, stores, "--dimse", s.address)
	files := ctSlices(t, 99, 128)
	var all sync.WaitGroup
	for k := range 64 {
		all.Go(func() {
			a, err := s.open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for _, f := range files[2*k : 2*k+2] {
				if status, err := s.send(t.Context(), a, f); err != nil || status != upperlayer.Success {
					t.Error(status, err)
				}
			}
			if err := a.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
