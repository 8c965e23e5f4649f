package object

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"concord/hub"
)

func TestCheckKeyKnowsGoodFromBad(t *testing.T) {
	for key, valid := range map[string]bool{
		"log/records/0000000000000001":   true,
		"blob/a-b_c.d/..e":               true,
		"a":                              true,
		strings.Repeat("a/", 255) + "ab": true,
		"":                               false,
		"/a":                             false,
		"a/":                             false,
		"a//b":                           false,
		"a/./b":                          false,
		"../a":                           false,
		"a/..":                           false,
		"a b":                            false,
		`a\b`:                            false,
		"a\x00":                          false,
		"检查":                             false,
		"@tmp/a":                         false,
		strings.Repeat("a/", 256) + "a":  false,
		strings.Repeat("a", 256):         false,
		strings.Repeat("a", 255) + "/b":  true,
	} {
		if err := CheckKey(key); (err == nil) != valid {
			t.Errorf("CheckKey(%.40q) = %v", key, err)
		} else if err != nil && !hub.Is(err, hub.Invalid) {
			t.Errorf("CheckKey(%.40q) = %v, want an Invalid error", key, err)
		}
	}
	if err := CheckDerived("blob/a"); !hub.Is(err, hub.Invalid) {
		t.Errorf("CheckDerived let a blob through: %v", err)
	}
}

func TestExactHoldsTheLastByteBackUntilTheEndIsSure(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, c := range map[string]struct {
		source io.Reader
		size   int64
		kind   hub.ErrKind
		err    error
	}{
		"as announced":        {strings.NewReader("hello"), 5, 0, nil},
		"end with last bytes": {iotest.DataErrReader(strings.NewReader("hello")), 5, 0, nil},
		"byte by byte":        {iotest.OneByteReader(strings.NewReader("hello")), 5, 0, nil},
		"empty":               {strings.NewReader(""), 0, 0, nil},
		"too short":           {strings.NewReader("hell"), 5, hub.Invalid, nil},
		"too long":            {strings.NewReader("hello!"), 5, hub.Invalid, nil},
		"not empty":           {strings.NewReader("!"), 0, hub.Invalid, nil},
		"broken in the end":   {io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(broken)), 5, hub.Internal, broken},
	} {
		e := Exactly(context.Background(), c.source, c.size)
		data, err := io.ReadAll(e)
		failed := c.kind != 0 || c.err != nil
		switch {
		case !failed && (err != nil || int64(len(data)) != c.size):
			t.Errorf("%s: %q, %v", name, data, err)
		case failed && (err == nil || hub.KindOf(err) != c.kind || int64(len(data)) >= c.size && c.size > 0):
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		case c.err != nil && !errors.Is(e.Err(), c.err):
			t.Errorf("%s: %v, want %v", name, e.Err(), c.err)
		}
	}
}
