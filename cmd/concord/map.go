package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"concord/adapters/hl7v2"
	"concord/hub"
	"concord/hub/messages"
	"concord/internal/hl7"
)

// mapOptions are those of concord map.
type mapOptions struct {
	member, golden, address, token, conceptMaps string
	diff, update                                bool
}

func mapCommand() *cobra.Command {
	var o mapOptions
	cmd := &cobra.Command{
		Use: "map FILE…", Short: "Print the FHIR that HL7 v2 messages would become",
		Long: `Map HL7 v2 messages as the hub would and print a Bundle of what they become. What was wrong, codes without a
translation and fields that no rule reads are told beside it. The exit code is 1 when a message could not be mapped.

Without --url it needs no hub; codes, units and ranges of laboratories are then completed if --concept-maps names a folder
with ConceptMaps (those of a member in the folder that has its name) or --laboratory-rules one with rules. With --url and --token a hub maps the message by its own rules and keeps nothing;
--diff then prints how what it has would change.

--golden checks samples: each NAME.hl7 in a folder, or in its folders named by members, must become NAME.json.
--update writes these files as they are now.`,
		Example: `  concord map oru.hl7 --member village-clinic
  concord map oru.hl7 --member village-clinic --diff --url http://127.0.0.1:8080 --token "$(concord token --member village-clinic)"
  concord map --golden samples`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load(cmd.Flags())
			if err != nil {
				return err
			}
			mapper, err := newHL7Mapper(cfg)
			if err != nil {
				return err
			}
			if mapper.laboratory, err = offlineLaboratory(cfg.LaboratoryConfig, o.conceptMaps); err != nil {
				return err
			}
			switch {
			case o.golden != "" && len(args) == 0 && !o.diff && o.address == "":
				return runGolden(cmd.Context(), mapper, o, cmd.OutOrStdout())
			case o.golden != "" || len(args) == 0 || o.update:
				return &hub.Error{Kind: hub.Invalid, Msg: "either files or --golden are to be mapped", Hint: "--update goes with --golden"}
			case o.address != "" && mapper.laboratory != nil:
				return &hub.Error{Kind: hub.Invalid, Path: "url", Msg: "a hub maps by its own rules and concept maps", Hint: "leave --concept-maps and --laboratory-rules out"}
			case o.address == "" && o.diff:
				return &hub.Error{Kind: hub.Invalid, Path: "diff", Msg: "needs a hub that has something", Hint: "set --url and --token"}
			case o.address == "" && o.member == "":
				return &hub.Error{Kind: hub.Invalid, Path: "member", Msg: "whose message is it?", Hint: "set --member"}
			}
			return mapFiles(cmd.Context(), mapper, o, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.String("config", "", "YAML `file` with any of the settings")
	mappingFlags(f)
	f.StringVar(&o.member, "member", "", "`id` of the member whose messages these are")
	f.BoolVar(&o.diff, "diff", false, "print how what the hub has would change")
	f.StringVar(&o.golden, "golden", "", "`folder` of samples with what they must become")
	f.BoolVar(&o.update, "update", false, "write what the samples become now")
	f.StringVar(&o.conceptMaps, "concept-maps", "", "`folder` with ConceptMaps of laboratories' codes")
	f.String("laboratory-rules", "", "`folder` with rules about laboratories instead of those of the program")
	f.StringVar(&o.address, "url", "", "base `URL` of a hub that maps")
	f.StringVar(&o.token, "token", "", "bearer token for the hub")
	return cmd
}

// mapFiles maps all messages of some files and prints what they become.
func mapFiles(ctx context.Context, mapper *hl7Mapper, o mapOptions, paths []string, out, notes io.Writer) error {
	failed := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a message: %w", err)
		}
		batch, err := hl7.Split(data, 100_000)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		for i, raw := range batch.Messages {
			name := path
			if len(batch.Messages) > 1 {
				name = fmt.Sprintf("%s, message %d", path, i+1)
			}
			shown, err := mapOne(ctx, mapper, o, raw)
			if err != nil {
				return fmt.Errorf("map %s: %w", name, err)
			}
			shown.notes(notes, name)
			if shown.Status != messages.Mapped {
				failed++
			}
			if o.diff {
				shown.differences(out)
			} else if err := shown.bundle(out); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d messages could not be mapped", failed)
	}
	return nil
}

// mappedMessage is what POST /integration/map answers.
type mappedMessage struct {
	Status        messages.Status       `json:"status"`
	Mapping       string                `json:"mapping"`
	Faults        []messages.Fault      `json:"faults"`
	UnmappedCodes []messages.Code       `json:"unmappedCodes"`
	Unread        []string              `json:"unread"`
	Resources     []json.RawMessage     `json:"resources"`
	Differences   []messages.Difference `json:"differences"`
}

func mapOne(ctx context.Context, mapper *hl7Mapper, o mapOptions, raw []byte) (*mappedMessage, error) {
	if o.address != "" {
		out := &mappedMessage{}
		query := url.Values{"format": {hl7v2.Format}}
		if o.member != "" {
			query.Set("member", o.member)
		}
		return out, callHub(ctx, o.address, o.token, "POST", "/integration/map?"+query.Encode(), "application/octet-stream", raw, func(r io.Reader) error {
			return json.NewDecoder(r).Decode(out)
		})
	}
	inc := hl7v2.Read(raw, mapper.limits)
	shown, err := messages.Show(ctx, mapper, o.member, &inc)
	if err != nil {
		return nil, err
	}
	m := &shown.Message
	return &mappedMessage{m.Status, m.Mapping, m.Faults, m.Unmapped, m.Unread, shown.Resources, nil}, nil
}

// notes tells what is worth a look.
func (m *mappedMessage) notes(w io.Writer, name string) {
	fmt.Fprintf(w, "%s: %s by %s, %d resources\n", name, m.Status, or(m.Mapping, "no rules"), len(m.Resources))
	for _, f := range m.Faults {
		fmt.Fprintf(w, "  %s %s: %s\n", f.Kind, or(f.Place, "message"), f.Msg)
	}
	for _, c := range m.UnmappedCodes {
		fmt.Fprintf(w, "  no standard code for %q of %q at %s\n", c.Code, c.System, c.Place)
	}
	if len(m.Unread) > 0 {
		fmt.Fprintf(w, "  read by no rule: %s\n", strings.Join(m.Unread, " "))
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// bundle prints the resources as a Bundle, indented.
func (m *mappedMessage) bundle(w io.Writer) error {
	type entry struct {
		Resource json.RawMessage `json:"resource"`
	}
	all := struct {
		ResourceType string  `json:"resourceType"`
		Type         string  `json:"type"`
		Entry        []entry `json:"entry,omitempty"`
	}{"Bundle", "collection", nil}
	for _, r := range m.Resources {
		all.Entry = append(all.Entry, entry{r})
	}
	text, err := indented(all)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// indented is v as JSON for people, with < and & as they are.
func indented(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return buf.Bytes(), err
}

// differences prints a line for each value that would change.
func (m *mappedMessage) differences(w io.Writer) {
	for i := range m.Differences {
		printDifference(w, &m.Differences[i])
	}
	if len(m.Differences) == 0 {
		fmt.Fprintln(w, "nothing would change")
	}
}

var differenceMarks = map[string]string{"new": "+", "changed": "~", "removed": "-"}

func printDifference(w io.Writer, d *messages.Difference) {
	fmt.Fprintf(w, "%s %s\n", differenceMarks[d.How], d.Name)
	for _, e := range d.Elements {
		fmt.Fprintf(w, "    %s: %s → %s\n", e.Path, or(string(e.Before), "nothing"), or(string(e.After), "nothing"))
	}
}

// callHub asks a hub and hands what it answers to read; what it refuses is an error.
func callHub(ctx context.Context, address, token, method, path, contentType string, body []byte, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(address, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		var said struct{ Path, Message string }
		text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		if json.Unmarshal(text, &said) != nil || said.Message == "" {
			return errors.New("the hub answers " + res.Status)
		}
		return fmt.Errorf("the hub answers %s: %s %s", res.Status, said.Path, said.Message)
	}
	return read(res.Body)
}
