package mappings

import (
	"embed"
	"io/fs"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"concord/hub"
	"concord/internal/hl7map"
)

//go:embed hl7v2
var hl7v2Files embed.FS

// HL7v2 are the mappings of HL7 v2 messages that come with the program.
func HL7v2() (*hl7map.Rules, error) { return defaultHL7v2() }

var defaultHL7v2 = sync.OnceValues(func() (*hl7map.Rules, error) { return LoadHL7v2("") })

// LoadHL7v2 reads the program's mappings and lays a deployment's folder over them; none if the folder is empty. Files are
// *.yaml, laid over each other in the order of their names; members/ID.yaml and members/ID/*.yaml are those of one member.
// The error is hub.Faults with file and line.
func LoadHL7v2(folder string) (*hl7map.Rules, error) {
	files, err := readRules(hl7v2Files, "hl7v2", "mappings/hl7v2")
	if err != nil {
		return nil, err
	}
	if folder != "" {
		own, err := readRules(os.DirFS(folder), ".", folder)
		if err != nil {
			return nil, err
		}
		files = append(files, own...)
	}
	return hl7map.Load(files)
}

// The most that is read of one folder.
const (
	maxRuleFiles = 10_000
	maxRuleBytes = 64 << 20
)

// readRules reads the files below root; name is how faults call it.
func readRules(from fs.FS, root, name string) ([]hl7map.File, error) {
	var files []hl7map.File
	size := 0
	err := fs.WalkDir(from, root, func(p string, d fs.DirEntry, err error) error {
		ext := path.Ext(p)
		if err != nil || d.IsDir() || ext != ".yaml" && ext != ".yml" || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		data, err := fs.ReadFile(from, p)
		if err != nil {
			return err
		}
		if size += len(data); size > maxRuleBytes || len(files) == maxRuleFiles {
			return &hub.Error{Kind: hub.TooLarge, Path: name, Msg: "there are too many rules", Hint: "64 MB in 10,000 files are read"}
		}
		below := strings.TrimPrefix(strings.TrimPrefix(p, root), "/")
		f := hl7map.File{Name: name + "/" + below, Data: data}
		if of, ok := strings.CutPrefix(below, "members/"); ok {
			f.Member, _, _ = strings.Cut(strings.TrimSuffix(of, ext), "/")
		}
		files = append(files, f)
		return nil
	})
	sort.SliceStable(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	if err != nil && !hub.Is(err, hub.TooLarge) {
		err = &hub.Error{Kind: hub.Invalid, Path: name, Msg: "read the mappings", Err: err}
	}
	return files, err
}

// HL7v2Folder are mappings that follow a deployment's folder: a file that is changed counts from the next message on, without
// a restart. If what is there then is wrong, what was right stays in force and Warn is told, once for each state of the
// folder. It is safe for concurrent use.
type HL7v2Folder struct {
	folder string
	// Every is how often the folder is looked at, at most; Warn is told why it could not be read.
	every time.Duration
	now   func() time.Time
	warn  func(error)

	mu      sync.Mutex
	rules   *hl7map.Rules
	state   string
	checked time.Time
}

// FollowHL7v2 reads the mappings and follows the folder. The first reading must succeed.
func FollowHL7v2(folder string, every time.Duration, now func() time.Time, warn func(error)) (*HL7v2Folder, error) {
	f := &HL7v2Folder{folder: folder, every: every, now: now, warn: warn, checked: now(), state: stateOf(folder)}
	var err error
	if f.rules, err = LoadHL7v2(folder); err != nil {
		return nil, err
	}
	return f, nil
}

// Rules are those in force.
func (f *HL7v2Folder) Rules() *hl7map.Rules {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.folder == "" || now.Sub(f.checked) < f.every && !now.Before(f.checked) {
		return f.rules
	}
	f.checked = now
	state := stateOf(f.folder)
	if state == f.state {
		return f.rules
	}
	f.state = state
	rules, err := LoadHL7v2(f.folder)
	if err != nil {
		f.warn(err)
		return f.rules
	}
	f.rules = rules
	return rules
}

// stateOf tells one state of a folder from another by names, sizes and times.
func stateOf(folder string) string {
	if folder == "" {
		return ""
	}
	var b strings.Builder
	n := 0
	_ = fs.WalkDir(os.DirFS(folder), ".", func(p string, d fs.DirEntry, err error) error {
		if n++; n > 2*maxRuleFiles {
			return fs.SkipAll
		}
		if err != nil {
			b.WriteString(p + " cannot be read\n")
			return nil
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			b.WriteString(p + " " + info.ModTime().UTC().Format(time.RFC3339Nano) + " " + strconv.FormatInt(info.Size(), 10) + "\n")
		}
		return nil
	})
	return b.String()
}
