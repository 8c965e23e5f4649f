package mappings

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
)

//go:embed recognition/catalogue.yaml recognition/items.yaml recognition/dictionary.yaml recognition/prices.yaml recognition/cases.yaml
var recognitionFiles embed.FS

// RecognitionFiles are the files of a catalogue: what holds for all items, the items and panels, the words for images, and
// the prices. Each may hold any of the lists.
var recognitionParts = [...]string{"catalogue.yaml", "items.yaml", "dictionary.yaml", "prices.yaml"}

// Recognition is the starter catalogue that comes with the program.
func Recognition() (*recognition.Catalogue, error) { return starterCatalogue() }

var starterCatalogue = sync.OnceValues(func() (*recognition.Catalogue, error) { return ReadRecognition(nil) })

// ReadRecognition reads a catalogue and lints it: catalogue.yaml, items.yaml, dictionary.yaml, prices.yaml. A file that dir
// does not have, or any when it is nil, is the one that comes with the program. The error joins all faults, each with file
// and line.
func ReadRecognition(dir fs.FS) (*recognition.Catalogue, error) {
	s, err := readSheets(dir)
	if err != nil {
		return nil, err
	}
	return s.catalogue()
}

// RecognitionItems are the rows of items as they were written, in the columns of items.yaml as JSON has them, numbers as
// json.Number.
func RecognitionItems(dir fs.FS) (version string, rows []map[string]any, err error) {
	s, err := readSheets(dir)
	if err != nil {
		return "", nil, err
	}
	for i := range s.items {
		text, err := json.Marshal(s.items[i].raw)
		if err != nil {
			return "", nil, &hub.Error{Kind: hub.Invalid, Path: s.items[i].row.ID, Msg: "write the row as JSON", Err: err}
		}
		dec, row := json.NewDecoder(bytes.NewReader(text)), map[string]any{}
		dec.UseNumber()
		if err := dec.Decode(&row); err != nil {
			return "", nil, err
		}
		rows = append(rows, row)
	}
	return s.head.Version, rows, nil
}

// ComposeRecognition makes the catalogue of a version of those files with other items: rows take the place of those of the
// same id or come to them, and those named without are left out, out of panels and prices too. A panel that has fewer than two
// items left is left out itself. The error (hub.Faults) has all
// that is wrong; what is wrong with a row has its id as Path.
func ComposeRecognition(dir fs.FS, version string, rows []map[string]any, without []string) (*recognition.Catalogue, error) {
	s, err := readSheets(dir)
	if err != nil {
		return nil, err
	}
	return s.compose(version, rows, without)
}

func (s *sheets) compose(version string, rows []map[string]any, without []string) (*recognition.Catalogue, error) {
	s.head.Version = version
	var faults hub.Faults
	for _, columns := range rows {
		id, _ := columns["id"].(string)
		var row itemRow
		text, err := json.Marshal(columns)
		if err == nil {
			dec := yaml.NewDecoder(bytes.NewReader(text)) // JSON is YAML
			dec.KnownFields(true)
			err = dec.Decode(&row)
		}
		if err != nil {
			faults = append(faults, &hub.Error{Kind: hub.Invalid, Path: id, Msg: "read the row", Err: err})
			continue
		}
		one := sheetItem{row: row}
		if i := slices.IndexFunc(s.items, func(old sheetItem) bool { return old.row.ID == row.ID }); i >= 0 {
			s.items[i] = one
		} else {
			s.items = append(s.items, one)
		}
	}
	s.leaveOut(without)
	s.lines = nil // nobody wrote the lines down
	l := &lint{}
	r := s.rows(l)
	for _, fault := range l.faults {
		faults = append(faults, fault.(*hub.Error))
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return recognition.NewCatalogue(r)
}

func (s *sheets) leaveOut(ids []string) {
	out := func(id string) bool { return slices.Contains(ids, id) }
	s.items = slices.DeleteFunc(s.items, func(i sheetItem) bool { return out(i.row.ID) })
	s.head.Prices = slices.DeleteFunc(s.head.Prices, func(p priceRow) bool { return out(p.Item) })
	for i := range s.head.Panels {
		p := &s.head.Panels[i]
		p.Members = slices.DeleteFunc(slices.Clone(p.Members), out)
	}
	s.head.Panels = slices.DeleteFunc(s.head.Panels, func(p panelRow) bool { return len(p.Members) < 2 })
}

// sheets are the files of a catalogue, read but not yet checked.
type sheets struct {
	head  catalogueFile // of all files together, but for Items
	items []sheetItem
	lines map[string][]string // list → file:line of each row
	first string              // file
}

type sheetItem struct {
	row itemRow
	raw any
}

func readSheets(dir fs.FS) (*sheets, error) {
	s := &sheets{lines: map[string][]string{}}
	var faults []error
	for _, name := range recognitionParts {
		file := "mappings/recognition/" + name
		data, err := fs.ReadFile(recognitionFiles, "recognition/"+name)
		if dir != nil {
			own, missing := fs.ReadFile(dir, name)
			if missing == nil {
				file, data, err = name, own, nil
			} else if !errors.Is(missing, fs.ErrNotExist) {
				err = missing
			}
		}
		if err == nil {
			err = s.add(file, data)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return s, errors.Join(faults...)
}

// ParseRecognition reads a catalogue of one file and lints it. The error joins all faults, each with file and line.
func ParseRecognition(file string, data []byte) (*recognition.Catalogue, error) {
	s := &sheets{lines: map[string][]string{}}
	if err := s.add(file, data); err != nil {
		return nil, err
	}
	return s.catalogue()
}

func (s *sheets) catalogue() (*recognition.Catalogue, error) {
	l := &lint{}
	r := s.rows(l)
	for _, f := range r.Check() {
		l.file, l.what = s.first, strings.TrimSuffix(f.List, "s")
		if lines := s.lines[f.List]; f.Row >= 0 && f.Row < len(lines) {
			l.file, l.what = lines[f.Row], l.what+" "+f.ID
		}
		if l.what == "" {
			l.what = "catalogue"
		}
		l.fault("%s", f.Msg)
	}
	if err := errors.Join(l.faults...); err != nil {
		return nil, err
	}
	return recognition.NewCatalogue(r)
}
