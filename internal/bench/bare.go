package bench

import (
	"context"
	"os"
	"path/filepath"

	"concord/internal/sample"
)

// writeFiles is the least that keeping files costs: each is written under another name, fsynced and renamed. They stay until
// the run ends: ext4 looks at every inode that was freed in the last minutes before it gives out a new one, so files removed
// now would slow down the next turn.
func writeFiles(ctx context.Context, folder string, writers int, b bounds, files []sample.File) (Sample, error) {
	into, err := os.MkdirTemp(folder, "bare-")
	if err != nil {
		return Sample{}, err
	}
	b.count = len(files)
	return repeat(ctx, writers, b, func(_ context.Context, _, i int) (int, error) {
		return 1, writeFile(filepath.Join(into, files[i].InstanceUID), files[i])
	})
}

func writeFile(path string, f sample.File) error {
	out, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer out.Close()
	for _, piece := range [][]byte{f.Head, f.Pixels} {
		if _, err := out.Write(piece); err != nil {
			return err
		}
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
