package story

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnUnexpectedAnswerEndsTheStoryLoudly(t *testing.T) {
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer hub.Close()
	var out strings.Builder
	err := Tell(context.Background(), Setting{Base: hub.URL, Now: time.Now()}, &out)
	if err == nil || !strings.Contains(err.Error(), "scene 1") || !strings.Contains(err.Error(), "418") {
		t.Errorf("Tell returned %v; it should name the scene and the answer", err)
	}
	if !strings.Contains(out.String(), "UNEXPECTED") {
		t.Error("the page does not say so loudly")
	}
}

func TestLinesFitTheTerminal(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("检查部位覆盖所申请部位（CHEST），", 20),
		strings.Repeat("the region examined covers the one asked for ", 9),
		"http://127.0.0.1:8080/dicom-web/studies/" + strings.Repeat("1.2.840.10008/", 30),
		strings.Repeat("x", 500),
	} {
		lines := wrap(text, 40)
		for _, l := range lines {
			if cells(l) > 40 {
				t.Errorf("%q takes %d columns of 40", l, cells(l))
			}
			if strings.HasPrefix(l, "，") || strings.HasPrefix(l, "）") || strings.HasSuffix(l, "（") {
				t.Errorf("%q breaks at a mark", l)
			}
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("wrapping lost text: %q", got)
		}
	}
}

func TestNoColoursOutsideATerminal(t *testing.T) {
	var out strings.Builder
	p := newPage(&out)
	p.scene("一", "one")
	p.check("好", "good")
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q has colours", out.String())
	}
}
