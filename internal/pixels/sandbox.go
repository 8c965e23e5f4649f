package pixels

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"concord/hub"
)

// The codecs: see scripts/pixel-codecs.sh.
//
//go:embed codec/*.wasm
var modules embed.FS

// sandbox is one instance of a codec. It serves one frame at a time. It can compute, ask whether to go on, and nothing else.
type sandbox struct {
	module             api.Module
	memory             *memory
	room, decode, done api.Function
	report             uint32 // where its report lies
}

// memory is a sandbox's linear memory: it grows as far as the limit of the frame at hand.
type memory struct {
	bytes []byte
	limit uint64
}

// Reallocate refuses with nil, which the codec sees as memory that is not there.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		return nil
	}
	if size > uint64(cap(m.bytes)) {
		grown := make([]byte, size, min(size+size/2, max(m.limit, size)))
		copy(grown, m.bytes)
		m.bytes = grown
	}
	m.bytes = m.bytes[:size]
	return m.bytes
}

func (m *memory) Free() { m.bytes = nil }

// alive makes the host's side of codec/room.c: every few ten thousand branches a codec asks whether to go on. Besides ending
// what takes too long, this is where the Go runtime can stop the goroutine: compiled WebAssembly is never preempted, and a
// garbage collection would have to wait for a whole frame, and everybody for it.
func alive(ctx context.Context, runtime wazero.Runtime) error {
	_, err := runtime.NewHostModuleBuilder("hub").NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			stack[0] = 1
			if ctx.Err() != nil {
				stack[0] = 0
			}
		}), nil, []api.ValueType{api.ValueTypeI32}).Export("alive").Instantiate(ctx)
	return err
}

// instantiate starts a codec whose memory is limited from its first byte.
func instantiate(ctx context.Context, runtime wazero.Runtime, compiled wazero.CompiledModule, limit uint64) (*sandbox, error) {
	s := &sandbox{memory: &memory{limit: limit}}
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(
		func(_, _ uint64) experimental.LinearMemory { return s.memory }))
	module, err := runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return nil, fmt.Errorf("start a pixel codec: %w", err)
	}
	s.module = module
	s.room, s.decode, s.done = module.ExportedFunction("room"), module.ExportedFunction("decode"), module.ExportedFunction("done")
	at, err := module.ExportedFunction("report").Call(ctx)
	if err != nil {
		return nil, fmt.Errorf("start a pixel codec: %w", err)
	}
	s.report = uint32(at[0])
	return s, nil
}

// decoded is what a codec made of a frame; its fields are those of struct report in codec.h.
type decoded struct {
	columns  int
	rows     int
	bits     int
	negative bool
	bytes    int
	planar   bool
	rgb      bool
	samples  []byte // in host order, which is little endian
}

// fields are the numbers of a report, before its message.
const fields = 7

// colourRGB is COLOUR_RGB of codec.h.
const colourRGB = 1

// run decodes one frame to a copy outside of the sandbox. After any error the sandbox is of no use.
func (s *sandbox) run(ctx context.Context, img *Image, frame []byte) (*decoded, error) {
	at, err := s.room.Call(ctx, uint64(len(frame)))
	if err != nil || at[0] == 0 || !s.module.Memory().Write(uint32(at[0]), frame) {
		return nil, s.failure(ctx, err)
	}
	var colour uint64
	if img.Photometric == "RGB" {
		colour = colourRGB
	}
	at, err = s.decode.Call(ctx, uint64(len(frame)), uint64(img.Columns), uint64(img.Rows), uint64(img.Samples), colour)
	if err != nil || at[0] == 0 {
		return nil, s.failure(ctx, err)
	}
	var field [fields]uint32
	for i := range field {
		field[i], _ = s.module.Memory().ReadUint32Le(s.report + uint32(4*i))
	}
	d := &decoded{columns: int(field[0]), rows: int(field[1]), bits: int(field[2]), negative: field[3] != 0, bytes: int(field[4]),
		planar: field[5] != 0, rgb: field[6] != 0}
	size := int64(d.rows) * int64(d.columns) * int64(img.Samples) * int64(d.bytes)
	if d.rows < 1 || d.rows > img.Rows || d.columns < 1 || d.columns > img.Columns || d.bytes != 1 && d.bytes != 2 && d.bytes != 4 || d.bits < 1 || d.bits > 8*d.bytes || size > int64(s.module.Memory().Size()) {
		return nil, invalid("the codec gave a result that cannot be")
	}
	view, ok := s.module.Memory().Read(uint32(at[0]), uint32(size))
	if !ok {
		return nil, invalid("the codec gave a result that cannot be")
	}
	d.samples = append(make([]byte, 0, size), view...)
	if _, err := s.done.Call(ctx); err != nil {
		return nil, s.failure(ctx, err)
	}
	return d, nil
}

// failure tells why a codec stopped: the time is over, its own message, or a trap, as when memory ran out.
func (s *sandbox) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("decode pixel data: %w", context.Cause(ctx))
	}
	const length = 180
	text, ok := s.module.Memory().Read(s.report+4*fields, length)
	if said, _, _ := strings.Cut(string(text), "\x00"); ok && said != "" {
		return invalid("the frame cannot be decoded: " + plain(said))
	}
	if err != nil {
		return invalid("the frame cannot be decoded: the codec broke off")
	}
	return invalid("the frame cannot be decoded: the codec had too little memory for what it asks")
}

// plain makes one printable line of a codec's message.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	return strings.TrimRight(strings.TrimSpace(s), ".")
}

func invalid(msg string) *hub.Error {
	return &hub.Error{Kind: hub.Invalid, Path: "PixelData", Msg: msg}
}
