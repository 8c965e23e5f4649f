package fhir

import (
	"fmt"
	"strconv"
	"unsafe"

	"concord/hub"
)

// Limits bounds what Parse accepts. A zero field means its default.
type Limits struct {
	Bytes int // of the whole text; default 50 MiB
	Depth int // of nested objects and arrays; default 64
	Nodes int // values in the whole text; default one for four bytes, which no FHIR resource comes near
}

func (l Limits) orDefault(size int) Limits {
	if l.Bytes <= 0 {
		l.Bytes = 50 << 20
	}
	if l.Depth <= 0 {
		l.Depth = 64
	}
	if l.Nodes <= 0 {
		l.Nodes = size/4 + 64
	}
	return l
}

// Doc is one parsed JSON text. It is immutable and safe for concurrent use.
type Doc struct {
	data  []byte // the text without byte order mark; spans of nodes point into it
	text  string // the same bytes
	nodes []node // the tape, in document order; nodes[0] is the root
	keys  map[uint32]string
	// spaced says that whitespace outside of strings was seen.
	spaced bool
}

// node is one value on the tape.
type node struct {
	start, end  uint32 // the value's bytes, quotes and brackets included
	key, keyEnd uint32 // the member name's bytes without quotes; both 0 for what is no member
	size        uint32 // nodes of the subtree, itself included: the next sibling is size nodes on
	kind        Kind
	escaped     bool // a string with escapes
	keyEscaped  bool // the decoded name is in Doc.keys, by key
}

// Kind is the JSON type of a Value.
type Kind uint8

const (
	Absent Kind = iota // no such value
	Object
	Array
	String
	Number
	True
	False
	Null
)

// Parse reads one JSON text (RFC 8259) in one pass. It refuses, as an Invalid error with byte position and path,
// trailing bytes, invalid UTF-8, unpaired surrogates (RFC 8259 §8.2) and repeated member names (§4); a text
// beyond the limits is a TooLarge error. A byte order mark is passed over (§8.1).
//
// The Doc keeps data: the caller must not change it any more. Strings from the Doc share its memory.
func Parse(data []byte, limits Limits) (*Doc, error) {
	limits = limits.orDefault(len(data))
	if len(data) > limits.Bytes || len(data) > 1<<32-1 {
		return nil, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("the JSON text has %d bytes, the limit is %d", len(data), limits.Bytes)}
	}
	bom := 0
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		bom, data = 3, data[3:]
	}
	p := parser{limits: limits, Doc: Doc{data: data}}
	p.text = unsafe.String(unsafe.SliceData(data), len(data)) // data is never written to, see above
	p.nodes = make([]node, 0, min(len(data)/20+8, limits.Nodes))
	p.document()
	if p.fault != "" {
		return nil, p.failure(bom)
	}
	doc := p.Doc
	return &doc, nil
}

// DocOf is Parse of a record's body, which those who share the record have done once.
func DocOf(rec *hub.Record) (*Doc, error) {
	doc, err := rec.Memo.Of(func() (any, error) { return Parse(rec.Body, Limits{}) })
	if err != nil {
		return nil, err
	}
	return doc.(*Doc), nil
}

// failure words the fault that stopped the parser.
func (p *parser) failure(bom int) error {
	path := ""
	for i := len(p.path) - 1; i >= 0; i-- {
		if p.path[i].name == "" {
			path += "[" + strconv.Itoa(p.path[i].index) + "]"
		} else {
			path += "." + p.path[i].name
		}
	}
	root := "$"
	if len(p.nodes) > 0 {
		p.nodes[0].size = uint32(len(p.nodes)) // the fault left it open
		p.nodes[0].kind = Object
		if t := p.Root().Get("resourceType"); t.Kind() == String {
			root = t.Text()
		}
	}
	kind := hub.Invalid
	if p.tooLarge {
		kind = hub.TooLarge
	}
	return &hub.Error{Kind: kind, Path: root + path, Msg: fmt.Sprintf("read JSON: %s at byte %d", p.fault, p.pos+bom)}
}

// Root is the outermost value.
func (d *Doc) Root() Value { return Value{d, 0} }

// Type is the resource type: the string resourceType of the root, empty when there is none.
func (d *Doc) Type() string { return d.Root().Get("resourceType").Text() }

// ID is the logical id as sent, empty when there is none.
func (d *Doc) ID() string { return d.Root().Get("id").Text() }
