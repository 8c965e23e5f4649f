package mappings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"concord/hub"
	"concord/hub/recognition"
	"concord/hub/recognition/register"
)

// RecognitionStarter is the catalogue of the files that ReadRecognition reads, for a register to build on. The files are read
// once: what is written into dir later changes nothing.
//
// A row has the columns of an item and, as "prices", what prices.yaml says of it: a list of region, amount, currency and source.
func RecognitionStarter(dir fs.FS) (register.Starter, error) {
	files, err := freeze(dir)
	if err != nil {
		return register.Starter{}, err
	}
	version, items, err := RecognitionItems(files)
	if err != nil {
		return register.Starter{}, err
	}
	own, err := readSheets(files)
	if err != nil {
		return register.Starter{}, err
	}
	s := register.Starter{Version: version}
	for _, row := range items {
		for _, p := range own.head.Prices {
			if p.Item == row["id"] {
				list, _ := row["prices"].([]any)
				row["prices"] = append(list, p.part())
			}
		}
		s.Rows = append(s.Rows, row)
	}
	s.Compose = func(version string, rows []register.Row, without []string) (*recognition.Catalogue, error) {
		sheets, err := readSheets(files)
		if err != nil {
			return nil, err
		}
		items := make([]map[string]any, len(rows))
		for i, row := range rows {
			if items[i], err = sheets.priced(row); err != nil {
				return nil, err
			}
		}
		return sheets.compose(version, items, without)
	}
	return s, nil
}

func (p priceRow) part() map[string]any {
	part := map[string]any{"amount": p.Amount}
	for name, v := range map[string]string{"region": p.Region, "currency": p.Currency, "source": p.Source} {
		if v != "" {
			part[name] = v
		}
	}
	return part
}

// priced puts a row's prices in the place of those that the files have for it, and returns its other columns.
func (s *sheets) priced(row register.Row) (map[string]any, error) {
	s.head.Prices = slices.DeleteFunc(slices.Clone(s.head.Prices), func(p priceRow) bool { return p.Item == row.ID() })
	columns := maps.Clone(map[string]any(row))
	said, there := columns["prices"]
	list, isList := said.([]any)
	delete(columns, "prices")
	if there && !isList {
		return nil, priceFault(row, "prices are a list of region, amount, currency and source")
	}
	for _, one := range list {
		p := priceRow{Item: row.ID(), Currency: "CNY"}
		parts, _ := one.(map[string]any)
		for name, v := range parts {
			to, known := map[string]*string{"region": &p.Region, "amount": &p.Amount, "currency": &p.Currency, "source": &p.Source}[name]
			text, isText := v.(string)
			if !known || !isText {
				return nil, priceFault(row, fmt.Sprintf("a price has no %.20q, or it is no text", name))
			}
			*to = text
		}
		if slices.ContainsFunc(s.head.Prices, func(o priceRow) bool { return o.Item == p.Item && o.Region == p.Region }) {
			return nil, priceFault(row, fmt.Sprintf("region %.40q has two prices", p.Region))
		}
		s.head.Prices = append(s.head.Prices, p)
	}
	return columns, nil
}

func priceFault(row register.Row, msg string) error {
	return &hub.Error{Kind: hub.Invalid, Path: row.ID(), Msg: msg}
}

// frozen are files as they were at one moment.
type frozen map[string][]byte

func freeze(dir fs.FS) (fs.FS, error) {
	if dir == nil {
		return nil, nil
	}
	f := frozen{}
	for _, name := range recognitionParts {
		data, err := fs.ReadFile(dir, name)
		if err == nil {
			f[name] = data
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return f, nil
}

// Open is not offered: ReadFile is all that is asked.
func (f frozen) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadFile implements fs.ReadFileFS.
func (f frozen) ReadFile(name string) ([]byte, error) {
	data, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(data), nil
}
