// Package settings is what the bucket says about itself: the consortium's identity, how its logs are divided, and the
// key its tokens are signed with. Flags may repeat these values but never change them, since records already lie
// where the first start put them.
//
//	config/consortium.json   {"format":1,"id":…,"created":…,"dicomPartitions":16,"recordSlots":64}
//	config/token.key         32 random bytes, base64
//
// Both are created once, by the first process that starts on an empty bucket.
package settings

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"concord/hub"
)

// The partitions that every consortium has once.
const (
	Records hub.Partition = "records"
	Access  hub.Partition = "access"
	Audit   hub.Partition = "audit"
)

// What a new bucket is given when nothing else is wanted.
const (
	DefaultDicomPartitions = 4 // each is asked by a search of studies (ADR 19)
	DefaultRecordSlots     = 64
)

const (
	format        = 1
	consortiumKey = "config/consortium.json"
	tokenKeyKey   = "config/token.key"
	keyBytes      = 32
	maxPartitions = 100 // two digits in the partition's name
	maxSlots      = 16384
	maxConfig     = 64 << 10
)

// Settings belong to the bucket for ever.
type Settings struct {
	// ID names the consortium; it is issuer and audience of its tokens.
	ID              string
	Created         time.Time
	DicomPartitions int
	RecordSlots     int
	TokenKey        Key
}

// Key is the secret that tokens are signed with. It prints as a placeholder.
type Key []byte

// String keeps the key out of logs.
func (Key) String() string { return "(secret)" }

// GoString keeps the key out of logs.
func (Key) GoString() string { return "(secret)" }

// MarshalText keeps the key out of logs.
func (Key) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// Wanted is what the flags ask for; zero values ask for nothing.
type Wanted struct {
	DicomPartitions int
	RecordSlots     int
}

type consortium struct {
	Format          int       `json:"format"`
	ID              string    `json:"id"`
	Created         time.Time `json:"created"`
	DicomPartitions int       `json:"dicomPartitions"`
	RecordSlots     int       `json:"recordSlots"`
}

// Load reads the bucket's settings and creates them in an empty bucket. Of several processes that start at once one
// creates and all read the same. A bucket that says other than wanted is a Conflict; one that has a log but no
// settings is Corrupt: nothing is guessed about data that is already there.
func Load(ctx context.Context, objects hub.Objects, want Wanted) (Settings, error) {
	c, err := loadConsortium(ctx, objects, want)
	if err != nil {
		return Settings{}, err
	}
	key, err := loadTokenKey(ctx, objects)
	if err != nil {
		return Settings{}, err
	}
	return Settings{ID: c.ID, Created: c.Created, DicomPartitions: c.DicomPartitions, RecordSlots: c.RecordSlots, TokenKey: key}, nil
}

// Partitions lists the partitions that hold what members share: records first, then DICOM. Access and Audit, which
// have no index, are not among them.
func (s Settings) Partitions() []hub.Partition {
	ps := make([]hub.Partition, 0, 1+s.DicomPartitions)
	ps = append(ps, Records)
	for i := range s.DicomPartitions {
		ps = append(ps, dicomPartition(i))
	}
	return ps
}

// DicomPartition is where a study lies: chosen by FNV-1a of its Study Instance UID.
func (s Settings) DicomPartition(studyUID string) hub.Partition {
	h := uint32(2166136261) // FNV-1a
	for i := range len(studyUID) {
		h = (h ^ uint32(studyUID[i])) * 16777619
	}
	return dicomPartition(int(h % uint32(s.DicomPartitions)))
}

// dicomPartitions has their names ready: each study that is looked at asks for one, some several times.
var dicomPartitions = func() (names [maxPartitions]hub.Partition) {
	for i := range names {
		names[i] = hub.Partition(fmt.Sprintf("dicom-%02d", i))
	}
	return names
}()

func dicomPartition(i int) hub.Partition { return dicomPartitions[i] }

func loadConsortium(ctx context.Context, objects hub.Objects, want Wanted) (consortium, error) {
	data, err := readSmall(ctx, objects, consortiumKey)
	if hub.Is(err, hub.NotFound) {
		data, err = createConsortium(ctx, objects, want)
	}
	if err != nil {
		return consortium{}, err
	}
	var c consortium
	if err := json.Unmarshal(data, &c); err != nil {
		return consortium{}, &hub.Error{Kind: hub.Corrupt, Path: consortiumKey, Msg: "the consortium's settings are unreadable", Err: err}
	}
	return c, c.check(want)
}

