package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"concord/internal/dicom"
	"concord/internal/sample"
	"concord/internal/upperlayer"
)

// aet is what the load calls itself on the DICOM network.
const aet = "BENCH"

const (
	studyRootFind  = "1.2.840.10008.5.1.4.1.2.2.1"
	ctStorage      = "1.2.840.10008.5.1.4.1.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
)

// errNoDCMTK says that nobody sends.
var errNoDCMTK = errors.New("storescu is not installed (Debian: dcmtk)")

// dimseWorks send with dcmtk's storescu, as scanners do, whose start is part of the time; and ask over associations that stay
// open. Eight storescu need most of a processor for themselves, so the same is also sent by the load's own associations,
// which cost little more than the copying.
func (b *bench) dimseWorks(ctx context.Context) ([]Work, error) {
	if b.hub.DICOM == "" {
		return nil, errors.New("the DICOM network is measured with a hub that is started for it: leave --to away")
	}
	if _, err := exec.LookPath("storescu"); err != nil {
		return nil, errNoDCMTK
	}
	one, err := b.sendWork("C-STORE of CT 128², one association", 6, 1, 200, 128, Goal{Of: "ratio", AtLeast: 15}, b.storescu)
	if err != nil {
		return nil, err
	}
	sink, err := b.startSink(ctx)
	if err != nil {
		return nil, err
	}
	eight, err := b.sendWork("C-STORE of CT 512², each client an association", 7, 8, 400, 512, Goal{}, b.storescu, sink)
	if err != nil {
		return nil, err
	}
	own, err := b.sendWork("the same, sent without storescu", 9, 8, 400, 512, Goal{}, b.associations, sink)
	if err != nil {
		return nil, err
	}
	many, err := b.sendWork("C-STORE of CT 512², each client an association", 8, 64, 320, 512, Goal{}, b.storescu)
	if err != nil {
		return nil, err
	}
	many.peers = nil
	many.note = func() string { return memory(b.hub.pid) }
	find, err := b.findWorks(ctx)
	return append([]Work{one, eight, own, many}, find...), err
}

