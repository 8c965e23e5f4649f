package mappings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"concord/hub"
	"concord/hub/recognition"
	"concord/hub/recognition/register"
)

// RecognitionStarter is the catalogue that comes with the program, for a register to build on.
func RecognitionStarter() (register.Starter, error) {
	c, err := Recognition()
	if err != nil {
		return register.Starter{}, err
	}
	rows, err := starterRows()
	return register.Starter{Version: c.Version, Rows: rows, Compose: composeRecognition}, err
}

// starterRows are the items of the starter as rows.
func starterRows() ([]register.Row, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(starter, &root); err != nil {
		return nil, err
	}
	items := member(root.Content[0], "items")
	rows := make([]register.Row, len(items.Content))
	for i, n := range items.Content {
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fmt.Errorf("line %d of the catalogue: %w", n.Line, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("line %d of the catalogue: %w", n.Line, err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&rows[i]); err != nil {
			return nil, fmt.Errorf("line %d of the catalogue: %w", n.Line, err)
		}
	}
	return rows, nil
}

// composeRecognition makes the catalogue of a version: the starter with other rows in place of those of the same id, and without
// some. It is linted as a file is. The program's own catalogue is not made again for nothing.
func composeRecognition(version string, rows []register.Row, without []string) (*recognition.Catalogue, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(starter, &root); err != nil {
		return nil, err
	}
	items := member(root.Content[0], "items")
	items.Content = slices.DeleteFunc(items.Content, func(n *yaml.Node) bool { return slices.Contains(without, rowID(n)) })
	for _, row := range rows {
		n, err := rowNode(row)
		if err != nil {
			return nil, err
		}
		if at := slices.IndexFunc(items.Content, func(old *yaml.Node) bool { return rowID(old) == row.ID() }); at >= 0 {
			items.Content[at] = n
		} else {
			items.Content = append(items.Content, n)
		}
	}
	member(root.Content[0], "version").SetString(version)
	text, err := yaml.Marshal(&root)
	if err != nil {
		return nil, fmt.Errorf("compose the catalogue: %w", err)
	}
	c, err := ParseRecognition("catalogue", text)
	if err != nil {
		return nil, rowFaults(err)
	}
	return c, nil
}

func rowID(n *yaml.Node) string {
	if id := member(n, "id"); id != nil {
		return id.Value
	}
	return ""
}

// rowNode makes of a row, by way of JSON, what YAML has.
func rowNode(row register.Row) (*yaml.Node, error) {
	text, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil || len(n.Content) == 0 {
		return nil, &hub.Error{Kind: hub.Invalid, Path: row.ID(), Msg: "the row is no mapping", Err: err}
	}
	return n.Content[0], nil
}

// rowFaults are the faults without the lines of a file that nobody wrote.
func rowFaults(err error) error {
	var faults hub.Faults
	var walk func(error)
	walk = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range many.Unwrap() {
				walk(one)
			}
			return
		}
		var e *hub.Error
		if !errors.As(err, &e) {
			e = &hub.Error{Kind: hub.Invalid, Msg: err.Error()}
		}
		msg := e.Msg
		if e.Err != nil { // the reader's own words, less the line
			msg += ": " + lineless(e.Err.Error())
		}
		faults = append(faults, &hub.Error{Kind: hub.Invalid, Path: "changes", Msg: msg})
	}
	walk(err)
	return faults
}

func lineless(text string) string {
	text = strings.TrimPrefix(text, "yaml: unmarshal errors:\n")
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), "line "); ok {
		if _, after, ok := strings.Cut(rest, ": "); ok {
			return after
		}
	}
	return text
}
