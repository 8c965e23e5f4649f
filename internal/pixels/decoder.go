package pixels

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"golang.org/x/sync/semaphore"

	"concord/hub"
)

// Limits bounds what decoding takes. The zero value of each field means its default.
type Limits struct {
	// Frame is the greatest size of one decoded frame: 1 GiB.
	Frame int64
	// Memory is what all codecs together may use: 1 GiB. A frame that needs more is refused; one that needs more than is
	// left waits.
	Memory int64
	// Time is how long one frame may take: one minute.
	Time time.Duration
	// Running is how many codecs may run at once: one a processor. Others wait.
	Running int
}

func (l Limits) withDefaults() Limits {
	if l.Frame <= 0 {
		l.Frame = 1 << 30
	}
	if l.Memory <= 0 {
		l.Memory = 1 << 30
	}
	if l.Time <= 0 {
		l.Time = time.Minute
	}
	if l.Running <= 0 {
		l.Running = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
	}
	return l
}

// Decoder decodes frames. It may be used by goroutines at once, and costs nothing until the first frame that needs a codec.
type Decoder struct {
	limits  Limits
	memory  *semaphore.Weighted
	running *semaphore.Weighted

	mu       sync.Mutex // guards what follows; held while a codec is compiled
	cache    string
	kept     wazero.CompilationCache
	runtime  wazero.Runtime
	compiled map[string]wazero.CompiledModule
	idle     map[string][]*sandbox
	closed   bool
}

// NewDecoder makes a decoder. cache is a folder in which compiled codecs are kept between starts of the process; with an
// empty one each process compiles what it uses anew.
func NewDecoder(cache string, limits Limits) *Decoder {
	limits = limits.withDefaults()
	return &Decoder{limits: limits, cache: cache, memory: semaphore.NewWeighted(limits.Memory),
		running: semaphore.NewWeighted(int64(limits.Running)), compiled: map[string]wazero.CompiledModule{}, idle: map[string][]*sandbox{}}
}

// Close frees the sandboxes; frames on their way, and later ones, are errors.
func (d *Decoder) Close(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.runtime == nil {
		return nil
	}
	err := d.runtime.Close(ctx)
	if d.kept != nil {
		err = errors.Join(err, d.kept.Close(ctx))
	}
	d.runtime, d.idle = nil, nil
	return err
}

// Native is one frame decoded. Samples are in little endian, colour by pixel (Planar Configuration 0).
type Native struct {
	Photometric string // as the samples are now: JPEG's colour transforms are undone
	Rows        int
	Columns     int
	Samples     int
	Allocated   int // 1 (bits packed, the first in the lowest), 8, 16, 32 or 64
	Stored      int
	HighBit     int
	Signed      bool
	Data        []byte
}

// Frame decodes one frame of an image: the bytes of its part, fragments joined. The result may alias frame where that was
// native. Bytes that are not what the header says are an Invalid error, an encoding without decoder is Unsupported, and a
// frame beyond the limits TooLarge; a context that ends ends the decoding.
func (d *Decoder) Frame(ctx context.Context, img *Image, frame []byte) (*Native, error) {
	e, ok := encodings()[img.Syntax]
	if !ok {
		return nil, noDecoder(img.Syntax)
	}
	if err := img.fits(d.limits.Frame); err != nil {
		return nil, err
	}
	switch e.codec {
	case native:
		return img.native(frame)
	case rle:
		return img.runLengths(frame)
	}
	out, err := d.decode(ctx, e, img, frame)
	if err != nil {
		return nil, err
	}
	return img.fromCodec(out)
}

// decode runs a codec on a frame, within the limits.
func (d *Decoder) decode(ctx context.Context, e encoding, img *Image, frame []byte) (*decoded, error) {
	if img.Allocated == 1 {
		return nil, invalid("single bits cannot be compressed so")
	}
	samples := int64(img.Rows) * int64(img.Columns) * int64(img.Samples)
	need := e.base + e.perSample*samples + e.perByte*int64(len(frame))
	if need > d.limits.Memory {
		return nil, &hub.Error{Kind: hub.TooLarge, Path: "PixelData", Msg: fmt.Sprintf("decoding the frame takes %d MiB, which is over the limit of %d MiB",
			need>>20, d.limits.Memory>>20)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.limits.Time, &hub.Error{Kind: hub.TooCostly, Path: "PixelData", Msg: "decoding the frame takes too long"})
	defer cancel()
	for _, wait := range []struct {
		*semaphore.Weighted
		n int64
	}{{d.running, 1}, {d.memory, need}} {
		if err := wait.Acquire(ctx, wait.n); err != nil {
			return nil, fmt.Errorf("wait for a pixel codec: %w", context.Cause(ctx))
		}
		defer wait.Release(wait.n)
	}
	s, err := d.take(ctx, e.codec, uint64(need))
	if err != nil {
		return nil, err
	}
	out, err := s.run(ctx, img, frame)
	d.giveBack(e.codec, s, err == nil)
	return out, err
}

// idleMemory is the most that a sandbox without work may hold on to.
const idleMemory = 64 << 20

// take finds an idle sandbox or starts one.
func (d *Decoder) take(ctx context.Context, codec string, limit uint64) (*sandbox, error) {
	d.mu.Lock()
	if n := len(d.idle[codec]); n > 0 {
		s := d.idle[codec][n-1]
		d.idle[codec] = d.idle[codec][:n-1]
		d.mu.Unlock()
		s.memory.limit = max(limit, uint64(len(s.memory.bytes)))
		return s, nil
	}
	compiled, run, err := d.compile(codec)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return instantiate(ctx, run, compiled, limit)
}

// giveBack keeps a sandbox that did its work, or ends it.
func (d *Decoder) giveBack(codec string, s *sandbox, good bool) {
	d.mu.Lock()
	keep := good && !d.closed && len(s.memory.bytes) <= idleMemory && len(d.idle[codec]) < d.limits.Running
	if keep {
		d.idle[codec] = append(d.idle[codec], s)
	}
	d.mu.Unlock()
	if !keep {
		s.module.Close(context.Background())
	}
}

// compile makes machine code of a codec, once in a process, or takes it from the cache. The caller holds d.mu. It goes on when a
// request ends: the next one will want the result.
func (d *Decoder) compile(codec string) (wazero.CompiledModule, wazero.Runtime, error) {
	if d.closed {
		return nil, nil, &hub.Error{Kind: hub.Unavailable, Msg: "the pixel decoder is closed"}
	}
	ctx := context.Background()
	if d.runtime == nil {
		config := wazero.NewRuntimeConfig()
		if d.cache != "" {
			kept, err := wazero.NewCompilationCacheWithDir(d.cache)
			if err != nil {
				return nil, nil, fmt.Errorf("open the cache of pixel codecs: %w", err)
			}
			d.kept = kept
			config = config.WithCompilationCache(kept)
		}
		run := wazero.NewRuntimeWithConfig(ctx, config)
		if err := alive(ctx, run); err != nil {
			return nil, nil, fmt.Errorf("start the pixel codecs: %w", err)
		}
		d.runtime = run
	}
	if d.compiled[codec] == nil {
		code, err := fs.ReadFile(modules, "codec/"+codec+".wasm")
		if err != nil {
			return nil, nil, fmt.Errorf("find pixel codec %s: %w", codec, err)
		}
		d.compiled[codec], err = d.runtime.CompileModule(ctx, code)
		if err != nil {
			return nil, nil, fmt.Errorf("compile pixel codec %s: %w", codec, err)
		}
	}
	return d.compiled[codec], d.runtime, nil
}