// startSink runs dcmtk's storescp, which throws away what it is sent: a receiver that only answers. Where there is none, sink is nil.
func (b *bench) startSink(ctx context.Context) (sink *Site, err error) {
	if _, err := exec.LookPath("storescp"); err != nil {
		return nil, nil
	}
	network, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(network)
	p, err := start(filepath.Join(b.folder, "storescp.log"), "storescp", "--fork", "--ignore", port)
	if err != nil {
		return nil, err
	}
	b.running = append(b.running, p)
	for ctx.Err() == nil {
		if c, err := net.Dial("tcp", network); err == nil {
			return &Site{Name: "storescp --ignore", DICOM: network, title: "NOBODY"}, c.Close()
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("storescp ended before it was ready: %s", p.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, ctx.Err()
}

// sender has clients at once send their shares of files to a site, each over one association.
type sender func(ctx context.Context, s *Site, clients int, files []sample.File) (Sample, error)

// sendWork lets each client send its share of count files over one association. They are new in each round. A sink, if there is
// one, is sent them too.
func (b *bench) sendWork(title string, group uint64, clients, count, edge int, goal Goal, send sender, sinks ...*Site) (Work, error) {
	clients = b.clients(clients)
	if b.Quick {
		count /= 5
	}
	count = max(count/clients, 1) * clients
	study := min(count, sliceCount)
	var files []sample.File
	for f, err := range sample.Bench(b.seed(group), (b.rounds()+1)*count, sample.Options{Slices: study, Rows: edge, Columns: edge, Time: day(0)}) {
		if err != nil {
			return Work{}, err
		}
		files = append(files, f)
	}
	of := func(round int) []sample.File { return files[round*count:][:count] }
	on := func(s *Site) turn {
		return func(ctx context.Context, clients, round int) (Sample, error) {
			got, err := send(ctx, s, clients, of(round))
			if err == nil {
				want := min(study, len(of(round)))
				err = found(ctx, s, fmt.Sprintf("/dicom-web/studies/%s/instances?limit=%d", of(round)[0].StudyUID, 2*study), want)
			}
			return got, err
		}
	}
	w := Work{Title: title, Unit: "inst", Clients: clients, hub: on(b.hub)}
	if b.orthanc != nil {
		w.peers = append(w.peers, peer{name: b.orthanc.Name, goal: b.onDisk(goal), turn: on(b.orthanc)})
	}
	writers := Goal{Of: "ratio", AtLeast: 0.6}
	if clients == 1 {
		writers = Goal{}
	}
	w.peers = append(w.peers, peer{name: "fsync, rename", goal: b.onDisk(writers), turn: func(ctx context.Context, clients, round int) (Sample, error) {
		return writeFiles(ctx, b.folder, clients, b.writing(), of(round))
	}})
	for _, sink := range sinks {
		if sink == nil {
			continue
		}
		w.peers = append(w.peers, peer{name: sink.Name, turn: func(ctx context.Context, clients, round int) (Sample, error) {
			return send(ctx, sink, clients, of(round))
		}})
	}
	return w, nil
}

// associations sends as storescu does, one instance after the answer to the one before, from memory. What is measured of
// single requests are instances.
func (b *bench) associations(ctx context.Context, s *Site, clients int, files []sample.File) (Sample, error) {
	open := make([]*upperlayer.Association, clients)
	for i := range open {
		a, err := associate(ctx, s, ctStorage)
		if err != nil {
			return Sample{}, err
		}
		defer a.Abort()
		open[i] = a
	}
	return repeat(ctx, clients, bounds{count: len(files), time: time.Minute}, func(ctx context.Context, client, i int) (int, error) {
		return 1, storeOne(ctx, open[client], files[i])
	})
}

// storeOne sends one instance and wants it taken.
func storeOne(ctx context.Context, a *upperlayer.Association, f sample.File) error {
	set, _, err := dicom.DataSetOf(f.Reader())
	if err != nil {
		return err
	}
	call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.CStoreRQ, SOPClass: ctStorage, SOPInstance: f.InstanceUID}, set)
	if err != nil {
		return err
	}
	defer call.Close()
	m, err := call.Next(ctx)
	if err == nil && m.Command.Status != upperlayer.Success {
		err = fmt.Errorf("an instance is answered with %v", m.Command.Status)
	}
	return err
}

// storescu runs so many storescu at once. What is measured of single requests are associations. The files stay until the run
// ends, as those of writeFiles do.
func (b *bench) storescu(ctx context.Context, s *Site, clients int, files []sample.File) (Sample, error) {
	host, port, err := net.SplitHostPort(s.DICOM)
	if err != nil {
		return Sample{}, err
	}
	from, err := os.MkdirTemp(b.folder, "send-")
	if err != nil {
		return Sample{}, err
	}
	each := len(files) / clients
	for i, f := range files {
		folder := filepath.Join(from, strconv.Itoa(i/each))
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return Sample{}, err
		}
		// Durable before the clock runs: what the disk still had to write would be paid by whoever calls fsync first.
		if err := writeFile(filepath.Join(folder, f.InstanceUID), f); err != nil {
			return Sample{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return repeat(ctx, clients, bounds{count: clients, time: time.Minute}, func(ctx context.Context, _, i int) (int, error) {
		out, err := exec.CommandContext(ctx, "storescu", "-aet", aet, "-aec", s.title, host, port, "+sd", filepath.Join(from, strconv.Itoa(i))).CombinedOutput()
		if err == nil && len(bytes.TrimSpace(out)) > 0 {
			err = errors.New("it complains")
		}
		if err != nil {
			return 0, fmt.Errorf("storescu to %s: %w: %.300s", s.Name, err, bytes.TrimSpace(out))
		}
		return each, nil
	})
}

// memory is what a process holds at most since it began.
func memory(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kb), " kB"))
			return fmt.Sprintf("the hub held %d MB at most", n>>10)
		}
	}
	return ""
}

