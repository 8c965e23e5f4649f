package disk

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"concord/storage/object"
)

// List implements hub.Objects. It reads one folder at a time and keeps the names of those it is in, leaving out what
// lies before `after` or beside prefix; keys created meanwhile may or may not be seen.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := object.CheckPrefix(prefix); err != nil {
			yield("", err)
			return
		}
		l := lister{ctx: ctx, store: s, prefix: prefix, after: after, yield: yield}
		l.walk(prefix[:strings.LastIndexByte(prefix, '/')+1])
	}
}

type lister struct {
	ctx           context.Context
	store         *Store
	prefix, after string
	yield         func(string, error) bool
}

// walk yields the keys in folder dir, which is "" or ends with a slash; false tells the callers to stop.
//
// Byte order of full keys is not the order of names: "a-b" sorts before "a/b". A folder therefore sorts by its name
// with the slash.
func (l *lister) walk(dir string) bool {
	names, err := l.names(dir)
	if err != nil {
		l.yield("", failure("list", dir, err))
		return false
	}
	for _, name := range names {
		if err := l.ctx.Err(); err != nil {
			l.yield("", failure("list", dir, err))
			return false
		}
		key := dir + name
		if strings.HasSuffix(name, "/") {
			if !l.walk(key) {
				return false
			}
		} else if !l.yield(key, nil) {
			return false
		}
	}
	return true
}

// names returns what the listing wants of one folder, sorted; subfolders end with a slash.
func (l *lister) names(dir string) (names []string, err error) {
	f, err := os.Open(path.Join(l.store.root, dir))
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			name := e.Name()
			if e.IsDir() {
				name += "/"
			} else if !e.Type().IsRegular() {
				continue
			}
			if l.wants(dir + name) {
				names = append(names, name)
			}
		}
		if errors.Is(err, io.EOF) || absent(err) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}

// wants reports whether path is a key of the listing or a folder that may hold one.
func (l *lister) wants(path string) bool {
	if strings.HasSuffix(path, "/") {
		return path != "@tmp/" &&
			(strings.HasPrefix(path, l.prefix) || strings.HasPrefix(l.prefix, path)) &&
			(path > l.after || strings.HasPrefix(l.after, path))
	}
	return strings.HasPrefix(path, l.prefix) && path > l.after
}
