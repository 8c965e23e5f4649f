package access

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"concord/hub"
)

const (
	// DefaultLifetime is a token's when the caller of Issue names none.
	DefaultLifetime = time.Hour
	// skew is how far the clocks of two hubs may be apart.
	skew = 5 * time.Second
	// maxToken bounds what is parsed at all.
	maxToken    = 8 << 10
	cacheTokens = 8192
)

// Issuer makes and checks the consortium's bearer tokens: JWTs (RFC 7519) signed with HS256 and nothing else. Every
// hub on the same bucket has the same key, so a token of one is good at all.
type Issuer struct {
	// Lifetime of tokens issued without one; 0 means DefaultLifetime. Set it before use.
	Lifetime time.Duration

	consortium string
	key        []byte
	registry   *Registry
	now        func() time.Time
	parser     *jwt.Parser

	mu    sync.RWMutex
	known map[[sha256.Size]byte]knownToken
}

type knownToken struct {
	caller Caller
	until  time.Time
}

type claims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope"`
	// Person is who of the member it is.
	Person string `json:"person,omitempty"`
}

// NewIssuer signs for a consortium with its key (settings.ID, settings.TokenKey). now may be nil.
func NewIssuer(consortium string, key []byte, registry *Registry, now func() time.Time) *Issuer {
	if now == nil {
		now = time.Now
	}
	return &Issuer{consortium: consortium, key: key, registry: registry, now: now, known: map[[sha256.Size]byte]knownToken{},
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(consortium), jwt.WithAudience(consortium),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(skew), jwt.WithTimeFunc(now), jwt.WithStrictDecoding())}
}

// Issue makes a token for a member that is active now; ttl 0 means Lifetime.
func (i *Issuer) Issue(member, scope string, ttl time.Duration) (string, error) {
	return i.IssueTo("", member, scope, ttl)
}

// IssueTo makes a token for a person of a member: 2 to 64 letters, digits and . _ - @, by which people are told apart. A token
// with the scope Catalogue needs one.
func (i *Issuer) IssueTo(person, member, scope string, ttl time.Duration) (string, error) {
	now := i.now()
	if ttl == 0 {
		ttl = i.Lifetime
	}
	if ttl == 0 {
		ttl = DefaultLifetime
	}
	if ttl < time.Second {
		return "", &hub.Error{Kind: hub.Invalid, Path: "ttl", Msg: "a token lives for a second at least"}
	}
	if err := CheckScope(scope); err != nil {
		return "", err
	}
	if err := checkPerson(person, scope); err != nil {
		return "", err
	}
	if _, err := i.registry.Active(member, now); err != nil {
		return "", fmt.Errorf("issue a token for member %.32q: %w", member, err)
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Scope: scope, Person: person, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: i.consortium, Audience: jwt.ClaimStrings{i.consortium}, Subject: member, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}}).SignedString(i.key)
}

func checkPerson(person, scope string) error {
	if person == "" {
		if g, _ := parseScope(scope, false); g.catalogue {
			return &hub.Error{Kind: hub.Invalid, Path: "person", Msg: "a token of scope " + Catalogue + " is a person's", Hint: "concord token --person"}
		}
		return nil
	}
	strange := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-@", r)
	}
	if n := utf8.RuneCountInString(person); n < 2 || n > 64 || strings.ContainsFunc(person, strange) {
		return &hub.Error{Kind: hub.Invalid, Path: "person", Msg: "a person is 2 to 64 letters, digits and . _ - @"}
	}
	return nil
}

// Verify says whom a token speaks for. The signature is checked once, the time and the member at every call. All
// that is wrong with a token is Unauthenticated, with a message that does not repeat any of it; a member list too
// old to be believed is Unavailable.
func (i *Issuer) Verify(token string) (Caller, error) {
	sum := sha256.Sum256([]byte(token))
	now := i.now()
	i.mu.RLock()
	k, ok := i.known[sum]
	i.mu.RUnlock()
	if !ok || !now.Before(k.until) {
		var err error
		if k, err = i.parse(token); err != nil {
			return Caller{}, err
		}
		i.remember(sum, k, now)
	}
	if _, err := i.registry.Active(k.caller.Member, now); err != nil {
		return Caller{}, err
	}
	return k.caller, nil
}

func (i *Issuer) parse(token string) (knownToken, error) {
	if len(token) > maxToken {
		return knownToken{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token is too long"}
	}
	var c claims
	if _, err := i.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return i.key, nil }); err != nil {
		return knownToken{}, &hub.Error{Kind: hub.Unauthenticated, Msg: fault(err)}
	}
	if c.Subject == "" || c.ID == "" {
		return knownToken{}, &hub.Error{Kind: hub.Unauthenticated, Msg: "the token lacks its subject or its id"}
	}
	who := NewCaller(c.Subject, c.Scope, c.ID)
	who.Person = c.Person
	return knownToken{who, c.ExpiresAt.Add(skew)}, nil
}

// fault names what is wrong. The parser's own text is not passed on: it quotes parts of the token.
func fault(err error) string {
	for _, f := range []struct {
		err error
		msg string
	}{
		{jwt.ErrTokenUnverifiable, "the token's signature cannot be checked"},
		{jwt.ErrTokenSignatureInvalid, "the token was not signed by this consortium with HS256"},
		{jwt.ErrTokenMalformed, "the token is not a JWT"},
		{jwt.ErrTokenInvalidIssuer, "the token was issued by another consortium"},
		{jwt.ErrTokenInvalidAudience, "the token is meant for another consortium"},
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token was issued in the future"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks a claim"},
	} {
		if errors.Is(err, f.err) {
			return f.msg
		}
	}
	return "the token is not valid"
}

// remember keeps the cache bounded: a full one drops what has expired, and then any quarter.
func (i *Issuer) remember(sum [sha256.Size]byte, k knownToken, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.known) >= cacheTokens {
		for s, old := range i.known {
			if !now.Before(old.until) {
				delete(i.known, s)
			}
		}
		for s := range i.known {
			if len(i.known) < cacheTokens*3/4 {
				break
			}
			delete(i.known, s)
		}
	}
	i.known[sum] = k
}