func (c consortium) check(want Wanted) error {
	switch {
	case c.Format != format:
		return &hub.Error{Kind: hub.Unsupported, Path: consortiumKey, Msg: fmt.Sprintf("the bucket has format %d, this hub knows format %d", c.Format, format),
			Hint: "start the version of the hub that wrote it, or a newer one"}
	case c.ID == "" || c.DicomPartitions < 1 || c.DicomPartitions > maxPartitions || c.RecordSlots < 1 || c.RecordSlots > maxSlots:
		return &hub.Error{Kind: hub.Corrupt, Path: consortiumKey, Msg: "the consortium's settings are incomplete or out of range"}
	}
	if err := differs("dicomPartitions", c.DicomPartitions, want.DicomPartitions); err != nil {
		return err
	}
	return differs("recordSlots", c.RecordSlots, want.RecordSlots)
}

func differs(name string, is, wanted int) error {
	if wanted == 0 || wanted == is {
		return nil
	}
	return &hub.Error{Kind: hub.Conflict, Path: consortiumKey, Msg: fmt.Sprintf("%s is %d in this bucket, %d is asked for", name, is, wanted),
		Hint: "the value was fixed when the bucket was first used: leave the option out"}
}

func createConsortium(ctx context.Context, objects hub.Objects, want Wanted) ([]byte, error) {
	used, err := hasLog(ctx, objects)
	if err != nil {
		return nil, err
	}
	if used { // another process may have created both just now; only a log without settings is a fault
		data, err := readSmall(ctx, objects, consortiumKey)
		if hub.Is(err, hub.NotFound) {
			return nil, &hub.Error{Kind: hub.Corrupt, Path: consortiumKey, Msg: "the bucket holds a log but not the consortium's settings",
				Hint: "restore " + consortiumKey + " from a copy of the bucket"}
		}
		return data, err
	}
	c := consortium{Format: format, ID: strings.ToLower(rand.Text()), Created: time.Now().UTC().Truncate(time.Second),
		DicomPartitions: want.DicomPartitions, RecordSlots: want.RecordSlots}
	if c.DicomPartitions == 0 {
		c.DicomPartitions = DefaultDicomPartitions
	}
	if c.RecordSlots == 0 {
		c.RecordSlots = DefaultRecordSlots
	}
	if c.DicomPartitions < 0 || c.DicomPartitions > maxPartitions || c.RecordSlots < 0 || c.RecordSlots > maxSlots {
		return nil, &hub.Error{Kind: hub.Invalid, Path: consortiumKey,
			Msg: fmt.Sprintf("a bucket may have 1 to %d DICOM partitions and 1 to %d record slots", maxPartitions, maxSlots)}
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", consortiumKey, err)
	}
	return putOrRead(ctx, objects, consortiumKey, data)
}

func hasLog(ctx context.Context, objects hub.Objects) (bool, error) {
	for _, err := range objects.List(ctx, "log/", "") {
		if err != nil {
			return false, fmt.Errorf("look for a log in the bucket: %w", err)
		}
		return true, nil
	}
	return false, nil
}

func loadTokenKey(ctx context.Context, objects hub.Objects) (Key, error) {
	data, err := readSmall(ctx, objects, tokenKeyKey)
	if hub.Is(err, hub.NotFound) {
		fresh := make([]byte, keyBytes)
		rand.Read(fresh) // never fails (crypto/rand)
		data, err = putOrRead(ctx, objects, tokenKeyKey, []byte(base64.StdEncoding.EncodeToString(fresh)))
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(key) != keyBytes { // the cause is left out: it could quote the key
		return nil, &hub.Error{Kind: hub.Corrupt, Path: tokenKeyKey, Msg: fmt.Sprintf("the token key is not %d bytes of base64", keyBytes)}
	}
	return key, nil
}

// putOrRead creates key and returns what it holds then: data, or what a faster racer wrote. A PUT whose outcome is
// unknown is settled by reading.
func putOrRead(ctx context.Context, objects hub.Objects, key string, data []byte) ([]byte, error) {
	err := objects.PutNew(ctx, key, int64(len(data)), bytes.NewReader(data))
	if err == nil {
		return data, nil
	}
	there, rerr := readSmall(ctx, objects, key)
	if rerr == nil {
		return there, nil
	}
	if hub.Is(err, hub.Exists) {
		err = rerr
	}
	return nil, fmt.Errorf("create %s: %w", key, err)
}

func readSmall(ctx context.Context, objects hub.Objects, key string) ([]byte, error) {
	r, err := objects.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return data, nil
}
