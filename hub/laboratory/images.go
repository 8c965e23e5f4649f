package laboratory

import (
	"context"
	"encoding/json"
	"time"

	"concord/hub"
	"concord/hub/commit"
)

// Images is the kind of Sighting that is a description of images. Its code has ImagesSystem.
const (
	Images       = "images"
	ImagesSystem = "urn:concord:imaging:description"
)

// Descriptions puts into the queue what members call studies of images and nobody can read. It is the Derive of a Watch of
// ImagingStudies.
type Descriptions struct {
	Writer *commit.Committer // of the records
	// Unread are the descriptions of a study that name no item, and the member whose study it is.
	Unread func(study *hub.Record) (member string, descriptions []string, err error)
}

// longestDescription is how much of a description is kept, in runes.
const longestDescription = 200

// Derive writes a Sighting for each description that has none yet. A study that cannot be read is passed over.
func (d *Descriptions) Derive(ctx context.Context, studies []hub.Record) error {
	for i := range studies {
		study := &studies[i]
		if study.Deleted {
			continue
		}
		member, descriptions, err := d.Unread(study)
		if err != nil || member == "" {
			continue
		}
		for _, text := range descriptions {
			if err := d.keep(ctx, study, member, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Descriptions) keep(ctx context.Context, study *hub.Record, member, text string) error {
	if runes := []rune(text); len(runes) > longestDescription {
		text = string(runes[:longestDescription])
	}
	one := Sighting{Member: member, Kind: Images, Code: Coding{System: ImagesSystem, Code: text}, Name: text, First: study.Time, Example: study.Name.String()}
	name := hub.Name{Type: SightingType, ID: one.ID()}
	_, err := d.Writer.Submit(ctx, commit.Write{Member: member, Names: []hub.Name{name}, Plan: func(ctx context.Context, v *commit.View) ([]commit.Draft, error) {
		head, err := v.Head(ctx, name)
		if err != nil || head.Version > 0 {
			return nil, err
		}
		body, err := json.Marshal(one)
		return []commit.Draft{{Name: name, Body: func(uint64, time.Time) []byte { return body }}}, err
	}})
	return err
}
