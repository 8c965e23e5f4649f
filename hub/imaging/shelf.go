package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"concord/hub"
)

// Shelf keeps what is made of studies and can be made again: metadata as it is sent, thumbnails. Everything on it may be
// lost at any time, so each thing carries a digest of its own and the state of what it was made of; one that is cut short,
// damaged or out of date is as good as not there.
//
//	derived/dicom/<two digits of a hash>/<Study Instance UID>/<name>
type Shelf struct {
	Objects hub.Objects
	Derived hub.Derived
}

const shelfFormat = "concord-derived 1"

// largestShelved bounds what is read back.
const largestShelved = 64 << 20

// Get returns what was put there in the same state; ok is false where there is none. The bytes may be changed.
func (s *Shelf) Get(ctx context.Context, study, name, state string) (body []byte, ok bool) {
	r, err := s.Objects.Open(ctx, shelfKey(study, name), 0, largestShelved)
	if err != nil {
		return nil, false
	}
	defer r.Close()
	var all []byte
	if sized, known := r.(interface{ Size() int64 }); known {
		all = make([]byte, sized.Size())
		_, err = io.ReadFull(r, all)
	} else {
		all, err = io.ReadAll(r)
	}
	head, body, found := bytes.Cut(all, []byte{'\n'})
	if err != nil || !found || string(head) != shelfHead(state, body) {
		return nil, false
	}
	return body, true
}

// Put keeps body in place of what was there under the name.
func (s *Shelf) Put(ctx context.Context, study, name, state string, body []byte) error {
	head := shelfHead(state, body) + "\n"
	size := int64(len(head) + len(body))
	if size > largestShelved {
		return nil
	}
	return s.Derived.Put(ctx, shelfKey(study, name), size, io.MultiReader(strings.NewReader(head), bytes.NewReader(body)))
}

// Clear takes away all that was made of a study.
func (s *Shelf) Clear(ctx context.Context, study string) error {
	for key, err := range s.Objects.List(ctx, shelfKey(study, ""), "") {
		if err == nil {
			err = s.Derived.Delete(ctx, key)
		}
		if err != nil {
			return fmt.Errorf("clear what was made of a study: %w", err)
		}
	}
	return nil
}

func shelfHead(state string, body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf("%s %s %x", shelfFormat, state, sum[:])
}

// shelfKey is made of what dicom.CheckUID has passed, and of names that the hub gives.
func shelfKey(study, name string) string {
	sum := sha256.Sum256([]byte(study))
	return "derived/dicom/" + hex.EncodeToString(sum[:1]) + "/" + study + "/" + name
}
