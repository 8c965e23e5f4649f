package recognition_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	door "concord/adapters/recognition"
	"concord/hub"
	"concord/hub/access"
	"concord/hub/recognition/ledger"
)

// book is a ledger with one row, which remembers what it was asked.
type book struct {
	asked ledger.Filter
	what  ledger.Measure
}

func (b *book) Statistics(_ context.Context, _ access.Caller, f ledger.Filter) (ledger.Report, error) {
	b.asked = f
	c := ledger.Counts{Of: map[ledger.Measure]int{ledger.Opportunities: 4, ledger.Acceptances: 1}, Saved: map[string]int64{"CNY": 1250}}
	return ledger.Report{Filter: f, Through: 9, Rows: []ledger.Row{{Values: []string{"=county"}, Counts: c}}, Total: c}, nil
}

func (b *book) List(_ context.Context, _ access.Caller, f ledger.Filter, m ledger.Measure, _ string, _ int) (ledger.Listing, error) {
	b.asked, b.what = f, m
	return ledger.Listing{Opportunities: []ledger.Opportunity{{ID: "o", Member: "county", First: time.Unix(0, 0)}}, Next: "n"}, nil
}

func (*book) Withdrawals(context.Context, access.Caller, string, bool) ([]ledger.Withdrawal, error) {
	return nil, nil
}

func (*book) Withdrawal(context.Context, access.Caller, string) (ledger.Withdrawal, error) {
	return ledger.Withdrawal{}, &hub.Error{Kind: hub.NotFound, Msg: "none"}
}

func (*book) Acknowledge(context.Context, access.Caller, string, ledger.Doing) (ledger.Withdrawal, error) {
	return ledger.Withdrawal{}, nil
}

func TestEveryNumberOpensItsList(t *testing.T) {
	gin.SetMode(gin.TestMode)
	b := &book{}
	engine := gin.New()
	scope := "system/*.*"
	door.MountLedger(engine.Group("/recognition", func(c *gin.Context) {
		c.Request = c.Request.WithContext(access.WithCaller(c.Request.Context(), access.NewCaller("county", scope, "t")))
	}), door.LedgerDeps{Ledger: b, Zone: time.FixedZone("", 8*3600)})
	server := httptest.NewServer(engine)
	defer server.Close()
	get := func(path string, want int) string {
		t.Helper()
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", path, res.StatusCode, want, text)
		}
		return string(text)
	}
	var r struct {
		Rate float64
		Rows []struct {
			Counts map[string]struct {
				Count int
				List  string
			}
		}
	}
	if err := json.Unmarshal([]byte(get("/recognition/statistics?by=using&from=2026-01&to=2026-02&item=k", 200)), &r); err != nil {
		t.Fatal(err)
	}
	asked := b.asked
	list := r.Rows[0].Counts["accepted"].List
	if !strings.Contains(get(list, 200), `"next":"/recognition/opportunities?`) {
		t.Error("the list has no next page")
	}
	if b.what != ledger.Acceptances || b.asked.Where[ledger.ByUsing] != "=county" || b.asked.Where[ledger.ByItem] != "k" || !b.asked.From.Equal(asked.From) || !b.asked.To.Equal(asked.To) {
		t.Errorf("%s asks for %s of %+v, the number was of %+v", list, b.what, b.asked, asked)
	}
	if text := get("/recognition/statistics?by=using&format=csv", 200); !strings.HasPrefix(text, "\ufeff申请机构 using,") || !strings.Contains(text, "\r\n'=county,4,1,") || !strings.Contains(text, ",0.25,12.5,") {
		t.Error(text)
	}
	for path, want := range map[string]int{"/recognition/statistics?by=using&colour=red": 400, "/recognition/statistics?from=yesterday": 400, "/recognition/statistics?format=pdf": 400,
		"/recognition/statistics?item=a&item=b": 400, "/recognition/withdrawals?member=village": 403, "/recognition/withdrawals?state=x": 400, "/recognition/withdrawals/x": 404} {
		get(path, want)
	}
	scope = "system/Patient.rs"
	get("/recognition/statistics", 403)
}
