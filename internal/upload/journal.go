package upload

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"concord/hub"
)

// journal is a file of JSON lines: a head that names the hub, then one line for each acknowledged file.
// A line is appended with one write after the acknowledgement; a cut last line is ignored, so the worst
// a crash costs is sending a few files twice.
type journal struct {
	path string
	to   string

	mu    sync.Mutex
	file  *os.File // nil until the first line
	lines map[string]journalLine
}

type journalHead struct {
	Concord string `json:"concord"` // "upload journal 1"
	To      string `json:"to"`
}

type journalLine struct {
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	Mod    time.Time `json:"mod"`
	SHA256 string    `json:"sha256"`
}

const journalFormat = "upload journal 1"

// openJournal reads the journal at path, or at the place made from to, paths and whose token it is. It is an error when
// the file belongs to another hub or is no journal at all.
func openJournal(path, to, token string, paths []string) (*journal, error) {
	if path == "" {
		var err error
		if path, err = journalPath(to, token, paths); err != nil {
			return nil, err
		}
	}
	j := &journal{path: path, to: to, lines: map[string]journalLine{}}
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return j, j.read(data)
}

// journalPath is <cache>/concord/upload-<digest of to, consortium, member and paths>.jsonl. A hub set up anew at the same address has
// nothing of what the former one acknowledged.
func journalPath(to, token string, paths []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", &hub.Error{Kind: hub.Invalid, Msg: "no cache folder for the journal", Hint: "name one with --resume-file", Err: err}
	}
	consortium, member := issued(token)
	key := []string{to, consortium, member}
	sorted := len(key)
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return "", err
		}
		key = append(key, abs)
	}
	slices.Sort(key[sorted:])
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	return filepath.Join(cache, "concord", "upload-"+hex.EncodeToString(sum[:8])+".jsonl"), nil
}

// issued is what a JSON Web Token says of its consortium and member, unchecked; nothing where it is none.
func issued(token string) (consortium, member string) {
	var claims struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
	}
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(data, &claims) != nil {
		return "", ""
	}
	return claims.Issuer, claims.Subject
}

func (j *journal) read(data []byte) error {
	first, rest, _ := bytes.Cut(data, []byte{'\n'})
	var head journalHead
	if len(data) > 0 && (json.Unmarshal(first, &head) != nil || head.Concord != journalFormat) {
		return &hub.Error{Kind: hub.Invalid, Path: j.path, Msg: "is not an upload journal", Hint: "name another file with --resume-file"}
	}
	if len(data) > 0 && head.To != j.to {
		return &hub.Error{Kind: hub.Conflict, Path: j.path, Msg: "is the journal of another hub, " + head.To, Hint: "name another file with --resume-file"}
	}
	lines := bufio.NewScanner(bytes.NewReader(rest))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l journalLine
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Path != "" {
			j.lines[l.Path] = l
		}
	}
	return lines.Err()
}

// has reports whether f was acknowledged as it is now: same path and size, and same time or same bytes.
func (j *journal) has(f File) bool {
	j.mu.Lock()
	l, ok := j.lines[f.Path]
	j.mu.Unlock()
	if !ok || l.Size != f.Size {
		return false
	}
	return l.Mod.Equal(f.Mod) || l.SHA256 != "" && l.SHA256 == digest(f)
}

// add books f as acknowledged.
func (j *journal) add(f File, sha string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.begin(); err != nil {
		return err
	}
	l := journalLine{f.Path, f.Size, f.Mod, sha}
	j.lines[f.Path] = l
	return j.write(l)
}

// begin opens the file for appending, behind a whole line.
func (j *journal) begin() error {
	if j.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return fmt.Errorf("make the journal's folder: %w", err)
	}
	file, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.file = file
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if info.Size() == 0 {
		return j.write(journalHead{journalFormat, j.to})
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
		_, err = file.Write([]byte{'\n'})
		return err
	}
	return nil
}

func (j *journal) write(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write journal %s: %w", j.path, err)
	}
	return nil
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
	}
}

// remove deletes the journal, whose work is done.
func (j *journal) remove() { os.Remove(j.path) }

// digest is the SHA-256 of f, or "" when it cannot be read.
func digest(f File) string {
	r, err := f.open()
	if err != nil {
		return ""
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
