package upperlayer

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"concord/hub"
)

// Field is a Command Field (PS3.7 E.1).
type Field uint16

const (
	CStoreRQ       Field = 0x0001
	CGetRQ         Field = 0x0010
	CFindRQ        Field = 0x0020
	CMoveRQ        Field = 0x0021
	CEchoRQ        Field = 0x0030
	NEventReportRQ Field = 0x0100
	NGetRQ         Field = 0x0110
	NSetRQ         Field = 0x0120
	NActionRQ      Field = 0x0130
	NCreateRQ      Field = 0x0140
	NDeleteRQ      Field = 0x0150
	CCancelRQ      Field = 0x0FFF
	response       Field = 0x8000
)

// Response is the field that answers this one.
func (f Field) Response() Field { return f | response }

// IsResponse tells answers from requests.
func (f Field) IsResponse() bool { return f&response != 0 }

// Known reports whether PS3.7 has this command.
func (f Field) Known() bool { return f.name() != "" }

// String is the name of PS3.7.
func (f Field) String() string {
	switch name := f.name(); {
	case name == "":
		return fmt.Sprintf("command %04X", uint16(f))
	case f.IsResponse():
		return name + "-RSP"
	default:
		return name + "-RQ"
	}
}

func (f Field) name() string {
	switch f &^ response {
	case CStoreRQ:
		return "C-STORE"
	case CGetRQ:
		return "C-GET"
	case CFindRQ:
		return "C-FIND"
	case CMoveRQ:
		return "C-MOVE"
	case CEchoRQ:
		return "C-ECHO"
	case NEventReportRQ:
		return "N-EVENT-REPORT"
	case NGetRQ:
		return "N-GET"
	case NSetRQ:
		return "N-SET"
	case NActionRQ:
		return "N-ACTION"
	case NCreateRQ:
		return "N-CREATE"
	case NDeleteRQ:
		return "N-DELETE"
	case CCancelRQ:
		return "C-CANCEL"
	}
	return ""
}

// requested reports whether the command names its SOP class and instance as Requested (0000,0003) and (0000,1001)
// rather than as Affected (0000,0002) and (0000,1000): PS3.7 10.3.
func (f Field) requested() bool {
	return slices.Contains([]Field{NGetRQ, NSetRQ, NActionRQ, NDeleteRQ}, f)
}

// Status of a response (PS3.7 C). Services define more in their own ranges.
type Status uint16

const (
	Success               Status = 0x0000
	ProcessingFailure     Status = 0x0110
	NoSuchObjectInstance  Status = 0x0112
	MissingAttributeValue Status = 0x0121
	NoSuchSOPClass        Status = 0x0118
	ClassInstanceConflict Status = 0x0119
	SOPClassNotSupported  Status = 0x0122
	NotAuthorized         Status = 0x0124
	DuplicateInvocation   Status = 0x0210
	UnrecognizedOperation Status = 0x0211
	MistypedArgument      Status = 0x0212
	ResourceLimitation    Status = 0x0213
	NoSuchActionType      Status = 0x0123
	InvalidArgumentValue  Status = 0x0115
	Cancelled             Status = 0xFE00
	Pending               Status = 0xFF00
	PendingWarning        Status = 0xFF01
)

// Pending reports that more responses follow (PS3.7 C.3).
func (s Status) Pending() bool { return s == Pending || s == PendingWarning }

// Warning reports that the operation was done, with something to be told (PS3.7 C.4).
func (s Status) Warning() bool {
	return s == 1 || s == 0x0107 || s == 0x0116 || s>>12 == 0xB
}

// Failed reports that the operation was not done.
func (s Status) Failed() bool {
	return s != Success && s != Cancelled && !s.Pending() && !s.Warning()
}

func (s Status) String() string { return fmt.Sprintf("%04X", uint16(s)) }

// Priority of an operation (0000,0700).
type Priority uint16

const (
	Medium Priority = 0
	High   Priority = 1
	Low    Priority = 2
)

