package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Commit is a batch of Records of one partition.
type Commit struct {
	Partition Partition
	Seq       uint64 // counted from 1, dense
	// Prev is the SHA-256 of the previous commit's bytes, lower-case hexadecimal; empty for Seq 1.
	Prev string
	// Nonce tells whose commit it is when a PUT's outcome is unknown.
	Nonce string
	Time  time.Time
	// Nums is how many dense numbers were given before this commit: the first new Name gets Nums+1.
	Nums    uint64
	Records []Record
}

// LogKey is the key of commit seq: log/<partition>/<seq, 16 digits>.
func LogKey(p Partition, seq uint64) string {
	return fmt.Sprintf("log/%s/%016d", p, seq)
}

// LogPrefix is the prefix under which all commits of p lie.
func LogPrefix(p Partition) string { return "log/" + string(p) + "/" }

// SeqOfKey reads the sequence number back from a log key; ok is false for any other key.
func SeqOfKey(p Partition, key string) (seq uint64, ok bool) {
	rest, found := bytes.CutPrefix([]byte(key), []byte(LogPrefix(p)))
	if !found || len(rest) != 16 {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(rest), 10, 64)
	return seq, err == nil && seq > 0
}

const commitFormat = 1

type commitHead struct {
	Concord   int       `json:"concord"`
	Partition Partition `json:"partition"`
	Seq       uint64    `json:"seq"`
	Prev      string    `json:"prev"`
	Nonce     string    `json:"nonce"`
	Time      time.Time `json:"time"`
	Nums      uint64    `json:"nums"`
	Records   int       `json:"records"`
}

type recordHead struct {
	Type    string    `json:"type"`
	ID      string    `json:"id"`
	Num     uint64    `json:"num"`
	Version uint64    `json:"version"`
	Deleted bool      `json:"deleted,omitempty"`
	Member  string    `json:"member"`
	Time    time.Time `json:"time"`
	Prev    *Loc      `json:"prev,omitempty"`
	Blob    *Blob     `json:"blob,omitempty"`
}

// Encode writes the commit as NDJSON: one head line, then one line a record whose last member is
// "body". It sets the Loc of each record. A body that contains a newline or is not JSON is an error.
func (c *Commit) Encode() ([]byte, error) {
	size := 512
	for i := range c.Records {
		size += len(c.Records[i].Body) + 320
	}
	head, err := json.Marshal(commitHead{commitFormat, c.Partition, c.Seq, c.Prev, c.Nonce, c.Time, c.Nums, len(c.Records)})
	if err != nil {
		return nil, fmt.Errorf("encode commit %d of %s: %w", c.Seq, c.Partition, err)
	}
	data := append(append(make([]byte, 0, size), head...), '\n')
	for i := range c.Records {
		r := &c.Records[i]
		start := len(data)
		if data, err = r.appendLine(data); err != nil {
			return nil, fmt.Errorf("encode record %s: %w", r.Name, err)
		}
		if int64(len(data)) > 1<<32-1 {
			return nil, &Error{Kind: TooLarge, Msg: "a commit may hold 4 GiB at most"}
		}
		r.Loc = Loc{Seq: c.Seq, Off: uint32(start), Len: uint32(len(data) - start)}
		data = append(data, '\n')
	}
	return data, nil
}

// DecodeCommit reads the bytes of a commit. The records' bodies alias data.
func DecodeCommit(data []byte) (*Commit, error) {
	line, rest, ok := bytes.Cut(data, []byte{'\n'})
	var h commitHead
	if !ok {
		return nil, &Error{Kind: Corrupt, Msg: "commit without a head line"}
	}
	if err := json.Unmarshal(line, &h); err != nil || h.Concord != commitFormat {
		return nil, &Error{Kind: Corrupt, Msg: "commit head is unreadable", Err: err}
	}
	c := &Commit{Partition: h.Partition, Seq: h.Seq, Prev: h.Prev, Nonce: h.Nonce, Time: h.Time, Nums: h.Nums}
	c.Records = make([]Record, 0, min(h.Records, len(rest)/16))
	off := len(line) + 1
	for len(rest) > 0 {
		line, rest, ok = bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return nil, &Error{Kind: Corrupt, Msg: fmt.Sprintf("commit %d of %s ends inside a line", h.Seq, h.Partition)}
		}
		r, err := DecodeRecord(line)
		if err != nil {
			return nil, fmt.Errorf("commit %d of %s, byte %d: %w", h.Seq, h.Partition, off, err)
		}
		r.Loc = Loc{Seq: h.Seq, Off: uint32(off), Len: uint32(len(line))}
		c.Records = append(c.Records, r)
		off += len(line) + 1
	}
	if len(c.Records) != h.Records {
		return nil, &Error{Kind: Corrupt, Msg: fmt.Sprintf("commit %d of %s has %d records, its head says %d", h.Seq, h.Partition, len(c.Records), h.Records)}
	}
	return c, nil
}

var bodyMark = []byte(`,"body":`)

// DecodeRecord reads one line of a commit; Body aliases line. The fields before the body are the
// hub's own and hold no text from outside but identifiers that were checked, so the mark cannot occur in them.
func DecodeRecord(line []byte) (Record, error) {
	if r, rest, ok := readHead(line); ok {
		body, hasBody := bytes.CutPrefix(rest, bodyMark)
		switch {
		case hasBody && len(body) >= 2 && body[len(body)-1] == '}':
			r.Body = body[:len(body)-1]
			return r, nil
		case len(rest) == 1 && rest[0] == '}':
			return r, nil
		}
	}
	return decodeRecord(line)
}

// decodeRecord reads any line that is right.
func decodeRecord(line []byte) (Record, error) {
	head, body, hasBody := bytes.Cut(line, bodyMark)
	if hasBody {
		if len(body) < 2 || body[len(body)-1] != '}' {
			return Record{}, &Error{Kind: Corrupt, Msg: "record line is cut"}
		}
		body = body[:len(body)-1]
		head = append(append(make([]byte, 0, len(head)+1), head...), '}')
	}
	var h recordHead
	if err := json.Unmarshal(head, &h); err != nil {
		return Record{}, &Error{Kind: Corrupt, Msg: "record line is unreadable", Err: err}
	}
	if h.Blob != nil {
		h.Blob.setPlace(h.Blob.Key)
	}
	r := Record{Name: Name{h.Type, h.ID}, Num: h.Num, Version: h.Version, Deleted: h.Deleted,
		Member: h.Member, Time: h.Time, Blob: h.Blob, Body: body}
	if h.Prev != nil {
		r.Prev = *h.Prev
	}
	return r, nil
}

// Digest is the SHA-256 of a commit's bytes in lower-case hexadecimal, which the next commit carries as Prev.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
