package access

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"concord/hub"
	"concord/hub/commit"
)

// Registrar changes the membership. Its Committer must have the Registry as its target. It works in a command-line
// process as in a hub, and next to other processes on the same store.
type Registrar struct {
	Registry  *Registry
	Committer *commit.Committer
	// By is who makes the change, for the record: a member id, or "operator" for the command line.
	By string

	one sync.Mutex // one change at a time, so that a batch never holds two claims to one AE title
}

// Add takes in a new member (ID, Name, Tier, DICOM, HL7 are read from m) and returns its client secret, which is kept
// nowhere and cannot be asked for again. An id that was ever used, or an AE title of another member, is a Conflict.
func (r *Registrar) Add(ctx context.Context, m Member) (secret string, err error) {
	if err := m.check(); err != nil {
		return "", err
	}
	m.AETs = slices.Compact(slices.Sorted(slices.Values(m.AETs)))
	m.HL7 = m.HL7.normal()
	secret, m.SecretHash = newSecret()
	m.Disabled = false
	err = r.submit(ctx, m.ID, func(v *commit.View, there Member, ok bool) (Member, bool, error) {
		if ok {
			return m, false, &hub.Error{Kind: hub.Conflict, Path: "id", Msg: fmt.Sprintf("member %s exists", m.ID), Hint: "its secret can be renewed"}
		}
		if err := r.unclaimed(m); err != nil {
			return m, false, err
		}
		m.Added = v.Time()
		return m, true, nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Renew gives a member a new client secret; the old one ends.
func (r *Registrar) Renew(ctx context.Context, id string) (secret string, err error) {
	secret, hash := newSecret()
	err = r.change(ctx, id, func(m *Member) { m.SecretHash = hash })
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Disable ends a member's access, tokens included, in this process at once and in others within a second. What it
// wrote stays. Disabling twice is no error.
func (r *Registrar) Disable(ctx context.Context, id string) error {
	return r.change(ctx, id, func(m *Member) { m.Disabled = true })
}

// Enable lets a disabled member in again. Tokens issued before that have not expired work again, too.
func (r *Registrar) Enable(ctx context.Context, id string) error {
	return r.change(ctx, id, func(m *Member) { m.Disabled = false })
}

// SetDICOM replaces how a member takes part in DICOM networking. A title or certificate of another member is a Conflict.
func (r *Registrar) SetDICOM(ctx context.Context, id string, d DICOM) error {
	if err := d.check(); err != nil {
		return err
	}
	return r.submit(ctx, id, func(_ *commit.View, there Member, ok bool) (Member, bool, error) {
		if !ok {
			return there, false, noMember(id)
		}
		next := there
		next.DICOM = d
		return next, !d.equal(there.DICOM), r.unclaimed(next)
	})
}

// SetHL7 replaces how a member sends HL7 v2 messages. A sender that another member has, with networks that are not apart from
// the member's own, is a Conflict.
func (r *Registrar) SetHL7(ctx context.Context, id string, h HL7) error {
	if err := h.check(); err != nil {
		return err
	}
	return r.submit(ctx, id, func(_ *commit.View, there Member, ok bool) (Member, bool, error) {
		if !ok {
			return there, false, noMember(id)
		}
		next := there
		next.HL7 = h.normal()
		return next, !slices.Equal(next.Senders, there.Senders), r.unclaimed(next)
	})
}

// SetCDS replaces how a member's EHR says who it is. An issuer of another member is a Conflict.
func (r *Registrar) SetCDS(ctx context.Context, id string, c CDS) error {
	if err := c.check(); err != nil {
		return err
	}
	return r.submit(ctx, id, func(_ *commit.View, there Member, ok bool) (Member, bool, error) {
		if !ok {
			return there, false, noMember(id)
		}
		next := there
		next.CDS = c
		return next, c.Issuer != there.Issuer || !slices.Equal(c.Keys, there.Keys), r.unclaimed(next)
	})
}

// unclaimed refuses titles, certificates and senders that another member has.
func (r *Registrar) unclaimed(m Member) error {
	for _, aet := range m.AETs {
		if other, taken := r.Registry.ByAET(aet); taken && other.ID != m.ID {
			return &hub.Error{Kind: hub.Conflict, Path: "aet", Msg: fmt.Sprintf("application entity title %s belongs to member %s", aet, other.ID)}
		}
	}
	for _, c := range m.Certificates {
		if other, taken := r.Registry.ByCertificate(c); taken && other.ID != m.ID {
			return &hub.Error{Kind: hub.Conflict, Path: "certificate", Msg: fmt.Sprintf("the certificate belongs to member %s", other.ID)}
		}
	}
	if other, taken := r.Registry.ByIssuer(m.Issuer); taken && other.ID != m.ID {
		return &hub.Error{Kind: hub.Conflict, Path: "issuer", Msg: fmt.Sprintf("the issuer belongs to member %s", other.ID)}
	}
	if len(m.Senders) == 0 {
		return nil
	}
	for _, other := range r.Registry.Members() {
		if s, both := m.contends(other); both && other.ID != m.ID {
			return &hub.Error{Kind: hub.Conflict, Path: "hl7-sender", Msg: fmt.Sprintf("messages of %s would be both this member's and member %s's", s, other.ID),
				Hint: "give each member the networks that it sends from"}
		}
	}
	return nil
}

func noMember(id string) error {
	return &hub.Error{Kind: hub.NotFound, Path: "id", Msg: fmt.Sprintf("there is no member %q", id)}
}

func (r *Registrar) change(ctx context.Context, id string, edit func(*Member)) error {
	return r.submit(ctx, id, func(_ *commit.View, there Member, ok bool) (Member, bool, error) {
		if !ok {
			return there, false, noMember(id)
		}
		next := there
		edit(&next)
		return next, next.Disabled != there.Disabled || next.SecretHash != there.SecretHash, nil
	})
}

// submit writes what decide makes of the member as it is at the tail, unless it says that nothing changes.
func (r *Registrar) submit(ctx context.Context, id string, decide func(v *commit.View, there Member, ok bool) (Member, bool, error)) error {
	r.one.Lock()
	defer r.one.Unlock()
	name := hub.Name{Type: MemberType, ID: id}
	_, err := r.Committer.Submit(ctx, commit.Write{Member: r.By, Names: []hub.Name{name}, Plan: func(_ context.Context, v *commit.View) ([]commit.Draft, error) {
		there, ok := r.Registry.Member(id)
		m, changed, err := decide(v, there, ok)
		if err != nil || !changed {
			return nil, err
		}
		body, err := m.body()
		if err != nil {
			return nil, fmt.Errorf("write member %s: %w", id, err)
		}
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, nil
	}})
	return err
}
