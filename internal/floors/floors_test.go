package floors

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "concord"

func TestNoImportPointsUpOrSideways(t *testing.T) {
	faults, files := check(t, os.DirFS("../.."))
	for _, f := range faults {
		t.Error(f)
	}
	if files < 20 {
		t.Errorf("only %d Go files were looked at: is this the project's root?", files)
	}
}

func TestAForbiddenImportIsFound(t *testing.T) {
	for _, c := range []struct{ file, imports, fault string }{
		{"hub/words.go", "concord/internal/dicom", "hub may not import internal"},
		{"hub/words.go", "github.com/google/uuid", "hub imports the standard library only"},
		{"hub/words.go", "net/http", "hub must not know net/http"},
		{"hub/lookup/read.go", "net/http/httputil", "hub rooms must not know net/http/"},
		{"hub/lookup/read.go", "github.com/redis/go-redis/v9", "hub rooms must not know github.com/redis/"},
		{"hub/projection/fold.go", "concord/hub/lookup", "no door from hub/projection to hub/lookup"},
		{"hub/lookup/read.go", "concord/adapters/fhir", "hub rooms may not import adapters"},
		{"adapters/fhir/server.go", "concord/adapters/dimse", "no door from adapters/fhir to adapters/dimse"},
		{"adapters/fhir/server.go", "concord/storage/index", "adapters may not import storage"},
		{"adapters/fhir/server_test.go", "concord/adapters/dimse", "no door from adapters/fhir to adapters/dimse"},
		{"adapters/fhir/server.go", "concord/storage/object/objecttest", "adapters may not import storage"},
		{"storage/index/apply.go", "concord/storage/keeper", "no door from storage/index to storage/keeper"},
		{"internal/dicom/scan.go", "concord/hub/lookup", "internal may not import hub rooms"},
		{"internal/dicom/scan.go", "concord/internal/hl7", "no door from internal/dicom to internal/hl7"},
		{"helpers/x.go", "fmt", "helpers/x.go lies on no floor"},
	} {
		faults, _ := check(t, house(c.file, c.imports))
		if len(faults) != 1 || !strings.Contains(faults[0], c.fault) {
			t.Errorf("%s importing %s: %q, expected %q", c.file, c.imports, faults, c.fault)
		}
	}
	for _, c := range []struct{ file, imports string }{
		{"cmd/concord/wire.go", "concord/storage/object/s3"},
		{"adapters/fhir/server.go", "concord/adapters/fhir/search"},
		{"adapters/fhir/server_test.go", "concord/storage/keeper"},
		{"storage/object/disk/disk_test.go", "concord/storage/object/objecttest"},
		{"storage/index/apply_test.go", "concord/storage/keeper"},
		{"hub/lookup/read.go", "concord/hub/access"},
		{"internal/upload/client.go", "net/http"},
		{"hub/words.go", "crypto/sha256"},
		{"testdata/x/x.go", "concord/nowhere"},
		{"node_modules/x/x.go", "concord/nowhere"},
	} {
		if faults, _ := check(t, house(c.file, c.imports)); len(faults) != 0 {
			t.Errorf("%s importing %s: %q, expected none", c.file, c.imports, faults)
		}
	}
}

func TestEveryDoorIsOneWay(t *testing.T) {
	doors := Doors()
	for from, tos := range doors {
		for _, to := range tos {
			if slices.Contains(doors[to], from) {
				t.Errorf("%s and %s open into each other", from, to)
			}
		}
	}
}

func house(file, imports string) fs.FS {
	return fstest.MapFS{file: {Data: fmt.Appendf(nil, "package x\n\nimport _ %q\n", imports)}}
}

// check parses the imports of every Go file below root and returns one sentence for each forbidden one.
func check(t *testing.T, root fs.FS) (faults []string, files int) {
	t.Helper()
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		files++
		src, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		floor, room := place(path.Dir(file))
		if floor == nil {
			faults = append(faults, file+" lies on no floor; see Floors")
			return nil
		}
		for _, spec := range parsed.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if rule := broken(*floor, room, imported, strings.HasSuffix(file, "_test.go")); rule != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", file, imported, rule))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults, files
}

// place finds the floor and the room of a folder.
func place(dir string) (*Floor, string) {
	for _, f := range Floors() {
		if rooms, many := strings.CutSuffix(f.Prefix, "/"); many {
			if rest, ok := strings.CutPrefix(dir, rooms+"/"); ok {
				name, _, _ := strings.Cut(rest, "/")
				return &f, f.Prefix + name
			}
			continue
		}
		if dir == f.Prefix || strings.HasPrefix(dir, f.Prefix+"/") {
			return &f, f.Prefix
		}
	}
	return nil, ""
}

// broken names the rule that an import breaks, or "".
func broken(from Floor, room, imported string, test bool) string {
	inside, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		return brokenOutside(from, imported, test)
	}
	to, toRoom := place(inside)
	switch {
	case to == nil:
		return "it lies on no floor"
	case toRoom == room, slices.Contains(from.Below, to.Name), slices.Contains(Doors()[room], toRoom):
		return ""
	case test && testMay(to.Name, path.Base(inside)):
		return ""
	case to.Name == from.Name:
		return fmt.Sprintf("no door from %s to %s; see Doors", room, toRoom)
	}
	return fmt.Sprintf("%s may not import %s; see Floors", from.Name, to.Name)
}

func brokenOutside(from Floor, imported string, test bool) string {
	for _, never := range from.Never {
		if imported == never || strings.HasSuffix(never, "/") && strings.HasPrefix(imported, never) {
			return from.Name + " must not know " + never
		}
	}
	first, _, _ := strings.Cut(imported, "/")
	if from.StandardOnly && !test && strings.Contains(first, ".") {
		return from.Name + " imports the standard library only"
	}
	return ""
}
