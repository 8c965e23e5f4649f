package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"concord/hub"
)

// CDS is how a member's EHR says who it is when it calls CDS Hooks: by JWTs that it signs itself, or that its identity
// provider signs for it (CDS Hooks 2.0, Trusting CDS Clients). The keys are given out of band; none is ever fetched.
type CDS struct {
	// Issuer is the JWTs' iss. It is one member's alone.
	Issuer string `json:"cdsIssuer,omitempty"`
	// Keys are the public keys that they are signed with (RFC 7517).
	Keys []Key `json:"cdsKeys,omitempty"`
}

// Key is a public key as a JWK: EC (RFC 7518 6.2.1) or RSA (6.3.1).
type Key struct {
	ID        string `json:"kid"`
	Type      string `json:"kty"`
	Algorithm string `json:"alg,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

const (
	mostKeys   = 20
	leastRSA   = 2048
	mostRSA    = 8192
	mostIssuer = 512
)

// NewCDS reads an issuer and its JWK set. Keys for other uses than signing are left out; a set with a private key, a
// symmetric one, or none that is usable, is Invalid.
func NewCDS(issuer string, set []byte) (CDS, error) {
	var given struct {
		Keys []struct {
			Key
			Use    string   `json:"use"`
			Ops    []string `json:"key_ops"`
			D      any      `json:"d"`
			Secret any      `json:"k"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(set, &given); err != nil {
		return CDS{}, badKeys("the file is no JWK set")
	}
	c := CDS{Issuer: issuer}
	for _, k := range given.Keys {
		switch {
		case k.D != nil || k.Secret != nil || k.Type == "oct":
			return CDS{}, badKeys("the set holds a private or symmetric key, which nobody must give away")
		case k.Use != "" && k.Use != "sig", len(k.Ops) > 0 && !slices.Contains(k.Ops, "verify"):
			continue
		}
		c.Keys = append(c.Keys, k.Key)
	}
	if len(c.Keys) == 0 {
		return CDS{}, badKeys("the set has no key for signatures")
	}
	return c, c.check()
}

func badKeys(msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: "jwks", Msg: msg, Hint: "a JSON Web Key Set with public EC or RSA keys"}
}

func (c CDS) check() error {
	if c.Issuer == "" && len(c.Keys) == 0 {
		return nil
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Scheme == "" || len(c.Issuer) > mostIssuer || strings.ContainsFunc(c.Issuer, isControl) {
		return &hub.Error{Kind: hub.Invalid, Path: "issuer", Msg: "the issuer is the URI that the JWTs have as iss"}
	}
	if len(c.Keys) > mostKeys {
		return badKeys(fmt.Sprintf("the set has more than %d keys", mostKeys))
	}
	met := map[string]bool{}
	for _, k := range c.Keys {
		if k.ID == "" || len(k.ID) > 256 || met[k.ID] {
			return badKeys("each key has a kid of its own")
		}
		met[k.ID] = true
		if _, err := k.public(); err != nil {
			return err
		}
	}
	return nil
}

// public is the key itself.
func (k Key) public() (any, error) {
	bad := badKeys(fmt.Sprintf("the key %.64q cannot be used", k.ID))
	decode := base64.RawURLEncoding.DecodeString
	switch k.Type {
	case "EC":
		curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Curve]
		x, err1 := decode(k.X)
		y, err2 := decode(k.Y)
		if !ok || err1 != nil || err2 != nil {
			return nil, bad
		}
		size := (curve.Params().BitSize + 7) / 8
		if len(x) != size || len(y) != size {
			return nil, bad
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // refuses what is not on the curve
		if err != nil {
			return nil, bad
		}
		return key, nil
	case "RSA":
		n, err1 := decode(k.N)
		e, err2 := decode(k.E)
		if err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 || len(n) > mostRSA/8 {
			return nil, bad
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if key.N.BitLen() < leastRSA || key.E < 3 || key.E%2 == 0 {
			return nil, bad
		}
		return key, nil
	}
	return nil, bad
}
