package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/memobjects"
)

var key = []byte("0123456789abcdef0123456789abcdef")

func TestATokenSpeaksForItsMember(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	token, err := is.Issue("county", "system/*.rs", 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // parsed, then cached
		who, err := is.Verify(token)
		if err != nil || who.Member != "county" || who.Scope != "system/*.rs" || who.TokenID == "" {
			t.Fatalf("%+v, %v", who, err)
		}
		if who.May(access.Read, "Patient") != nil || who.May(access.Create, "Patient") == nil {
			t.Fatal("the scope is not the one asked for")
		}
	}
	if _, err := is.Issue("nobody", "system/*.rs", 0); err == nil {
		t.Error("a token for nobody")
	}
	if _, err := is.Issue("county", "patient/*.rs", 0); !hub.Is(err, hub.Invalid) {
		t.Errorf("a token of a scope the hub does not have: %v", err)
	}
}

func TestADisabledMembersTokenEndsAtOnceEvenWhenCached(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	token, err := is.Issue("county", "system/*.rs", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := is.Verify(token); err != nil {
		t.Fatal(err)
	}
	if err := o.desk.Disable(t.Context(), "county"); err != nil {
		t.Fatal(err)
	}
	if _, err := is.Verify(token); !hub.Is(err, hub.Unauthenticated) {
		t.Fatalf("cached token of a disabled member: %v", err)
	}
}

func TestACachedTokenExpires(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	now := time.Now()
	is := access.NewIssuer("alliance", key, o.Registry, func() time.Time { return now })
	o.Stale = time.Hour
	token, err := is.Issue("county", "system/*.rs", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := is.Verify(token); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Minute)
	if _, err := is.Verify(token); !hub.Is(err, hub.Unauthenticated) || !strings.Contains(err.Error(), "expired") {
		t.Fatalf("after its time: %v", err)
	}
}

func TestConfusedTokensAreEachRefusedForWhatIsWrong(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	with := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "alliance", "aud": "alliance", "sub": "county", "jti": "1", "scope": "system/*.*",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		change(c)
		return c
	}
	sign := func(m jwt.SigningMethod, k any, c jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(m, c).SignedString(k)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := func(jwt.MapClaims) {}
	good := sign(jwt.SigningMethodHS256, key, with(same))
	if _, err := is.Verify(good); err != nil {
		t.Fatalf("the token the others are made from: %v", err)
	}
	parts := strings.Split(good, ".")
	enc := base64.RawURLEncoding.EncodeToString
	cases := map[string]struct{ token, says string }{
		"alg none":                         {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, with(same)), "HS256"},
		"alg none, signature kept":         {enc([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2], "HS256"},
		"alg None in other letters":        {enc([]byte(`{"alg":"nOnE"}`)) + "." + parts[1] + ".", ""},
		"HS512 with the right key":         {sign(jwt.SigningMethodHS512, key, with(same)), "HS256"},
		"RS256":                            {sign(jwt.SigningMethodRS256, rsaKey, with(same)), "HS256"},
		"another consortium's key":         {sign(jwt.SigningMethodHS256, []byte("another"), with(same)), "not signed by this consortium"},
		"another issuer":                   {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["iss"] = "other" })), "issued by another"},
		"another audience":                 {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["aud"] = "other" })), "meant for another"},
		"no audience":                      {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { delete(c, "aud") })), ""},
		"no issuer":                        {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { delete(c, "iss") })), ""},
		"expired":                          {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["exp"] = now.Add(-time.Minute).Unix() })), "expired"},
		"no expiry":                        {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { delete(c, "exp") })), ""},
		"not yet valid":                    {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["nbf"] = now.Add(time.Hour).Unix() })), "not valid yet"},
		"issued in the future":             {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["iat"] = now.Add(time.Hour).Unix() })), "future"},
		"no subject":                       {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { delete(c, "sub") })), "subject"},
		"a member that is not":             {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { c["sub"] = "nobody" })), "not of this consortium"},
		"no id":                            {sign(jwt.SigningMethodHS256, key, with(func(c jwt.MapClaims) { delete(c, "jti") })), "id"},
		"claims changed under a signature": {parts[0] + "." + enc([]byte(`{"iss":"alliance","aud":"alliance","sub":"other"}`)) + "." + parts[2], "not signed"},
		"no JWT":                           {"hunter2", "not a JWT"},
		"empty":                            {"", "not a JWT"},
		"a token of a megabyte":            {strings.Repeat("a", 1<<20), "too long"},
	}
	for name, c := range cases {
		_, err := is.Verify(c.token)
		if !hub.Is(err, hub.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: says %q, want %q in it", name, err, c.says)
		}
		if c.token != "" && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the answer repeats the token", name)
		}
	}
}

func TestTheCacheOfTokensStaysBounded(t *testing.T) {
	o := open(t, &memobjects.Store{})
	add(t, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	for range 20_000 {
		token, err := is.Issue("county", "system/*.rs", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := is.Verify(token); err != nil {
			t.Fatal(err)
		}
	}
	if n := access.KnownTokens(is); n > 8192 {
		t.Fatalf("%d tokens are kept", n)
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	o := open(b, &memobjects.Store{})
	add(b, o, "county")
	is := access.NewIssuer("alliance", key, o.Registry, nil)
	token, err := is.Issue("county", "system/*.cruds", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := is.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}
