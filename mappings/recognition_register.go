package mappings

import (
	"io/fs"

	"concord/hub/recognition"
	"concord/hub/recognition/register"
)

// RecognitionStarter is the catalogue of the files that ReadRecognition reads, for a register to build on.
func RecognitionStarter(dir fs.FS) (register.Starter, error) {
	version, items, err := RecognitionItems(dir)
	if err != nil {
		return register.Starter{}, err
	}
	s := register.Starter{Version: version, Compose: func(version string, rows []register.Row, without []string) (*recognition.Catalogue, error) {
		items := make([]map[string]any, len(rows))
		for i, row := range rows {
			items[i] = row
		}
		return ComposeRecognition(dir, version, items, without)
	}}
	for _, row := range items {
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}
