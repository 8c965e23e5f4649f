package access_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/memobjects"
)

const service = "https://hub.example/cds-services/recognition-order-select"

// ehr is a client with a key of each kind, and the set of their public halves.
type ehr struct {
	ec  *ecdsa.PrivateKey
	rsa *rsa.PrivateKey
	set string
}

func newEHR(t testing.TB) ehr {
	e := ehr{}
	var err error
	if e.ec, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if e.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	point, err := e.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	e.set = fmt.Sprintf(`{"keys":[{"kty":"EC","use":"sig","crv":"P-384","kid":"ec1","x":"%s","y":"%s","alg":"ES384"},{"kty":"RSA","kid":"rsa1","n":"%s","e":"%s"}]}`,
		b64(point[1:49]), b64(point[49:]), b64(e.rsa.N.Bytes()), b64(big.NewInt(int64(e.rsa.E)).Bytes()))
	return e
}

// claims are those of a good token, changed.
func claims(change func(jwt.MapClaims)) jwt.MapClaims {
	c := jwt.MapClaims{"iss": "https://ehr.example/", "aud": service, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text()}
	if change != nil {
		change(c)
	}
	return c
}

func (e ehr) sign(t testing.TB, m jwt.SigningMethod, kid string, key any, c jwt.MapClaims) string {
	tok := jwt.NewWithClaims(m, c)
	tok.Header["kid"] = kid
	tok.Header["jku"] = "http://169.254.169.254/keys" // never looked at
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// once remembers keys.
func once() func(context.Context, string, time.Time) (bool, error) {
	var mu sync.Mutex
	met := map[string]bool{}
	return func(_ context.Context, key string, _ time.Time) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		defer func() { met[key] = true }()
		return !met[key], nil
	}
}

func TestATokenThatAnEHRSignedSpeaksForItsMemberOnce(t *testing.T) {
	o, e := open(t, &memobjects.Store{}), newEHR(t)
	add(t, o, "county")
	add(t, o, "village")
	c, err := access.NewCDS("https://ehr.example/", []byte(e.set))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.desk.SetCDS(t.Context(), "county", c); err != nil {
		t.Fatal(err)
	}
	if err := o.desk.SetCDS(t.Context(), "village", c); !hub.Is(err, hub.Conflict) {
		t.Errorf("an issuer of two members: %v", err)
	}
	a := &access.Assertions{Registry: o.Registry, Now: time.Now, Once: once()}
	for _, token := range []string{e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(nil)), e.sign(t, jwt.SigningMethodRS384, "rsa1", e.rsa, claims(nil))} {
		if !access.IsAssertion(token) {
			t.Error("it is taken for a token of the hub's")
		}
		who, err := a.Verify(t.Context(), token, service)
		if err != nil || who.Member != "county" || who.May(access.Search, "Observation") != nil || who.May(access.Create, "Observation") == nil {
			t.Fatalf("%+v, %v", who, err)
		}
		if _, err := a.Verify(t.Context(), token, service); !hub.Is(err, hub.Unauthenticated) {
			t.Errorf("the same token again: %v", err)
		}
	}
	stranger := newEHR(t)
	for say, token := range map[string]string{
		"another audience":       e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { c["aud"] = "https://hub.example/cds-services" })),
		"no audience":            e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { delete(c, "aud") })),
		"an unknown issuer":      e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { c["iss"] = "https://other.example/" })),
		"no issuer":              e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { delete(c, "iss") })),
		"an expired one":         e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() })),
		"no expiry":              e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { delete(c, "exp") })),
		"one good for an hour":   e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(time.Hour).Unix() })),
		"one of the future":      e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Minute).Unix() })),
		"no time of issue":       e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { delete(c, "iat") })),
		"no jti":                 e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(func(c jwt.MapClaims) { delete(c, "jti") })),
		"an unknown key":         e.sign(t, jwt.SigningMethodES384, "ec2", e.ec, claims(nil)),
		"no key":                 e.sign(t, jwt.SigningMethodES384, "", e.ec, claims(nil)),
		"a stranger's key":       e.sign(t, jwt.SigningMethodES384, "ec1", stranger.ec, claims(nil)),
		"a key of another kind":  e.sign(t, jwt.SigningMethodRS384, "ec1", e.rsa, claims(nil)),
		"no signature":           e.sign(t, jwt.SigningMethodNone, "ec1", jwt.UnsafeAllowNoneSignatureType, claims(nil)),
		"the public key as HMAC": e.sign(t, jwt.SigningMethodHS384, "rsa1", e.rsa.N.Bytes(), claims(nil)),
		"something else":         "x.y.z",
		"too long":               strings.Repeat("x", 10<<10),
	} {
		if _, err := a.Verify(t.Context(), token, service); !hub.Is(err, hub.Unauthenticated) {
			t.Errorf("%s: %v", say, err)
		}
	}
	fresh := e.sign(t, jwt.SigningMethodES384, "ec1", e.ec, claims(nil))
	a.Once = func(context.Context, string, time.Time) (bool, error) { return false, errors.New("down") }
	if _, err := a.Verify(t.Context(), fresh, service); !hub.Is(err, hub.Unavailable) {
		t.Errorf("when it cannot be told whether it was used: %v", err)
	}
	a.Once = once()
	if err := o.desk.Disable(t.Context(), "county"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(t.Context(), fresh, service); !hub.Is(err, hub.Unauthenticated) {
		t.Errorf("a disabled member's: %v", err)
	}
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	e := newEHR(t)
	change := func(from, to string) string { return strings.Replace(e.set, from, to, 1) }
	for say, set := range map[string]string{
		"no JSON":            `{`,
		"no keys":            `{"keys":[]}`,
		"a private key":      change(`"kty":"EC"`, `"kty":"EC","d":"AAAA"`),
		"a symmetric key":    `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`,
		"a key without kid":  change(`"kid":"ec1",`, ``),
		"one kid twice":      change(`"rsa1"`, `"ec1"`),
		"an unknown curve":   change(`P-384`, `secp256k1`),
		"a point off it":     change(`"x":"`, `"x":"AAAA`),
		"a short modulus":    `{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`,
		"keys to encrypt by": strings.ReplaceAll(change(`"use":"sig"`, `"use":"enc"`), `"kty":"RSA"`, `"kty":"RSA","use":"enc"`),
	} {
		if _, err := access.NewCDS("https://ehr.example/", []byte(set)); !hub.Is(err, hub.Invalid) {
			t.Errorf("%s: %v", say, err)
		}
	}
	for _, issuer := range []string{"", "no scheme", "https://x/\n"} {
		if _, err := access.NewCDS(issuer, []byte(e.set)); !hub.Is(err, hub.Invalid) {
			t.Errorf("the issuer %q: %v", issuer, err)
		}
	}
	var any map[string]any
	if json.Unmarshal([]byte(e.set), &any) != nil {
		t.Error("the set itself is no JSON")
	}
}

func FuzzKeySets(f *testing.F) {
	e := newEHR(f)
	f.Add([]byte(e.set))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		if c, err := access.NewCDS("https://ehr.example/", set); err == nil && len(c.Keys) == 0 {
			t.Error("a set without keys was taken")
		}
	})
}
