package dimse

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"testing"
	"time"

	"concord/hub"
	"concord/internal/dicom"
	"concord/internal/upperlayer"
)

// asked opens an association on which each request is answered with the identifiers given, and calls once.
func asked(t *testing.T, s *Server, status upperlayer.Status, identifiers iter.Seq2[[]byte, error]) *upperlayer.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := upperlayer.Server{
		Admit: func(ctx context.Context, _ upperlayer.Peer, q *upperlayer.Proposal) (context.Context, *upperlayer.Agreement, error) {
			return ctx, s.agree(q), nil
		},
		Handle: func(ctx context.Context, r *upperlayer.Request) {
			s.answer(ctx, r, upperlayer.Command{Status: status}, identifiers)
		},
	}
	go server.Serve(ctx, l)
	dialer := upperlayer.Dialer{}
	a, err := dialer.Dial(ctx, l.Addr().String(), upperlayer.Proposal{Called: "CONCORD", Calling: "TEST",
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: studyRootFind, Transfer: []string{implicitLittle, explicitLittle}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Abort)
	if in := a.Contexts()[0]; in.Transfer != explicitLittle {
		t.Errorf("the context is in %s", in.Transfer)
	}
	call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.CFindRQ, SOPClass: studyRootFind}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// ending reads responses to the last one and says how many were pending before it.
func ending(t *testing.T, call *upperlayer.Call, pending upperlayer.Status) (n int, last upperlayer.Command) {
	t.Helper()
	for {
		m, err := call.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.Command.Status != pending {
			return n, m.Command
		}
		if n++; m.Data == nil {
			t.Error("a match has no identifier")
		} else if _, err := io.Copy(io.Discard, m.Data); err != nil {
			t.Fatal(err)
		}
	}
}

// matches yields n identifiers, and then an error if there is one; −1 never ends.
func matches(t *testing.T, n int, err error) iter.Seq2[[]byte, error] {
	t.Helper()
	one, encoding := dicom.AppendDataSet(nil, []byte(`{"00080052":{"vr":"CS","Value":["STUDY"]}}`), explicitLittle, nil)
	if encoding != nil {
		t.Fatal(encoding)
	}
	return func(yield func([]byte, error) bool) {
		for i := 0; i != n; i++ {
			if !yield(one, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func TestAQueryEndsAsItsMatchesDo(t *testing.T) {
	for _, c := range []struct {
		name       string
		n, most    int
		err        error
		wantN      int
		wantStatus upperlayer.Status
		comment    string
	}{
		{"no match", 0, 0, nil, 0, upperlayer.Success, ""},
		{"some matches", 3, 0, nil, 3, upperlayer.Success, ""},
		{"as many as there may be", 3, 3, nil, 3, upperlayer.Success, ""},
		{"more than there may be", 4, 3, nil, 3, outOfResources, "more than 3 matches; narrow the query"},
		{"a fault of the question found late", 1, 0, &hub.Error{Kind: hub.Invalid, Path: "StudyDate", Msg: "is no date"}, 1, identifierMismatch, "StudyDate: is no date"},
		{"a fault of the hub keeps its reasons", 1, 0, errors.New("secret"), 1, unableToProcess, "the hub met a fault of its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Config{}, Deps{Holdings: Holdings{Results: c.most}})
			n, last := ending(t, asked(t, s, upperlayer.PendingWarning, matches(t, c.n, c.err)), upperlayer.PendingWarning)
			if n != c.wantN || last.Status != c.wantStatus || last.ErrorComment != c.comment {
				t.Errorf("%d matches and %v %q", n, last.Status, last.ErrorComment)
			}
		})
	}
}

func TestAQueryThatIsCancelledEndsWithFE00(t *testing.T) {
	s := New(Config{}, Deps{Holdings: Holdings{Results: 1 << 30}})
	call := asked(t, s, upperlayer.Pending, matches(t, -1, nil))
	m, err := call.Next(t.Context())
	if err != nil || m.Command.Status != upperlayer.Pending {
		t.Fatalf("%v, %v", m, err)
	}
	if _, err := io.Copy(io.Discard, m.Data); err != nil {
		t.Fatal(err)
	}
	if err := call.Cancel(); err != nil {
		t.Fatal(err)
	}
	if _, last := ending(t, call, upperlayer.Pending); last.Status != upperlayer.Cancelled {
		t.Errorf("it ends with %v", last.Status)
	}
}
