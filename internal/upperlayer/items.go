package upperlayer

import "encoding/binary"

// user appends the user information item.
func (w *items) user(u *UserInformation) {
	w.item(itemUser, func() {
		w.item(itemMaxPDU, func() { w.b = binary.BigEndian.AppendUint32(w.b, u.MaxPDU) })
		w.text(itemImplementation, u.ImplementationUID)
		if u.Window != nil {
			w.item(itemWindow, func() {
				w.b = binary.BigEndian.AppendUint16(w.b, u.Window.Invoked)
				w.b = binary.BigEndian.AppendUint16(w.b, u.Window.Performed)
			})
		}
		for _, r := range u.Roles {
			w.item(itemRole, func() {
				sized(w, r.SOPClass)
				w.b = append(w.b, flag(r.SCU), flag(r.SCP))
			})
		}
		if u.ImplementationVersion != "" {
			w.text(itemVersion, u.ImplementationVersion)
		}
		for _, e := range u.Extended {
			w.item(itemExtended, func() {
				sized(w, e.SOPClass)
				w.b = append(w.b, e.Info...)
			})
		}
		for _, c := range u.Common {
			w.common(c)
		}
		if id := u.Identity; id != nil {
			w.item(itemIdentity, func() {
				w.b = append(w.b, byte(id.Kind), flag(id.WantsReply))
				sized(w, id.Primary)
				sized(w, id.Code)
			})
		}
		if u.IdentityReply != nil {
			w.item(itemIdentityReply, func() { sized(w, u.IdentityReply) })
		}
	})
}

func (w *items) common(c CommonExtended) {
	w.item(itemCommon, func() {
		sized(w, c.SOPClass)
		sized(w, c.ServiceClass)
		related := &items{}
		for _, uid := range c.Related {
			sized(related, uid)
		}
		sized(w, related.b)
	})
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decode takes one user sub-item in.
func (u *UserInformation) decode(typ byte, v []byte) error {
	f := fields{v, true}
	switch typ {
	case itemMaxPDU:
		u.MaxPDU = f.u32()
	case itemImplementation:
		u.ImplementationUID, f.b = uidOf(v), nil
	case itemVersion:
		u.ImplementationVersion, f.b = uidOf(v), nil
	case itemWindow:
		u.Window = &Window{f.u16(), f.u16()}
	case itemRole:
		u.Roles = append(u.Roles, Role{uidOf(f.sized()), f.u8() == 1, f.u8() == 1})
	case itemExtended:
		u.Extended = append(u.Extended, Extended{uidOf(f.sized()), f.b})
	case itemCommon:
		c := CommonExtended{SOPClass: uidOf(f.sized()), ServiceClass: uidOf(f.sized())}
		for related := (fields{f.sized(), true}); len(related.b) > 0 && related.ok; f.ok = f.ok && related.ok {
			c.Related = append(c.Related, uidOf(related.sized()))
		}
		u.Common = append(u.Common, c)
	case itemIdentity:
		u.Identity = &Identity{IdentityKind(f.u8()), f.u8() == 1, f.sized(), f.sized()}
	case itemIdentityReply:
		u.IdentityReply = f.sized()
	}
	if !f.ok {
		return malformed("has a user item %02X that is too short", typ)
	}
	return nil
}

// fields takes an item apart; ok is false once it was too short.
type fields struct {
	b  []byte
	ok bool
}

func (f *fields) take(n int) []byte {
	if f.ok = f.ok && n <= len(f.b); !f.ok {
		f.b = nil
		return make([]byte, min(n, 4))
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) u8() byte    { return f.take(1)[0] }
func (f *fields) u16() uint16 { return binary.BigEndian.Uint16(f.take(2)) }
func (f *fields) u32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) sized() []byte {
	n := int(f.u16())
	if !f.ok {
		return nil
	}
	return f.take(n)
}
