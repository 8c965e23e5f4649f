package register

import (
	"encoding/json"
	"maps"
	"slices"

	"concord/hub/recognition"
)

// Row is one item of the catalogue as people edit it: the columns of an item in mappings/recognition/*.yaml, as JSON has them,
// numbers as json.Number. What columns there are, and what they may say, is for whoever composes the catalogue.
type Row map[string]any

// ID is the item's id.
func (r Row) ID() string { return r.text("id") }

// Kind is the family of the item.
func (r Row) Kind() recognition.Kind { return recognition.Kind(r.text("kind")) }

// Names are the item's in Chinese and in English.
func (r Row) Names() (chinese, english string) { return r.text("zh"), r.text("en") }

func (r Row) text(column string) string {
	s, _ := r[column].(string)
	return s
}

// same compares what two rows say.
func (r Row) same(other Row) bool { return r.canonical() == other.canonical() }

// canonical is the row's JSON with its columns in order, without those that are empty, and what can be written in two ways
// written in one: a window of 0 as text, a list of one unit as that unit.
func (r Row) canonical() string {
	kept := maps.Clone(r)
	maps.DeleteFunc(kept, func(_ string, v any) bool { return empty(v) })
	if n, ok := kept["window"].(json.Number); ok {
		kept["window"] = n.String()
	}
	if list, ok := kept["unit"].([]any); ok && len(list) == 1 {
		kept["unit"] = list[0]
	}
	text, _ := json.Marshal(kept) // what came from JSON goes back into it
	return string(text)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// columnsOf are the names of all columns of several rows, in the order of the table of columns, then by name.
func columnsOf(rows ...Row) []string {
	seen := map[string]bool{}
	for _, r := range rows {
		for name, v := range r {
			if !empty(v) {
				seen[name] = true
			}
		}
	}
	var all []string
	for _, c := range columns {
		if seen[c.name] {
			all = append(all, c.name)
			delete(seen, c.name)
		}
	}
	return append(all, slices.Sorted(maps.Keys(seen))...)
}

// Starter is where a consortium begins: the catalogue that comes with the program.
type Starter struct {
	Version string
	Rows    []Row
	// Compose makes the catalogue of a version: rows take the place of those of the same id or come to them, and those
	// left out are not in it. Its error joins all that is wrong (hub.Faults, or one error).
	Compose func(version string, rows []Row, without []string) (*recognition.Catalogue, error)
}
