package projection

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"concord/hub"
)

func written(t *testing.T, seq uint64, body string) (*hub.Commit, []byte) {
	t.Helper()
	at := time.Date(2026, 3, 1, 8, 0, 0, 5e6, time.UTC)
	c := &hub.Commit{Partition: "records", Seq: seq, Prev: "p", Nonce: "n", Time: at, Nums: 7, Records: []hub.Record{
		{Name: hub.Name{Type: "Basic", ID: "a"}, Num: 8, Version: 1, Member: "m", Time: at, Body: json.RawMessage(body)},
		{Name: hub.Name{Type: "Basic", ID: "b"}, Num: 2, Version: 3, Deleted: true, Member: "m", Time: at, Prev: hub.Loc{Seq: 1, Off: 9, Len: 8}},
	}}
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

func TestACommitJustWrittenIsHandedOnAsItWouldBeRead(t *testing.T) {
	l := &Log{Partition: "records"}
	c, data := written(t, 2, `{"resourceType":"Basic","id":"a"}`)
	if l.Written(c, data); l.recent.get(2) != nil {
		t.Error("a commit is kept though nobody follows the log")
	}
	l.Written(c, data)
	got := l.recent.get(2)
	if got == nil {
		t.Fatal("a commit is not handed on to who follows the log")
	}
	for i := range got.commit.Records {
		if got.commit.Records[i].Memo == nil {
			t.Error("those who share a record have nowhere to keep what they read from it")
		}
		got.commit.Records[i].Memo = nil
	}
	want, err := hub.DecodeCommit(data)
	if err != nil || !reflect.DeepEqual(got.commit, want) {
		t.Errorf("got %+v, want %+v, %v", got.commit, want, err)
	}
}

func TestCommitsForFollowersAreBoundedByTheirBytesTogether(t *testing.T) {
	l := &Log{Partition: "records"}
	l.recent.get(1)
	body := `{"text":"` + strings.Repeat("x", recentBytes/5) + `"}`
	for seq := uint64(1); seq <= 300; seq++ {
		if seq > 290 {
			body = `{}`
		}
		l.Written(written(t, seq, body))
	}
	kept := 0
	for _, r := range l.recent.reads {
		kept += len(r.data)
	}
	if kept != l.recent.bytes || kept > recentBytes {
		t.Errorf("%d bytes are kept and %d counted, at most %d were to be", kept, l.recent.bytes, recentBytes)
	}
	for seq := uint64(287); seq <= 300; seq++ {
		if l.recent.get(seq) == nil {
			t.Errorf("commit %d of the latest is not kept", seq)
		}
	}
	if l.recent.get(286) != nil {
		t.Error("more is kept than the bound has room for")
	}
}
