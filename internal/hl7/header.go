package hl7

import "strings"

// Header is what MSH says of the message itself (2.14.9), as far as a hub acts on it.
type Header struct {
	Application, Facility                   string // MSH-3, MSH-4: who sends, their first components
	ReceivingApplication, ReceivingFacility string // MSH-5, MSH-6
	Sent                                    string // MSH-7
	Type, Event, Structure                  string // MSH-9: ORU, R01, ORU_R01
	Control                                 string // MSH-10
	Processing                              string // MSH-11: P, T or D
	Version                                 string // MSH-12
	Accept, Reply                           string // MSH-15 and MSH-16: AL, NE, ER, SU
}

// Header reads MSH.
func (m *Message) Header() Header {
	s := m.First("MSH")
	f := func(n int) string { return strings.TrimSpace(s.Field(n).Text()) }
	return Header{
		Application: f(3), Facility: f(4), ReceivingApplication: f(5), ReceivingFacility: f(6), Sent: f(7),
		Type: f(9), Event: strings.TrimSpace(s.Field(9).Component(2).Text()), Structure: strings.TrimSpace(s.Field(9).Component(3).Text()),
		Control: f(10), Processing: f(11), Version: f(12), Accept: f(15), Reply: f(16),
	}
}

// Name is the message's type as it is commonly written: "ORU^R01", or "ACK".
func (h Header) Name() string {
	if h.Event == "" {
		return h.Type
	}
	return h.Type + "^" + h.Event
}

// Enhanced tells whether the sender asks for acknowledgement in enhanced mode (2.9.3): it fills MSH-15 or MSH-16. Text that is
// no condition asks for nothing, so that a sender with a broken header is answered at all.
func (h Header) Enhanced() bool { return isCondition(h.Accept) || isCondition(h.Reply) }

// isCondition tells whether a text is of table 0155.
func isCondition(s string) bool { return s == "AL" || s == "NE" || s == "ER" || s == "SU" }

// Before tells whether the message's version is older than another one, such as "2.5". What names none is old.
func (h Header) Before(version string) bool { return versionNumber(h.Version) < versionNumber(version) }

// versionNumber makes 20501 of "2.5.1".
func versionNumber(s string) int {
	out := 0
	parts := strings.SplitN(s, ".", 3)
	for i := range 3 {
		n := 0
		if i < len(parts) {
			for _, c := range []byte(parts[i]) {
				if c < '0' || c > '9' || n > 9 {
					break
				}
				n = n*10 + int(c-'0')
			}
		}
		out = out*100 + n
	}
	return out
}
