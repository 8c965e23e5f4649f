package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

const commitmentClass = "1.2.840.10008.1.20.1"

// TestAPromisedCommitmentIsReportedAfterAKill lets a modality ask for commitment and leave; the hub is killed before the
// modality can be reached, and reports when both are back.
func TestAPromisedCommitmentIsReportedAfterAKill(t *testing.T) {
	t.Parallel()
	n := startDICOM(t)
	paths, _ := filepath.Glob(filepath.Join(corpusDir(t), "dicom", "series-ct-3", "0*.dcm"))
	var refs string
	for _, path := range paths {
		data := readFile(t, path)
		if a, err := n.Client(n.village).Store(data); err != nil || a.Status != 200 {
			t.Fatalf("store: %v %v", a, err)
		}
		h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if refs != "" {
			refs += ","
		}
		refs += `{"00081150":{"vr":"UI","Value":["` + h.SOPClassUID + `"]},"00081155":{"vr":"UI","Value":["` + h.SOPInstanceUID + `"]}}`
	}
	action, err := dicom.AppendDataSet(nil, []byte(`{"00081195":{"vr":"UI","Value":["1.2.3.4.5"]},"00081199":{"vr":"SQ","Value":[`+refs+`]}}`), "1.2.840.10008.1.2.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dialer := upperlayer.Dialer{}
	a, err := dialer.Dial(ctx, net.JoinHostPort(n.host, n.port), upperlayer.Proposal{Called: "CONCORD", Calling: "TAKER",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: commitmentClass, Transfer: []string{"1.2.840.10008.1.2.1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.NActionRQ, SOPClass: commitmentClass, SOPInstance: commitmentClass + ".1", ActionType: 1}, bytes.NewReader(action))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := call.Next(ctx); err != nil || m.Command.Status != upperlayer.Success {
		t.Fatalf("the request is answered %v, %v", m, err)
	}
	a.Abort()
	n.Kill()

	reports := make(chan *dicom.Header, 8)
	modality := upperlayer.Server{
		Admit: func(ctx context.Context, _ upperlayer.Peer, q *upperlayer.Proposal) (context.Context, *upperlayer.Agreement, error) {
			return ctx, &upperlayer.Agreement{Contexts: []upperlayer.AnsweredContext{{ID: q.Contexts[0].ID, Transfer: "1.2.840.10008.1.2.1"}},
				UserInformation: upperlayer.UserInformation{Roles: q.Roles}}, nil
		},
		Handle: func(_ context.Context, r *upperlayer.Request) {
			data, err := io.ReadAll(r.Data)
			h, herr := dicom.ReadDataSet(bytes.NewReader(data), r.Context.Transfer, dicom.Limits{})
			if err != nil || herr != nil || r.Command.Field != upperlayer.NEventReportRQ || r.Command.EventType != 1 {
				t.Errorf("%v %d came: %v %v", r.Command.Field, r.Command.EventType, err, herr)
			}
			r.Respond(upperlayer.Command{Status: upperlayer.Success, EventType: r.Command.EventType}, nil)
			reports <- h
		},
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", n.ours))
	if err != nil {
		t.Fatal(err)
	}
	go modality.Serve(ctx, listener)
	n.Restart()
	select {
	case h := <-reports:
		count := 0
		if e, ok := h.Find(0x00081199); ok {
			for range h.Items(e) {
				count++
			}
		}
		if h.Text(0x00081195) != "1.2.3.4.5" || count != len(paths) {
			t.Errorf("transaction %s with %d instances of %d", h.Text(0x00081195), count, len(paths))
		}
	case <-ctx.Done():
		t.Error("no report came within a minute")
	}
}
