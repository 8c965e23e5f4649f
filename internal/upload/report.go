package upload

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"concord/hub"
)

// Report is what became of everything a run met.
type Report struct {
	Kinds   []Tally // of each kind that occurred
	Refused []Note  // files, and lines or entries inside files, that the hub did not take
	Warned  []Note  // taken, but the hub had something to say
	Strange []Note  // not understood, so not sent
	Elapsed time.Duration
	Journal string // where the acknowledgements are kept; empty once it was removed
	bytes   int64
}

// Tally counts the files of one kind.
type Tally struct {
	Kind  string
	Files int
	By    [Unsent + 1]int // by Status
}

// Note is a remark on one file.
type Note struct {
	Path, Code, Reason string
	entry              int // the place inside a Bundle, counted from 0
}

// Total counts files of all kinds in state s.
func (r *Report) Total(s Status) int {
	n := 0
	for _, t := range r.Kinds {
		n += t.By[s]
	}
	return n
}

// found books what the walk met.
func (r *Report) found(f *findings) {
	r.Strange = f.strange
	for _, n := range f.broken {
		r.tally("unreadable").Files++
		r.tally("unreadable").By[Refused]++
		r.Refused = append(r.Refused, n)
	}
	for _, file := range f.files {
		r.tally(file.kind.Name).Files++
	}
}

func (r *Report) tally(kind string) *Tally {
	for i := range r.Kinds {
		if r.Kinds[i].Kind == kind {
			return &r.Kinds[i]
		}
	}
	r.Kinds = append(r.Kinds, Tally{Kind: kind})
	return &r.Kinds[len(r.Kinds)-1]
}

// add books what became of f.
func (r *Report) add(f File, o outcome) {
	t := r.tally(f.kind.Name)
	if o.status == Strange {
		t.Files--
		r.Strange = append(r.Strange, Note{Path: f.Path, Reason: o.reason})
		return
	}
	t.By[o.status]++
	switch {
	case o.status == Refused:
		r.Refused = append(r.Refused, Note{Path: f.Path, Code: o.code, Reason: o.reason})
		for _, n := range o.notes {
			r.Refused = append(r.Refused, Note{Path: f.Path + " " + n.Path, Code: n.Code, Reason: n.Reason})
		}
	case o.status == Sent:
		r.bytes += f.Size
		if o.reason != "" {
			r.Warned = append(r.Warned, Note{Path: f.Path, Code: o.code, Reason: o.reason})
		}
	}
}

func (r *Report) accepted() int { return r.Total(Sent) + r.Total(There) }

// settle drops kinds of which nothing was left, and puts the remarks in the order of their files.
func (r *Report) settle() {
	r.Kinds = slices.DeleteFunc(r.Kinds, func(t Tally) bool { return t.Files == 0 })
	for _, notes := range [][]Note{r.Refused, r.Warned, r.Strange} {
		slices.SortStableFunc(notes, func(a, b Note) int { return strings.Compare(a.Path, b.Path) })
	}
}

// err says why the run is no success; nil when each file was acknowledged.
func (r *Report) err(fatal error) error {
	refused, unsent := r.Total(Refused), r.Total(Unsent)
	switch {
	case fatal != nil:
		return fatal
	case len(r.Kinds) == 0:
		return &hub.Error{Kind: hub.Unsupported, Msg: "nothing here is understood", Hint: "DICOM, ECG, FHIR JSON and NDJSON files are sent, plain, .gz or in a .zip"}
	case unsent > 0:
		return &hub.Error{Kind: hub.Unavailable, Msg: fmt.Sprintf("stopped with %d files not sent and %d refused", unsent, refused),
			Hint: goOn}
	case refused > 0:
		return &hub.Error{Kind: hub.Unprocessable, Msg: fmt.Sprintf("%d files were refused", refused)}
	}
	return nil
}

const longestList = 50

// print writes the closing table.
func (r *Report) print(out io.Writer) {
	notes(out, "refused", r.Refused)
	notes(out, "taken with a warning", r.Warned)
	notes(out, "not understood", r.Strange)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "kind\tfiles\tsent\talready there\tsent earlier\trefused\tnot sent\t")
	for _, t := range r.Kinds {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", t.Kind, t.Files, t.By[Sent], t.By[There], t.By[Resumed], t.By[Refused], t.By[Unsent])
	}
	w.Flush()
	fmt.Fprintf(out, "%s in %s", size(r.bytes), r.Elapsed.Round(10*time.Millisecond))
	if s := r.Elapsed.Seconds(); s > 0 {
		fmt.Fprintf(out, ", %s/s", size(int64(float64(r.bytes)/s)))
	}
	fmt.Fprintln(out)
	if r.Journal != "" {
		fmt.Fprintf(out, "acknowledged files are listed in %s and not sent again\n", r.Journal)
	}
}

func notes(out io.Writer, title string, all []Note) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(out, "%s:\n", title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	shown := all
	if title != "refused" && len(all) > longestList {
		shown = all[:longestList]
	}
	for _, n := range shown {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", printable(n.Path), printable(n.Code), printable(n.Reason))
	}
	w.Flush()
	if more := len(all) - len(shown); more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
}

// printable keeps what a file's name or a hub says from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, s)
}

func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < 3 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGT"[prefix])
}