// Command is a command set (PS3.7 6.3.1). Fields that a command does not have are left out when zero; whether a data set
// follows (0000,0800) is said by the message and not here.
type Command struct {
	Field       Field
	MessageID   uint16 // of a request; of a response and a C-CANCEL the request's
	SOPClass    string // Affected or Requested SOP Class UID, as the field has it
	SOPInstance string // Affected or Requested SOP Instance UID
	Priority    Priority
	Status      Status
	// ErrorComment explains a status, in 64 characters of ASCII at most.
	ErrorComment string
	ErrorID      uint16
	// Offending are the elements that a status is about.
	Offending []uint32
	// Attributes are those that N-GET asks for (0000,1005).
	Attributes  []uint32
	EventType   uint16
	ActionType  uint16
	Destination string // Move Destination
	// Originator and OriginatorID are the AE title and message ID of the C-MOVE that a C-STORE is done for.
	Originator   string
	OriginatorID uint16
	// Sub counts the sub-operations of a C-GET or C-MOVE response; nil for none to be told.
	Sub *SubOperations

	dataFollows bool
}

// SubOperations are the numbers of (0000,1020) to (0000,1023). Final responses have no Remaining.
type SubOperations struct {
	Remaining, Completed, Failed, Warning uint16
	Final                                 bool // leaves Remaining out
}

const noDataSet = 0x0101

// maxCommand bounds a command set: no real one comes near.
const maxCommand = 64 << 10

// append encodes the command as Implicit VR Little Endian with its group length (PS3.7 6.3.1).
func (c *Command) append(dst []byte, dataFollows bool) []byte {
	start := len(dst)
	w := elements{append(dst, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0)}
	requested := c.Field.requested()
	reply, cancel := c.Field.IsResponse(), c.Field == CCancelRQ
	if !requested {
		w.text(0x0002, c.SOPClass, 0)
	} else {
		w.text(0x0003, c.SOPClass, 0)
	}
	w.u16(0x0100, uint16(c.Field))
	if reply || cancel {
		w.u16(0x0120, c.MessageID)
	} else {
		w.u16(0x0110, c.MessageID)
	}
	w.text(0x0600, c.Destination, ' ')
	if slices.Contains([]Field{CStoreRQ, CFindRQ, CGetRQ, CMoveRQ}, c.Field) {
		w.u16(0x0700, uint16(c.Priority))
	}
	follows := uint16(noDataSet)
	if dataFollows {
		follows = 0
	}
	w.u16(0x0800, follows)
	if reply {
		w.u16(0x0900, uint16(c.Status))
	}
	w.tags(0x0901, c.Offending)
	w.text(0x0902, comment(c.ErrorComment), ' ')
	w.optional(0x0903, c.ErrorID)
	if !requested {
		w.text(0x1000, c.SOPInstance, 0)
	} else {
		w.text(0x1001, c.SOPInstance, 0)
	}
	w.optional(0x1002, c.EventType)
	w.tags(0x1005, c.Attributes)
	w.optional(0x1008, c.ActionType)
	if s := c.Sub; s != nil {
		if !s.Final {
			w.u16(0x1020, s.Remaining)
		}
		w.u16(0x1021, s.Completed)
		w.u16(0x1022, s.Failed)
		w.u16(0x1023, s.Warning)
	}
	if c.Originator != "" {
		w.text(0x1030, c.Originator, ' ')
		w.u16(0x1031, c.OriginatorID)
	}
	binary.LittleEndian.PutUint32(w.b[start+8:], uint32(len(w.b)-start-12))
	return w.b
}

// comment makes any text fit LO in the default repertoire.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '\\' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// elements appends elements of group 0.
type elements struct{ b []byte }

func (w *elements) head(element uint16, size int) {
	w.b = append(w.b, 0, 0)
	w.b = binary.LittleEndian.AppendUint16(w.b, element)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(size))
}

