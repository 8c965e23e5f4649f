package ecg

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"concord/hub"
	"concord/hub/access"
	"concord/hub/imaging"
	"concord/hub/messages"
	"concord/hub/projection"
	"concord/internal/ecg"
)

// Intake takes recordings in, whatever their format: DICOM instances by the way that all DICOM goes, everything else, and
// instances that the archive cannot take because their UIDs are none, as a message. Its fields are set before it is used.
type Intake struct {
	Messages *messages.Intake
	Archive  *imaging.Archive
	Stager   hub.Stager
	Records  *projection.Follower
	// Largest is how many bytes a file may have that is no DICOM instance.
	Largest int64
	Limits  ecg.Limits
	// Room bounds how many files are in memory at a time; make it with NewRoom.
	Room Room
}

// Room is places for recordings in memory.
type Room chan struct{}

// NewRoom has n places.
func NewRoom(n int) Room { return make(Room, n) }

// Enter waits for a place, or until ctx ends.
func (r Room) Enter(ctx context.Context) error {
	select {
	case r <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &hub.Error{Kind: hub.Unavailable, Msg: "the hub is reading other recordings", Err: ctx.Err()}
	}
}

// Leave gives the place back.
func (r Room) Leave() { <-r }

// Taken says what became of a file.
type Taken struct {
	// ID is the recording's.
	ID     string
	Format ecg.Format
	// Message is the id of the message that the bytes are kept as; empty for DICOM.
	Message string
	// Again: the member had sent the same bytes before.
	Again bool
	// Opaque: it is kept and named, not read. Refused: it could not be read or understood, is kept as a message, and is no
	// recording. Why says so in words.
	Opaque, Refused bool
	Why             string
	// Study is the DICOM study it lies in; its resources follow when it has been derived.
	Study string
	// Warning is about what was kept all the same.
	Warning string
}

// Take reads one file to its end and returns when it is durable. An error means that nothing was kept.
func (in *Intake) Take(ctx context.Context, who access.Caller, r io.Reader) (Taken, error) {
	src := bufio.NewReaderSize(sent{r}, ecg.Head)
	head, err := src.Peek(ecg.Head)
	if err != nil && err != io.EOF {
		return Taken{}, err
	}
	if len(head) == 0 {
		return Taken{}, &hub.Error{Kind: hub.Invalid, Msg: "the file is empty"}
	}
	format := ecg.Detect(head)
	if format == ecg.DICOM {
		if err := who.May(access.Create, access.ImagingStudy); err != nil {
			return Taken{}, err
		}
	}
	f, err := in.receive(ctx, src)
	if err != nil {
		return Taken{}, err
	}
	defer f.stage.Discard()
	var unfit string
	if format == ecg.DICOM {
		t, err := in.instance(ctx, who, io.MultiReader(f.stage.Reader(0), src))
		if !hub.Is(err, hub.Invalid) || f.size > in.Largest {
			return t, err
		}
		unfit = "kept as a file and not among the DICOM instances: " + err.Error()
	}
	if f.size > in.Largest {
		return Taken{}, &hub.Error{Kind: hub.TooLarge, Msg: fmt.Sprintf("a file of an electrocardiogram may have %d bytes", in.Largest),
			Hint: "long recordings are sent as DICOM; see ecg-file-mb"}
	}
	t, err := in.file(ctx, who, format, f)
	if err == nil && !t.Refused {
		t.Warning = unfit
	}
	return t, err
}

// spooled is a file's beginning, or all of it, on the store's disk.
type spooled struct {
	stage  hub.Stage
	size   int64
	sha256 string
}

// receive spools a file up to one byte more than it may have.
func (in *Intake) receive(ctx context.Context, r io.Reader) (*spooled, error) {
	stage, err := in.Stager.Stage(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(stage, sum), io.LimitReader(r, in.Largest+1))
	if err != nil {
		stage.Discard()
		return nil, fmt.Errorf("take the file: %w", err)
	}
	return &spooled{stage, n, hex.EncodeToString(sum.Sum(nil))}, nil
}

// sent is what the sender sends: where it breaks off, that is told as the sender's fault and not the store's.
type sent struct{ r io.Reader }

