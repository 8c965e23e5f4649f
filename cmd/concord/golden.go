package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"concord/adapters/hl7v2"
	"concord/hub"
	"concord/hub/messages"
	"concord/internal/fhir"
)

// golden is what a sample must become. Unread places and the version of the rules are not told, since they say nothing of
// the result.
type golden struct {
	Status    messages.Status   `json:"status"`
	Faults    []messages.Fault  `json:"faults,omitempty"`
	Unmapped  []messages.Code   `json:"unmappedCodes,omitempty"`
	Resources []json.RawMessage `json:"resources"`
}

// runGolden maps all samples below a folder. The member is that of the options, else the name of the sample's folder.
func runGolden(ctx context.Context, mapper *hl7Mapper, o mapOptions, out io.Writer) error {
	samples, different := 0, 0
	err := filepath.WalkDir(o.golden, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".hl7" {
			return err
		}
		member := o.member
		if member == "" {
			if member = filepath.Base(filepath.Dir(path)); filepath.Dir(path) == filepath.Clean(o.golden) {
				return &hub.Error{Kind: hub.Invalid, Path: path, Msg: "whose sample is it?", Hint: "put it into a folder named by its member, or set --member"}
			}
		}
		samples++
		same, err := checkGolden(ctx, mapper, member, path, o.update, out)
		if err == nil && !same {
			different++
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("check the samples: %w", err)
	case samples == 0:
		return &hub.Error{Kind: hub.NotFound, Path: o.golden, Msg: "has no samples", Hint: "a sample is NAME.hl7 with NAME.json"}
	case o.update:
		fmt.Fprintf(out, "%d samples, %d written\n", samples, different)
		return nil
	case different > 0:
		return fmt.Errorf("%d of %d samples become something else", different, samples)
	}
	fmt.Fprintf(out, "%d samples become what they must\n", samples)
	return nil
}

func checkGolden(ctx context.Context, mapper *hl7Mapper, member, path string, update bool, out io.Writer) (same bool, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	inc := hl7v2.Read(raw, mapper.limits)
	shown, err := messages.Show(ctx, mapper, member, &inc)
	if err != nil {
		return false, err
	}
	now := golden{shown.Message.Status, shown.Message.Faults, shown.Message.Unmapped, shown.Resources}
	file := strings.TrimSuffix(path, ".hl7") + ".json"
	was := golden{}
	data, err := os.ReadFile(file)
	if err == nil {
		if err := json.Unmarshal(data, &was); err != nil {
			return false, &hub.Error{Kind: hub.Invalid, Path: file, Msg: "is no result of a sample", Err: err}
		}
	} else if !os.IsNotExist(err) {
		return false, err
	}
	lines, err := now.against(&was)
	if err != nil || len(lines) == 0 {
		return len(lines) == 0, err
	}
	fmt.Fprintln(out, path)
	for _, line := range lines {
		fmt.Fprintln(out, "    "+line)
	}
	if !update {
		return false, nil
	}
	text, err := indented(now)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	return false, err
}

// against lists in lines what is otherwise than it was.
func (now *golden) against(was *golden) (lines []string, err error) {
	if now.Status != was.Status {
		lines = append(lines, fmt.Sprintf("status: %s → %s", or(string(was.Status), "nothing"), now.Status))
	}
	for _, list := range []struct {
		name     string
		was, now any
	}{{"faults", was.Faults, now.Faults}, {"codes without a standard one", was.Unmapped, now.Unmapped}} {
		before, _ := json.Marshal(list.was)
		after, _ := json.Marshal(list.now)
		if string(before) != string(after) {
			lines = append(lines, fmt.Sprintf("%s: %s → %s", list.name, before, after))
		}
	}
	before, beforeNames, err := byName(was.Resources)
	if err != nil {
		return nil, err
	}
	after, afterNames, err := byName(now.Resources)
	if err != nil {
		return nil, err
	}
	for _, n := range afterNames {
		if before[n] == nil {
			lines = append(lines, "+ "+n)
			continue
		}
		for _, e := range messages.Compare(after[n].Type(), before[n].Root(), after[n].Root()) {
			lines = append(lines, fmt.Sprintf("~ %s %s: %s → %s", n, e.Path, or(string(e.Before), "nothing"), or(string(e.After), "nothing")))
		}
	}
	for _, n := range beforeNames {
		if after[n] == nil {
			lines = append(lines, "- "+n)
		}
	}
	return lines, nil
}

func byName(resources []json.RawMessage) (docs map[string]*fhir.Doc, names []string, err error) {
	docs = map[string]*fhir.Doc{}
	for _, r := range resources {
		doc, err := fhir.Parse(slices.Clone(r), fhir.Limits{})
		if err != nil {
			return nil, nil, err
		}
		n := doc.Type() + "/" + doc.ID()
		docs[n], names = doc, append(names, n)
	}
	return docs, names, nil
}
