package upload

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesOfCartsAreRecognisedAndOthersAreNot(t *testing.T) {
	scp := strings.Repeat("\x00", 16) + "SCPECG" + strings.Repeat("\x00", 200)
	for name, want := range map[string]struct {
		head string
		ok   bool
	}{
		"a.scp":     {scp, true},
		"noname":    {scp, true},
		"a.xml":     {`<?xml version="1.0"?><AnnotatedECG xmlns="urn:hl7-org:v3">`, true},
		"muse.xml":  {`<RestingECG>`, true},
		"other.xml": {`<html>`, false},
		"a.pdf":     {"%PDF-1.7", false},
		"a.mwf":     {"whatever the cart writes", true},
		"empty.scp": {"", false},
		"notes.txt": {"hello", false},
	} {
		if _, ok := knowsECG(name, []byte(want.head)); ok != want.ok {
			t.Errorf("%s is recognised: %v", name, ok)
		}
	}
}

func TestWhatTheHubSaysOfAnECGIsTold(t *testing.T) {
	scp := strings.Repeat("\x00", 16) + "SCPECG" + strings.Repeat("\x00", 200)
	folder := t.TempDir()
	for _, name := range []string{"new", "there", "opaque", "broken"} {
		if err := os.WriteFile(filepath.Join(folder, name+".scp"), []byte(scp+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		r.Body.Read(body)
		say := func(status int, severity, text string) {
			w.WriteHeader(status)
			w.Write([]byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"` + severity + `","diagnostics":"` + text + `"}]}`))
		}
		switch s := string(body); {
		case r.Method != "POST" || r.URL.Path != "/ecg":
			say(404, "error", "wrong door")
		case strings.HasSuffix(s, "new"):
			say(201, "information", "kept")
		case strings.HasSuffix(s, "there"):
			say(200, "information", "was there")
		case strings.HasSuffix(s, "opaque"):
			say(202, "warning", "kept and not read")
		default:
			say(422, "error", "section 3 is cut")
		}
	}))
	defer hub.Close()
	rep, err := Run(t.Context(), Options{Paths: []string{folder}, To: hub.URL, Token: "t", Journal: filepath.Join(t.TempDir(), "j")}, &strings.Builder{})
	if err == nil || rep.Total(Sent) != 2 || rep.Total(There) != 1 || rep.Total(Refused) != 1 {
		t.Errorf("%v: %+v", err, rep)
	}
	if len(rep.Refused) != 1 || rep.Refused[0].Reason != "section 3 is cut" || len(rep.Warned) != 1 || rep.Warned[0].Reason != "kept and not read" {
		t.Errorf("refused %+v, warned %+v", rep.Refused, rep.Warned)
	}
}
