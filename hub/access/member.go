package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"concord/hub"
)

// Tier is a member's place in the consortium.
type Tier string

const (
	Lead      Tier = "lead"      // reads and reports for the others
	Community Tier = "community" // examines, uploads, asks
)

// Member is one institution. Its ID never changes; it is the Member of every Record the institution writes.
type Member struct {
	ID   string
	Name string
	Tier Tier
	DICOM
	HL7
	CDS
	// SecretHash is the SHA-256 of the client secret, lower-case hexadecimal. A secret has 256 random bits, so that a
	// plain hash is as hard to turn round as a slow one.
	SecretHash string
	Disabled   bool
	Added      time.Time
}

// DICOM is how a member takes part in DICOM networking.
type DICOM struct {
	// AETs are the application entity titles it calls from. A title is no identity by itself.
	AETs []string `json:"aets,omitempty"`
	// Networks are the addresses, as prefixes, from which its titles, and its senders of messages, are believed.
	Networks []netip.Prefix `json:"networks,omitempty"`
	// Certificates are those it calls with, and shows where it is called over TLS: the SHA-256 of each, lower-case hexadecimal.
	Certificates []string `json:"certificates,omitempty"`
	// Destinations are where its application entities take instances: title → host:port, or tls://host:port where TLS is
	// spoken. Its titles are among AETs.
	Destinations map[string]string `json:"destinations,omitempty"`
}

// MemberType is the type of the names under which members are kept.
const MemberType = "Member"

type memberBody struct {
	Name string `json:"name"`
	Tier Tier   `json:"tier"`
	DICOM
	HL7
	CDS
	SecretHash string    `json:"secretHash"`
	Disabled   bool      `json:"disabled,omitempty"`
	Added      time.Time `json:"added"`
}

func (m Member) body() ([]byte, error) {
	return json.Marshal(memberBody{m.Name, m.Tier, m.DICOM, m.HL7, m.CDS, m.SecretHash, m.Disabled, m.Added})
}

func memberOf(rec *hub.Record) (Member, error) {
	var b memberBody
	if err := json.Unmarshal(rec.Body, &b); err != nil {
		return Member{}, &hub.Error{Kind: hub.Corrupt, Path: rec.Name.String(), Msg: "the member's record is unreadable", Err: err}
	}
	return Member{rec.Name.ID, b.Name, b.Tier, b.DICOM, b.HL7, b.CDS, b.SecretHash, b.Disabled, b.Added}, nil
}

// check looks at what an administrator typed.
func (m Member) check() error {
	switch {
	case !validID(m.ID):
		return &hub.Error{Kind: hub.Invalid, Path: "id", Msg: fmt.Sprintf("%q is no member id", m.ID), Hint: "1 to 32 of a-z, 0-9 and -"}
	case m.ID == Hub:
		return &hub.Error{Kind: hub.Invalid, Path: "id", Msg: "the hub itself is " + Hub}
	case m.Tier != Lead && m.Tier != Community:
		return &hub.Error{Kind: hub.Invalid, Path: "tier", Msg: fmt.Sprintf("%q is no tier", m.Tier), Hint: "lead or community"}
	case strings.TrimSpace(m.Name) == "" || len(m.Name) > 256 || !utf8.ValidString(m.Name) || strings.ContainsFunc(m.Name, isControl):
		return &hub.Error{Kind: hub.Invalid, Path: "name", Msg: "a member needs a name of at most 256 bytes of UTF-8 without control characters"}
	}
	if err := m.DICOM.check(); err != nil {
		return err
	}
	if err := m.HL7.check(); err != nil {
		return err
	}
	return m.CDS.check()
}

func validID(id string) bool {
	if len(id) < 1 || len(id) > 32 {
		return false
	}
	for _, c := range []byte(id) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// validAET follows PS3.5 Table 6.2-1, AE; leading and trailing spaces are not significant, so none are kept.
func validAET(aet string) bool {
	if len(aet) < 1 || len(aet) > 16 || strings.TrimSpace(aet) != aet {
		return false
	}
	for _, c := range []byte(aet) {
		if c < 0x20 || c > 0x7e || c == '\\' {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// newSecret makes a client secret and the hash that is kept of it.
func newSecret() (secret, hash string) {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	secret = base64.RawURLEncoding.EncodeToString(raw)
	return secret, hashSecret(secret)
}

func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func (m Member) hasSecret(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(m.SecretHash), []byte(hashSecret(secret))) == 1
}
