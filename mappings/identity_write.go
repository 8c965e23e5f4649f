package mappings

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"concord/hub/identity"
	"concord/hub/identity/learn"
)

// EncodeIdentity writes what a training has learnt as the file that ParseIdentity reads. The head tells, line by line, what
// it was trained on; source is V, S or D.
func EncodeIdentity(version, source, head string, weights learn.Weights, shares learn.Shares) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(head) {
		fmt.Fprintf(&b, "# %s\n", strings.TrimRight(line, "\n"))
	}
	fmt.Fprintf(&b, "version: %s\nsource: %s\n\n# How often a level is found where both state the field: [one person, relatives, strangers].\nweights:\n", version, source)
	for _, field := range identity.FieldNames() {
		fmt.Fprintf(&b, "  %s:\n", field)
		for _, level := range identity.LevelNames(field) {
			w := weights[field][level]
			fmt.Fprintf(&b, "    %s: [%s, %s, %s]\n", level, number(w.Same), number(w.Relative), number(w.Stranger))
		}
	}
	fmt.Fprintf(&b, "\n# Shares of people: given names of one character, any name that is not listed, and those that are.\nsingle: %s\nrarest: %s\n", number(shares.Single), number(shares.Rarest))
	for _, table := range []struct {
		name string
		of   map[string]float64
	}{{"surnames", shares.Surnames}, {"givens", shares.Givens}, {"characters", shares.Characters}} {
		fmt.Fprintf(&b, "%s:", table.name)
		keys := slices.SortedFunc(maps.Keys(table.of), func(x, y string) int {
			return cmp.Or(cmp.Compare(table.of[y], table.of[x]), cmp.Compare(x, y))
		})
		if len(keys) == 0 {
			b.WriteString(" {}\n")
			continue
		}
		b.WriteString(" {")
		for i, key := range keys {
			switch {
			case i == 0:
				b.WriteString("\n  ")
			case i%16 == 0:
				b.WriteString(",\n  ")
			default:
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s: %s", key, number(table.of[key]))
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func number(p float64) string { return strconv.FormatFloat(p, 'g', 3, 64) }
