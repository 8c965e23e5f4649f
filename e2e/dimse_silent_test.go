package e2e

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const (
	studyRootGet  = "1.2.840.10008.5.1.4.1.2.2.3"
	studyRootMove = "1.2.840.10008.5.1.4.1.2.2.2"
)

// silentNode is a hub with a study of two instances, and an application entity SILENT that takes associations and data sets
// and never answers. CT1 asks.
type silentNode struct {
	*hubproc.Hub
	stores  hubproc.Stores
	scanner *scanner
	study   string
	came    chan struct{} // something was sent to SILENT
}

func startSilent(t *testing.T, flags ...string) *silentNode {
	t.Helper()
	n := &silentNode{stores: hubproc.Embedded(t), scanner: &scanner{address: hubproc.FreeAddress(t)}, came: make(chan struct{}, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1,SILENT@"+l.Addr().String())
	peer := upperlayer.Server{Handle: n.silence, Admit: func(ctx context.Context, _ upperlayer.Peer, q *upperlayer.Proposal) (context.Context, *upperlayer.Agreement, error) {
		var a upperlayer.Agreement
		for _, c := range q.Contexts {
			a.Contexts = append(a.Contexts, upperlayer.AnsweredContext{ID: c.ID, Transfer: c.Transfer[0]})
		}
		return ctx, &a, nil
	}}
	go peer.Serve(t.Context(), l)
	n.Hub = hubproc.Start(t, n.stores, append(flags, "--dimse", n.scanner.address)...)
	n.scanner.dialer.Handle = n.silence
	a, err := n.scanner.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ctSlices(t, 83, 2) {
		if status, err := n.scanner.send(t.Context(), a, f); err != nil || status != upperlayer.Success {
			t.Fatal(status, err)
		}
		n.study = f.StudyUID
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *silentNode) silence(ctx context.Context, r *upperlayer.Request) {
	if r.Data != nil {
		for p := make([]byte, 4<<10); ; {
			if _, err := r.Data.Read(p); err != nil {
				break
			}
		}
	}
	n.came <- struct{}{}
	<-ctx.Done()
}

// ask begins a retrieval of the study; the channel tells its last answer.
func (n *silentNode) ask(t *testing.T, c upperlayer.Command) (*upperlayer.Association, <-chan any) {
	t.Helper()
	p := upperlayer.Proposal{Called: "CONCORD", Calling: "CT1"}
	for i, class := range []string{studyRootGet, studyRootMove, ctStorage} {
		p.Contexts = append(p.Contexts, upperlayer.ProposedContext{ID: byte(2*i + 1), Abstract: class, Transfer: []string{"1.2.840.10008.1.2.1"}})
	}
	p.Roles = []upperlayer.Role{{SOPClass: ctStorage, SCU: true, SCP: true}}
	a, err := n.scanner.dialer.Dial(t.Context(), n.scanner.address, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Abort)
	c.SOPClass = map[upperlayer.Field]string{upperlayer.CGetRQ: studyRootGet, upperlayer.CMoveRQ: studyRootMove}[c.Field]
	in, _ := a.ContextFor(c.SOPClass, "")
	keys, err := dicom.AppendDataSet(nil, []byte(`{"00080052":{"vr":"CS","Value":["STUDY"]},"0020000D":{"vr":"UI","Value":["`+n.study+`"]}}`), in.Transfer, nil)
	if err != nil {
		t.Fatal(err)
	}
	call, err := a.Call(t.Context(), in, c, bytes.NewReader(keys))
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan any, 1)
	go func() {
		for {
			m, err := call.Next(context.Background())
			if err != nil {
				end <- err
				return
			}
			if !m.Command.Status.Pending() {
				end <- m.Command
				return
			}
		}
	}()
	return a, end
}

func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not come", what)
	}
	return v
}

// TestAPeerThatNeverAnswersAnInstanceIsLeftAlone: one that asked for it is aborted, one that it was to be moved to fails.
func TestAPeerThatNeverAnswersAnInstanceIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := startSilent(t, "--dimse-answer", "1s")
	_, end := n.ask(t, upperlayer.Command{Field: upperlayer.CGetRQ})
	if err, _ := receive(t, "the end of C-GET", end).(error); !errors.Is(err, upperlayer.ErrAborted) {
		t.Errorf("C-GET ends with %v", err)
	}
	_, end = n.ask(t, upperlayer.Command{Field: upperlayer.CMoveRQ, Destination: "SILENT"})
	c, _ := receive(t, "the end of C-MOVE", end).(upperlayer.Command)
	if c.Status != 0xA702 || c.Sub == nil || c.Sub.Failed != 2 || !strings.HasPrefix(c.ErrorComment, "2 of 2 failed: the peer does not answer") {
		t.Errorf("C-MOVE ends with %v %+v %q", c.Status, c.Sub, c.ErrorComment)
	}
}

// TestASilentPeerDoesNotKeepTheHubFromEnding: retrievals and forwarding that hang, one of them since its requestor left.
func TestASilentPeerDoesNotKeepTheHubFromEnding(t *testing.T) {
	t.Parallel()
	n := startSilent(t, "--drain", "1s")
	n.stores.Must(t, "forward", n.study, "--to", "SILENT")
	receive(t, "the study that is forwarded", n.came)
	for _, c := range []upperlayer.Command{{Field: upperlayer.CGetRQ}, {Field: upperlayer.CMoveRQ, Destination: "SILENT"}} {
		n.ask(t, c)
		receive(t, "an instance", n.came)
	}
	gone, _ := n.ask(t, upperlayer.Command{Field: upperlayer.CMoveRQ, Destination: "SILENT"})
	receive(t, "an instance", n.came)
	gone.Abort()
	ended := make(chan struct{})
	go func() { n.Stop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the hub does not end")
		_ = syscall.Kill(n.PID(), syscall.SIGKILL)
		<-ended
	}
}
