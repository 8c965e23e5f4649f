package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"concord/internal/dicom"
	"concord/internal/sample"
)

func TestQuantilesAreValuesThatOccurred(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		of   []time.Duration
		q    float64
		want time.Duration
	}{{hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred[:1], 0.5, 1}, {hundred[:1], 0.99, 1}, {hundred[:3], 0.5, 2}} {
		if got := quantile(c.of, c.q); got != c.want {
			t.Errorf("quantile %g of %d values is %d, expected %d", c.q, len(c.of), got, c.want)
		}
	}
}

// taking is a turn whose rounds have the rates given, the first one warming up.
func taking(rates ...float64) turn {
	return func(_ context.Context, _, round int) (Sample, error) {
		return Sample{Units: int(rates[round] * 10), Elapsed: 10 * time.Second, P50: time.Duration(float64(time.Second) / rates[round])}, nil
	}
}

func quiet(string, ...any) {}

func TestTheRatioIsThatOfTheRounds(t *testing.T) {
	// The machine halves its speed in the second round: the medians of the rates would give 100/100.
	w := Work{Title: "w", Unit: "req", Clients: 1, hub: taking(1, 400, 100, 50), peers: []peer{
		{name: "slower", goal: Goal{Of: "ratio", AtLeast: 2}, turn: taking(1, 200, 50, 25)},
		{name: "other", goal: Goal{Of: "p50", AtLeast: 3}, turn: taking(1, 200, 50, 20)},
	}}
	rows := w.run(t.Context(), 3, quiet)
	if len(rows) != 2 || rows[0].Hub.Rate != 100 || rows[0].Hub.Min != 50 || rows[0].Hub.Max != 400 {
		t.Fatalf("%+v", rows)
	}
	if r := rows[0]; r.Ratio != 2 || !r.Met {
		t.Errorf("ratio of rates %g, met %v", r.Ratio, r.Met)
	}
	if r := rows[1]; r.Ratio != 2 || r.Met || !r.again {
		t.Errorf("ratio of p50 %g, met %v", r.Ratio, r.Met)
	}
}

func TestAWorkThatFailsSaysSoInItsRow(t *testing.T) {
	w := Work{Title: "w", Unit: "req", Clients: 1, hub: taking(1, 1), Goal: Goal{Of: "rate", AtLeast: 1}, peers: []peer{
		{name: "broken", turn: func(context.Context, int, int) (Sample, error) { return Sample{}, errors.New("wrong answer") }},
	}}
	rows := w.run(t.Context(), 1, quiet)
	if len(rows) != 1 || rows[0].Error != "wrong answer" || rows[0].Met || rows[0].Peer != "broken" {
		t.Errorf("%+v", rows)
	}
}

func TestTheTableHasALineForEachRow(t *testing.T) {
	rows := []Row{
		{Work: "STOW", Clients: 4, Unit: "inst", Hub: Figures{900, 850, 950, 40, 60, 90}, Peer: "Orthanc", Other: Figures{300, 290, 310, 120, 150, 200}, Ratio: 3, Goal: Goal{Of: "ratio", AtLeast: 2.5}, Met: true},
		{Work: "STOW", Clients: 4, Unit: "inst", Hub: Figures{900, 850, 950, 40, 60, 90}, Peer: "files", Other: Figures{1800, 1700, 1900, 4, 6, 9}, Ratio: 0.5, again: true},
		{Work: "read", Clients: 8, Unit: "req", Hub: Figures{7000, 6000, 8000, 1.25, 2, 3}, Goal: Goal{Of: "rate", AtLeast: 8000}},
		{Work: "broken", Clients: 1, Error: "no answer"},
	}
	var b bytes.Buffer
	if err := Print(&b, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines:\n%s", len(lines), &b)
	}
	for i, parts := range [][]string{{"work", "p99 ms", "goal"}, {"STOW", "900 inst/s", "(850–950)", "Orthanc", "3.00×", "≥ 2.5×", "met"},
		{"files", "0.50×"}, {"read", "1.25", "≥ 8000/s", "MISSED"}, {"broken", "FAILED: no answer"}} {
		for _, p := range parts {
			if !strings.Contains(lines[i], p) {
				t.Errorf("line %d has no %q: %s", i, p, lines[i])
			}
		}
	}
	if strings.Contains(lines[2], "900 inst/s") {
		t.Errorf("the hub's figures stand twice: %s", lines[2])
	}
}

func TestBatchesHoldEveryFileOnce(t *testing.T) {
	var files []sample.File
	for f, err := range sample.Bench(1, 25, sample.Options{Slices: 5, Rows: 8, Columns: 8, Time: day(0)}) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	all, n := batches(files, 10), 0
	for i := range all {
		var body bytes.Buffer
		for _, p := range all[i].pieces {
			body.Write(p)
		}
		for _, f := range all[i].files {
			if bytes.Count(body.Bytes(), []byte("--"+boundary+"\r\nContent-Type: application/dicom\r\n\r\n"+string(f.Head))) != 1 {
				t.Errorf("batch %d does not hold %s as a part", i, f.InstanceUID)
			}
			n++
		}
		if !bytes.HasSuffix(body.Bytes(), []byte("\r\n--"+boundary+"--\r\n")) {
			t.Errorf("batch %d has no end", i)
		}
	}
	if len(all) != 3 || n != 25 {
		t.Errorf("%d batches with %d files", len(all), n)
	}
}

func TestTheLibraryHoldsWhatItsQueriesExpect(t *testing.T) {
	const n = 400
	b := &bench{start: 1_700_000_000}
	l, err := b.library(n)
	if err != nil {
		t.Fatal(err)
	}
	studies, ids, names, days := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, f := range l.files {
		h, err := dicom.ScanFile(f.Reader(), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(h.Text(0x00100010), "^")
		studies[h.StudyInstanceUID]++
		ids[h.Text(0x00100020)]++
		names[family]++
		days[h.Text(0x00080020)]++
	}
	if len(studies) != n || len(l.patients) != n/2 || len(l.regulars) != n/2/perRegular {
		t.Fatalf("%d studies of %d patients and %d regulars", len(studies), len(l.patients), len(l.regulars))
	}
	for _, id := range l.patients {
		if ids[id] != 1 {
			t.Errorf("%s has %d studies", id, ids[id])
		}
	}
	for _, id := range l.regulars {
		if ids[id] != perRegular {
			t.Errorf("%s has %d studies", id, ids[id])
		}
	}
	for family, want := range l.names {
		if names[family] != want {
			t.Errorf("%d studies of %s, expected %d", names[family], family, want)
		}
	}
	for d, want := range l.days {
		if got := days[day(l.first+d).Format("20060102")]; got != want {
			t.Errorf("%d studies on day %d, expected %d", got, d, want)
		}
	}
}
