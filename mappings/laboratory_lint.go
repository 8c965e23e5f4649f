package mappings

import (
	"io/fs"
	"math/big"

	"concord/internal/ucum"
)

// laboratoryLint collects faults in the rules of laboratories, and what later files are checked against.
type laboratoryLint struct {
	lint
	dir      fs.FS
	analytes map[string]bool
	kinds    map[string]bool
	loinc    map[string]string
}

func (l *laboratoryLint) unit(code string) {
	if _, err := ucum.Parse(code); err != nil {
		l.fault("%q is no UCUM code", code)
	}
}

// about checks what a row is about.
func (l *laboratoryLint) about(analyte string, specimens []string, source string) {
	if !l.analytes[analyte] {
		l.fault("no such analyte is in analytes.yaml")
	}
	if source == "" {
		l.fault("its source must be said")
	}
	for _, kind := range specimens {
		if !l.kinds[kind] {
			l.fault("%q is no kind of specimen", kind)
		}
	}
}

// bounds checks a row of bounds and reads them.
func (l *laboratoryLint) bounds(row *boundsRow) (low, high *big.Rat) {
	l.about(row.Analyte, row.Specimens, row.Source)
	l.unit(row.Unit)
	low, high = l.number("low", row.Low), l.number("high", row.High)
	if low == nil && high == nil {
		l.fault("low or high must be there")
	}
	if low != nil && high != nil && low.Cmp(high) >= 0 {
		l.fault("low must be less than high")
	}
	return low, high
}
