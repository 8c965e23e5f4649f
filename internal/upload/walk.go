package upload

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"concord/hub"
)

// headSize is how much of a file its recognition may see.
const headSize = 8 << 10

// findings are what a walk met.
type findings struct {
	files    []File
	strange  []Note // not understood
	broken   []Note // could not be read
	archives []io.Closer
	seen     map[string]bool
	kinds    []*Kind
}

// walk looks at every file under paths. Names that begin with a dot are left out below a folder;
// symbolic links to files are followed, those to folders are not.
func walk(ctx context.Context, paths []string) (*findings, error) {
	found := &findings{seen: map[string]bool{}, kinds: kinds()}
	if len(paths) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Msg: "nothing to send", Hint: "name files or folders"}
	}
	for _, p := range paths {
		if err := found.path(ctx, p); err != nil {
			found.close()
			return nil, err
		}
	}
	return found, nil
}

func (found *findings) close() {
	for _, a := range found.archives {
		a.Close()
	}
}

func (found *findings) path(ctx context.Context, p string) error {
	root, err := filepath.Abs(p)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return &hub.Error{Kind: hub.NotFound, Path: p, Msg: "cannot be read", Err: err}
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			found.broken = append(found.broken, Note{Path: path, Reason: err.Error()})
			return nil
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.IsDir():
			found.file(path)
		}
		return nil
	})
}

// file books one file on disk, or each member of an archive.
func (found *findings) file(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || found.seen[path] {
		if err != nil {
			found.broken = append(found.broken, Note{Path: path, Reason: err.Error()})
		}
		return
	}
	found.seen[path] = true
	if strings.EqualFold(filepath.Ext(path), ".zip") {
		found.archive(path)
		return
	}
	found.add(File{Path: path, Size: info.Size(), Mod: info.ModTime(),
		open: openFile(path)})
}

func openFile(path string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

func (found *findings) archive(path string) {
	z, err := zip.OpenReader(path)
	if err != nil {
		found.broken = append(found.broken, Note{Path: path, Reason: err.Error()})
		return
	}
	found.archives = append(found.archives, z)
	for _, m := range z.File {
		if m.FileInfo().Mode().IsRegular() {
			found.add(File{Path: path + "!/" + m.Name, Size: int64(m.UncompressedSize64), Mod: m.Modified, open: m.Open})
		}
	}
}

// add recognises f.
func (found *findings) add(f File) {
	f, err := f.unpacked()
	var head []byte
	if err == nil {
		head, err = readHead(f)
	}
	if err != nil {
		found.broken = append(found.broken, Note{Path: f.Path, Reason: err.Error()})
		return
	}
	name := strings.TrimSuffix(strings.ToLower(f.Path), ".gz")
	for _, k := range found.kinds {
		if id, ok := k.knows(name, head); ok {
			f.kind, f.id = k, id
			found.files = append(found.files, f)
			return
		}
	}
	found.strange = append(found.strange, Note{Path: f.Path, Reason: "not understood"})
}

func readHead(f File) ([]byte, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:n], nil
}

// unpacked is f itself, or what is inside where its name ends in .gz. That is read once to learn its size,
// because a hub is told the length of what it gets.
func (f File) unpacked() (File, error) {
	if !strings.HasSuffix(strings.ToLower(f.Path), ".gz") {
		return f, nil
	}
	packed := f.open
	f.open = func() (io.ReadCloser, error) {
		r, err := packed()
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(bufio.NewReader(r))
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("unpack: %w", err)
		}
		return struct {
			io.Reader
			io.Closer
		}{z, r}, nil
	}
	r, err := f.open()
	if err != nil {
		return f, err
	}
	defer r.Close()
	f.Size, err = io.Copy(io.Discard, r)
	return f, err
}
