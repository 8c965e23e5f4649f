package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"concord/hub"
)

// AssertionScope is what an EHR may do that calls with a JWT of its own: what advice on its orders needs, and no more.
const AssertionScope = "system/ServiceRequest.rs system/Patient.rs system/Encounter.rs system/Observation.rs system/ImagingStudy.rs system/DiagnosticReport.rs system/Specimen.rs"

// longest is how long after it was issued a JWT may be good.
const longest = 5 * time.Minute

// Assertions checks the JWTs that members' EHRs sign themselves.
type Assertions struct {
	Registry *Registry
	// Once says whether key is met for the first time before until, on any hub.
	Once func(ctx context.Context, key string, until time.Time) (bool, error)
	Now  func() time.Time
}

// algorithms are those that a signature may have: asymmetric ones, of which CDS Hooks recommends ES384 and RS384.
func algorithms() []string {
	return []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

// Verify says whom a JWT speaks for that is meant for audience, the URL that was called. It must have iss, aud, exp, iat and jti
// and be good for five minutes at most; the key is the issuer's by kid, and jku is not looked at. Each is good once, wherever
// it comes in. All that is wrong with it is Unauthenticated.
func (a *Assertions) Verify(ctx context.Context, token, audience string) (Caller, error) {
	if len(token) > maxToken {
		return Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token is too long"}
	}
	var claims jwt.RegisteredClaims
	var member Member
	parser := jwt.NewParser(jwt.WithValidMethods(algorithms()), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(skew), jwt.WithTimeFunc(a.Now), jwt.WithStrictDecoding())
	_, err := parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		m, ok := a.Registry.ByIssuer(claims.Issuer)
		if !ok {
			return nil, jwt.ErrTokenInvalidIssuer
		}
		if _, ok := t.Header["crit"]; ok {
			return nil, jwt.ErrTokenMalformed
		}
		member = m
		kid, _ := t.Header["kid"].(string)
		for _, k := range m.Keys {
			if k.ID == kid && kid != "" && (k.Algorithm == "" || k.Algorithm == t.Method.Alg()) {
				return k.public()
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	switch {
	case err != nil:
		return Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: assertionFault(err)}
	case claims.IssuedAt == nil || claims.ID == "":
		return Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token lacks iat or jti"}
	case claims.ExpiresAt.Sub(claims.IssuedAt.Time) > longest:
		return Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token is good for too long", Hint: "exp is five minutes after iat at most"}
	}
	if _, err := a.Registry.Active(member.ID, a.Now()); err != nil {
		return Caller{}, err
	}
	sum := sha256.Sum256([]byte(claims.Issuer + "\x00" + claims.ID))
	id := hex.EncodeToString(sum[:16])
	first, err := a.Once(ctx, "cds:"+id, claims.ExpiresAt.Add(skew))
	if err != nil {
		return Caller{}, &hub.Error{Kind: hub.Unavailable, Msg: "it cannot be told whether the token was used before", Retry: time.Second, Err: err}
	}
	if !first {
		return Caller{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token was used before", Hint: "each call has a jti of its own"}
	}
	return NewCaller(member.ID, AssertionScope, id), nil
}

// IsAssertion says whether a token is one that an EHR signed itself, and not one of the consortium's. It checks nothing.
func IsAssertion(token string) bool {
	var claims jwt.RegisteredClaims
	t, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	return err == nil && t.Method.Alg() != jwt.SigningMethodHS256.Alg()
}

func assertionFault(err error) string {
	msg := fault(err)
	switch msg {
	case "the token was issued by another consortium":
		return "the token's issuer is not known to this hub"
	case "the token is meant for another consortium":
		return "the token's aud is not the address that was called"
	case "the token was not signed by this consortium with HS256":
		return "the token's signature is wrong, or of an algorithm that is not accepted"
	}
	return msg
}
