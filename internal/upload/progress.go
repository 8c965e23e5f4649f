package upload

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	barEvery  = 150 * time.Millisecond
	lineEvery = 5 * time.Second
)

// progress shows bytes, rate and time left: a bar on a terminal, now and then a line elsewhere.
type progress struct {
	total int64
	files int
	bytes atomic.Int64
	ended atomic.Int64 // files
	quit  chan struct{}
	idle  sync.WaitGroup
}

func newProgress(out io.Writer, files []File) *progress {
	p := &progress{files: len(files), quit: make(chan struct{})}
	for _, f := range files {
		p.total += f.Size
	}
	if len(files) == 0 {
		return p
	}
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		p.idle.Go(func() { p.bar(out) })
	} else {
		p.idle.Go(func() { p.lines(out) })
	}
	return p
}

// moved books file bytes that went out, or have to go again when n is negative.
func (p *progress) moved(n int64) { p.bytes.Add(n) }

// done books n files as answered.
func (p *progress) done(n int) { p.ended.Add(int64(n)) }

// back takes files out again that get another round.
func (p *progress) back(files []File) {
	for _, f := range files {
		p.bytes.Add(-f.Size)
	}
	p.ended.Add(-int64(len(files)))
}

// close ends the display.
func (p *progress) close() {
	close(p.quit)
	p.idle.Wait()
}

func (p *progress) bar(out io.Writer) {
	box := mpb.New(mpb.WithOutput(out), mpb.WithWidth(60), mpb.WithRefreshRate(barEvery))
	bar := box.AddBar(p.total,
		mpb.PrependDecorators(decor.CountersKiloByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), " % .1f"), decor.Name("  "),
			decor.AverageETA(decor.ET_STYLE_GO), decor.Any(func(decor.Statistics) string {
				return fmt.Sprintf("  %d of %d files", p.ended.Load(), p.files)
			})))
	p.every(barEvery, func() { bar.SetCurrent(min(p.bytes.Load(), p.total-1)) })
	if p.ended.Load() == int64(p.files) {
		bar.SetCurrent(p.total)
	}
	bar.Abort(false)
	box.Wait()
}

func (p *progress) lines(out io.Writer) {
	start := time.Now()
	p.every(lineEvery, func() {
		sent := p.bytes.Load()
		rate := float64(sent) / time.Since(start).Seconds()
		left := "?"
		if rate > 0 {
			left = time.Duration(float64(p.total-sent) / rate * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(out, "%d of %d files, %s of %s, %s/s, %s left\n", p.ended.Load(), p.files, size(sent), size(p.total), size(int64(rate)), left)
	})
}

func (p *progress) every(d time.Duration, show func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			show()
		case <-p.quit:
			return
		}
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