func (s sent) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	var known *hub.Error
	if err != nil && err != io.EOF && !errors.As(err, &known) {
		err = &hub.Error{Kind: hub.Invalid, Msg: "the file breaks off on its way", Err: err}
	}
	return n, err
}

// instance takes a Part 10 file of an electrocardiogram as STOW-RS does.
func (in *Intake) instance(ctx context.Context, who access.Caller, r io.Reader) (Taken, error) {
	d, err := in.Archive.Delivery(ctx)
	if err != nil {
		return Taken{}, err
	}
	defer d.Discard()
	got, err := d.Receive(r)
	if err != nil {
		return Taken{}, err
	}
	h := got.Header
	if !slices.Contains(Waveforms(), h.SOPClassUID) {
		return Taken{}, &hub.Error{Kind: hub.Unprocessable, Path: "SOPClassUID", Msg: "the instance is no electrocardiogram", Hint: "send it to /dicom-web/studies"}
	}
	t := Taken{ID: InstanceID(h.StudyInstanceUID, h.SOPInstanceUID), Format: ecg.DICOM, Study: h.StudyInstanceUID}
	kept, err := d.Keep(ctx, got)
	if err == nil {
		err = d.Publish(ctx)
	}
	if err != nil {
		return Taken{}, err
	}
	o := in.Archive.Commit(ctx, who.Member, []*imaging.Kept{kept})[0]
	t.Again, t.Warning = o.Result == imaging.Known, o.Warning.String()
	if o.Result == imaging.Duplicate {
		t.Warning = "this UID is here with other bytes; both are kept, the first is shown"
	}
	return t, o.Err
}

// file keeps a file as a message. The bytes lie on disk until there is room to read them.
func (in *Intake) file(ctx context.Context, who access.Caller, format ecg.Format, f *spooled) (Taken, error) {
	before, err := in.before(ctx, messages.ID(who.Member, MessageFormat(format), "", f.sha256))
	if err != nil {
		return Taken{}, err
	}
	if before != nil {
		if t := taken(before, format, true); !t.Refused && !t.Opaque {
			return t, nil
		}
	}
	if err := in.Room.Enter(ctx); err != nil {
		return Taken{}, err
	}
	defer in.Room.Leave()
	data := make([]byte, f.size)
	if _, err := io.ReadFull(f.stage.Reader(0), data); err != nil {
		return Taken{}, fmt.Errorf("take the file: %w", err)
	}
	f.stage.Discard()
	read, refused := Open(data, in.Limits)
	if before != nil { // it could not be read before: perhaps this version of the hub can
		if read.Recording == nil {
			return taken(before, format, true), nil
		}
		m, err := in.Messages.Replay(ctx, access.NewCaller(who.Member, access.AllResources, who.TokenID), before.ID, "the same file again")
		return taken(&m, format, true), err
	}
	o, err := in.Messages.Take(ctx, who, Incoming(data, read, refused))
	if err != nil {
		return Taken{}, err
	}
	return taken(&o.Message, format, o.Again), nil
}

// before is the message that a file is kept as already; nil for none.
func (in *Intake) before(ctx context.Context, id string) (*messages.Message, error) {
	heads, err := in.Records.Heads(ctx, []hub.Name{{Type: messages.Type, ID: id}})
	if err != nil || heads[0].Version == 0 || heads[0].Deleted {
		return nil, err
	}
	rec, err := in.Records.Log().Record(ctx, heads[0].Loc)
	if err != nil {
		return nil, err
	}
	m, err := messages.Read(&rec)
	return &m, err
}

func taken(m *messages.Message, format ecg.Format, again bool) Taken {
	t := Taken{ID: m.ID, Format: format, Message: m.ID, Again: again}
	switch m.Status {
	case messages.Refused, messages.Dead:
		t.Refused = true
	case messages.Mapped, messages.Late:
		t.Opaque = !slices.Contains(m.Made, "Observation/"+m.ID)
	}
	for _, f := range m.Faults {
		if t.Why == "" && (f.Fatal || t.Refused || t.Opaque) {
			t.Why = f.Msg
			if f.Place != "" {
				t.Why = f.Place + ": " + t.Why
			}
		}
	}
	return t
}