func (w *elements) u16(element, v uint16) {
	w.head(element, 2)
	w.b = binary.LittleEndian.AppendUint16(w.b, v)
}

func (w *elements) optional(element, v uint16) {
	if v != 0 {
		w.u16(element, v)
	}
}

func (w *elements) text(element uint16, s string, pad byte) {
	if s == "" {
		return
	}
	w.head(element, len(s)+len(s)%2)
	w.b = append(w.b, s...)
	if len(s)%2 == 1 {
		w.b = append(w.b, pad)
	}
}

func (w *elements) tags(element uint16, tags []uint32) {
	if len(tags) == 0 {
		return
	}
	w.head(element, 4*len(tags))
	for _, t := range tags {
		w.b = binary.LittleEndian.AppendUint16(w.b, uint16(t>>16))
		w.b = binary.LittleEndian.AppendUint16(w.b, uint16(t))
	}
}

// decodeCommand reads a command set. Elements it does not know are passed over, a group length is not believed.
func decodeCommand(b []byte) (*Command, error) {
	c := &Command{}
	var follows uint16 = noDataSet
	seen := map[uint16]bool{}
	for at := 0; at < len(b); {
		if len(b)-at < 8 {
			return nil, badCommand("ends inside an element")
		}
		group, element, size := binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint16(b[at+2:]), binary.LittleEndian.Uint32(b[at+4:])
		at += 8
		if uint64(size) > uint64(len(b)-at) {
			return nil, badCommand("has an element longer than itself")
		}
		v := b[at : at+int(size)]
		at += int(size)
		if group != 0 || seen[element] {
			return nil, badCommand("has elements of another group, or one twice")
		}
		seen[element] = true
		var num uint16
		if len(v) >= 2 {
			num = binary.LittleEndian.Uint16(v)
		}
		switch element {
		case 0x0002, 0x0003:
			c.SOPClass = strings.Trim(string(v), " \x00")
		case 0x0100:
			c.Field = Field(num)
		case 0x0110, 0x0120:
			c.MessageID = num
		case 0x0600:
			c.Destination = strings.Trim(string(v), " \x00")
		case 0x0700:
			c.Priority = Priority(num)
		case 0x0800:
			follows = num
		case 0x0900:
			c.Status = Status(num)
		case 0x0901:
			c.Offending = tagsOf(v)
		case 0x0902:
			c.ErrorComment = strings.Trim(string(v), " \x00")
		case 0x0903:
			c.ErrorID = num
		case 0x1000, 0x1001:
			c.SOPInstance = strings.Trim(string(v), " \x00")
		case 0x1002:
			c.EventType = num
		case 0x1005:
			c.Attributes = tagsOf(v)
		case 0x1008:
			c.ActionType = num
		case 0x1020, 0x1021, 0x1022, 0x1023:
			if c.Sub == nil {
				c.Sub = &SubOperations{Final: true}
			}
			c.Sub.Final = c.Sub.Final && element != 0x1020
			*[]*uint16{&c.Sub.Remaining, &c.Sub.Completed, &c.Sub.Failed, &c.Sub.Warning}[element-0x1020] = num
		case 0x1030:
			c.Originator = strings.Trim(string(v), " \x00")
		case 0x1031:
			c.OriginatorID = num
		}
	}
	if !seen[0x0100] {
		return nil, badCommand("has no Command Field")
	}
	if c.Field.IsResponse() && !seen[0x0900] {
		return nil, badCommand("is a response without a status")
	}
	c.dataFollows = follows != noDataSet
	return c, nil
}

func tagsOf(v []byte) []uint32 {
	var tags []uint32
	for ; len(v) >= 4; v = v[4:] {
		tags = append(tags, uint32(binary.LittleEndian.Uint16(v))<<16|uint32(binary.LittleEndian.Uint16(v[2:])))
	}
	return tags
}

func badCommand(what string) error {
	return &hub.Error{Kind: hub.Invalid, Msg: "the command set " + what}
}