// findWorks ask for one study of the library that QIDO searches.
func (b *bench) findWorks(ctx context.Context) ([]Work, error) {
	count := 2000
	if b.Quick {
		count = 400
	}
	l, err := b.library(count)
	if err != nil {
		return nil, err
	}
	if err := b.onBoth(func(s *Site) error {
		_, err := store(ctx, s, 4, b.writing(), batches(l.files, 50))
		return err
	}); err != nil {
		return nil, fmt.Errorf("load %d studies: %w", count, err)
	}
	questions := make([][]byte, len(l.patients))
	for i, id := range l.patients {
		questions[i], err = dicom.AppendDataSet(nil, fmt.Appendf(nil, `{"00080020":{"vr":"DA"},"00080052":{"vr":"CS","Value":["STUDY"]},"00100010":{"vr":"PN"},"00100020":{"vr":"LO","Value":[%q]},"0020000D":{"vr":"UI"}}`, id), explicitLittle, nil)
		if err != nil {
			return nil, err
		}
	}
	on := func(s *Site) turn {
		return func(ctx context.Context, clients, round int) (Sample, error) {
			open := make([]*upperlayer.Association, clients)
			for i := range open {
				a, err := associate(ctx, s, studyRootFind)
				if err != nil {
					return Sample{}, err
				}
				defer a.Abort()
				open[i] = a
			}
			return repeat(ctx, clients, b.reading(round), func(ctx context.Context, client, i int) (int, error) {
				return 1, findOne(ctx, open[client], questions[i%len(questions)], l.patients[i%len(questions)])
			})
		}
	}
	var works []Work
	for _, clients := range []int{1, 8} {
		w := Work{Title: fmt.Sprintf("C-FIND by PatientID: 1 of %d studies", count), Unit: "req", Clients: b.clients(clients), hub: on(b.hub)}
		if b.orthanc != nil {
			w.peers = []peer{{name: b.orthanc.Name, turn: on(b.orthanc)}}
		}
		works = append(works, w)
	}
	return works, nil
}

func associate(ctx context.Context, s *Site, class string) (*upperlayer.Association, error) {
	var dialer upperlayer.Dialer
	a, err := dialer.Dial(ctx, s.DICOM, upperlayer.Proposal{Called: s.title, Calling: aet,
		Contexts: []upperlayer.ProposedContext{{ID: 1, Abstract: class, Transfer: []string{explicitLittle}}}})
	if err != nil {
		return nil, fmt.Errorf("associate with %s: %w", s.Name, err)
	}
	if _, ok := a.ContextFor(class, explicitLittle); !ok {
		a.Abort()
		return nil, fmt.Errorf("%s does not take %s in Explicit VR Little Endian", s.Name, class)
	}
	return a, nil
}

// findOne puts one question, and wants the one patient that it is about.
func findOne(ctx context.Context, a *upperlayer.Association, question []byte, patient string) error {
	call, err := a.Call(ctx, a.Contexts()[0], upperlayer.Command{Field: upperlayer.CFindRQ, SOPClass: studyRootFind}, bytes.NewReader(question))
	if err != nil {
		return err
	}
	defer call.Close()
	for found := 0; ; {
		m, err := call.Next(ctx)
		if err != nil {
			return err
		}
		if !m.Command.Status.Pending() {
			if m.Command.Status != upperlayer.Success || found != 1 {
				return fmt.Errorf("a query for one study finds %d and ends with %v", found, m.Command.Status)
			}
			return nil
		}
		match, err := io.ReadAll(m.Data)
		if err != nil {
			return err
		}
		if found++; !bytes.Contains(match, []byte(patient)) {
			return errors.New("a match is of another patient")
		}
	}
}
