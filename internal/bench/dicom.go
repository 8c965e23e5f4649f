package bench

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/internal/sample"
)

const dicomJSON = "application/dicom+json"

// zone is that of the made-up examinations.
var zone = time.FixedZone("", 8*3600)

// day is when the examinations of day n begin.
func day(n int) time.Time { return time.Date(2025, 1, 1, 8, 30, 0, 0, zone).AddDate(0, 0, n) }

// batch is the body of one STOW request.
type batch struct {
	files  []sample.File
	pieces [][]byte
}

// failureReason stands in the answer for each instance that was refused (PS3.18 I.2.2). Orthanc sends the sequence around it
// even when it is empty.
const failureReason = `"00081197"`

const boundary = "concord-bench-7MA4YWxkTrZu0gW"

// batches puts so many files into each request.
func batches(files []sample.File, each int) []batch {
	var all []batch
	for len(files) > 0 {
		n := min(each, len(files))
		b := batch{files: files[:n:n]}
		for i, f := range b.files {
			lead := "\r\n"
			if i == 0 {
				lead = ""
			}
			b.pieces = append(b.pieces, []byte(lead+"--"+boundary+"\r\nContent-Type: application/dicom\r\n\r\n"), f.Head, f.Pixels)
		}
		b.pieces = append(b.pieces, []byte("\r\n--"+boundary+"--\r\n"))
		all, files = append(all, b), files[n:]
	}
	return all
}

// stow is the request that stores a batch.
func (s *Site) stow(b *batch) call {
	q := s.request("POST", "/dicom-web/studies", []string{"Accept", dicomJSON,
		"Content-Type", `multipart/related; type="application/dicom"; boundary=` + boundary}, b.pieces...)
	return call{q, len(b.files), func(a answer) error {
		if n := bytes.Count(a.Body, []byte(`"00081155"`)); a.Status != 200 || n != len(b.files) || bytes.Contains(a.Body, []byte(failureReason)) {
			return fmt.Errorf("of %d instances %d were stored: %d %s", len(b.files), n, a.Status, shown(a.Body))
		}
		return nil
	}}
}

// store puts batches on a site, as a turn or to have something to ask for.
func store(ctx context.Context, site *Site, clients int, b bounds, all []batch) (Sample, error) {
	b.count = len(all)
	return load(ctx, site, clients, b, func(i int) call { return site.stow(&all[i]) })
}

// found asks how many results there are, as a check outside of the time measured.
func found(ctx context.Context, site *Site, path string, want int) error {
	c := &conn{site: site, until: time.Now().Add(stuck)}
	defer c.close()
	a, err := c.do(ctx, site.get(path, dicomJSON))
	if err != nil {
		return err
	}
	if err := holds(a, `"0020000D"`, want); err != nil {
		return fmt.Errorf("%s: %w", site.Name, err)
	}
	return nil
}

// holds checks that an answer is 200 and has mark so many times.
func holds(a answer, mark string, want int) error {
	if n := bytes.Count(a.Body, []byte(mark)); a.Status != 200 || n != want {
		return fmt.Errorf("%s occurs %d times, expected %d: %d %s", mark, n, want, a.Status, shown(a.Body))
	}
	return nil
}

// ask makes works of requests that are the same for hub and Orthanc.
func (b *bench) ask(title string, clients int, goal Goal, each func(s *Site, i int) call) Work {
	on := func(s *Site) turn {
		return func(ctx context.Context, clients, round int) (Sample, error) {
			return load(ctx, s, clients, b.reading(round), func(i int) call { return each(s, i) })
		}
	}
	w := Work{Title: title, Unit: "req", Clients: b.clients(clients), hub: on(b.hub)}
	if b.orthanc != nil {
		w.peers = []peer{{name: b.orthanc.Name, goal: goal, turn: on(b.orthanc)}}
	}
	return w
}

// series makes n CT instances of 512×512, so many a study.
func series(seed uint64, n, study int) ([]sample.File, error) {
	var files []sample.File
	for f, err := range sample.Bench(seed, n, sample.Options{Slices: study, Time: day(0)}) {
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// onDisk is a goal that holds only where the hub writes to the same disk as its peer.
func (b *bench) onDisk(g Goal) Goal {
	if b.S3 != "" || b.To != "" {
		return Goal{}
	}
	return g
}

const sliceCount = 40 // of a study that STOW sends

// stowWorks sends CT slices that are new in each round.
func (b *bench) stowWorks(ctx context.Context) ([]Work, error) {
	count := 400
	if b.Quick {
		count = 80
	}
	files, err := series(b.seed(1), (b.rounds()+1)*count, sliceCount)
	if err != nil {
		return nil, err
	}
	of := func(round int) []sample.File { return files[round*count:][:count] }
	on := func(s *Site) turn {
		return func(ctx context.Context, clients, round int) (Sample, error) {
			got, err := store(ctx, s, clients, b.writing(), batches(of(round), 10))
			if err == nil && got.Units == count {
				err = found(ctx, s, "/dicom-web/studies/"+of(round)[0].StudyUID+"/instances?limit=100", sliceCount)
			}
			return got, err
		}
	}
	w := Work{Title: "STOW of CT 512², 10 a request", Unit: "inst", Clients: b.clients(4), hub: on(b.hub)}
	if b.orthanc != nil {
		w.peers = append(w.peers, peer{name: b.orthanc.Name, goal: b.onDisk(Goal{Of: "ratio", AtLeast: 3}), turn: on(b.orthanc)})
	}
	if b.bucket != nil {
		w.peers = append(w.peers, peer{name: "bare PUT", clients: 8, goal: Goal{Of: "ratio", AtLeast: 0.7}, turn: func(ctx context.Context, clients, round int) (Sample, error) {
			return b.bucket.put(ctx, clients, b.writing(), round, of(round))
		}})
	} else {
		w.peers = append(w.peers, peer{name: "fsync, rename", clients: 8, turn: func(ctx context.Context, clients, round int) (Sample, error) {
			return writeFiles(ctx, b.folder, clients, b.writing(), of(round))
		}})
	}
	return []Work{w}, nil
}

// library is the load that QIDO searches: small studies of one image each.
type library struct {
	files    []sample.File
	patients []string       // with one study each
	regulars []string       // with ten
	names    map[string]int // family names and how many studies have them
	days     []int          // studies of each day
	first    int            // the first of the days
}

const (
	studyDays  = 365
	perRegular = 10
)

// library makes n studies: half of them of patients who came once. All come from one series whose header is changed in
// places of equal length, which is faster than making each of them. What else the servers hold cannot be found by the same
// queries: names and numbers have a mark of this run, and the days lie in a year of its own.
func (b *bench) library(n int) (*library, error) {
	mark := strings.ToUpper(strconv.FormatInt(b.start, 36))
	number := func(i int) string { return fmt.Sprintf("%s-%06d", mark, i) }
	l := &library{names: map[string]int{}, days: make([]int, studyDays), first: -365 * int(2+b.start%30)}
	person := sample.NewPerson(b.seed(2))
	person.Number, person.FamilyPinyin = number(999_999), mark+"Family"
	families := []string{"Ouyang", "Xiahou", "Linghu", "Zhuang", "Gongye", "Murong", "Taishu", "Dongye"}
	at := func(day0 int) []byte { return []byte(day(day0).Format("20060102")) }
	for f, err := range sample.Bench(b.seed(2), n, sample.Options{Slices: 1, Rows: 32, Columns: 32, Person: &person, Time: day(0)}) {
		if err != nil {
			return nil, err
		}
		i := len(l.files)
		var id string
		switch {
		case i < n/2:
			id = number(i)
			l.patients = append(l.patients, id)
		default:
			id = number(n + i/perRegular)
			if i%perRegular == perRegular-1 {
				l.regulars = append(l.regulars, id)
			}
		}
		family := "Common"
		if i%8 == 0 {
			family = families[i/8%len(families)]
			l.names[mark+family]++
		}
		date := i * 7 % studyDays
		l.days[date]++
		f.Head = bytes.ReplaceAll(f.Head, []byte(person.Number), []byte(id))
		f.Head = bytes.ReplaceAll(f.Head, []byte(person.FamilyPinyin), []byte(mark+family))
		f.Head = bytes.ReplaceAll(f.Head, at(0), at(l.first+date))
		l.files = append(l.files, f)
	}
	return l, nil
}

// qidoWorks searches 2,000 studies.
func (b *bench) qidoWorks(ctx context.Context) ([]Work, error) {
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
	search := func(title string, clients, queries int, query func(i int) (string, int)) Work {
		calls := map[*Site][]call{}
		for _, s := range b.sites() {
			for i := range queries {
				q, want := query(i)
				calls[s] = append(calls[s], call{s.get("/dicom-web/studies?"+q, dicomJSON), 1, func(a answer) error { return holds(a, `"0020000D"`, want) }})
			}
		}
		return b.ask(title, clients, Goal{Of: "p50", AtLeast: 4}, func(s *Site, i int) call { return calls[s][i%queries] })
	}
	const page = 100
	families := slices.Sorted(maps.Keys(l.names))
	one := func(i int) (string, int) { return "PatientID=" + l.patients[i], 1 }
	return []Work{
		search(fmt.Sprintf("QIDO by PatientID: 1 of %d studies", count), 1, len(l.patients), one),
		search(fmt.Sprintf("QIDO by PatientID: 1 of %d studies", count), 8, len(l.patients), one),
		search(fmt.Sprintf("QIDO by PatientID: %d of %d", perRegular, count), 8, len(l.regulars), func(i int) (string, int) { return "PatientID=" + l.regulars[i], perRegular }),
		search(fmt.Sprintf("QIDO limit=%d of %d", page, count), 8, 1, func(int) (string, int) { return fmt.Sprintf("limit=%d&offset=0", page), page }),
		// Orthanc does not take %2A for an asterisk.
		search(fmt.Sprintf("QIDO by name*: %d of %d", l.names[families[0]], count), 8, len(families), func(i int) (string, int) {
			return fmt.Sprintf("PatientName=%s*&limit=%d", families[i], page), l.names[families[i]]
		}),
		search(fmt.Sprintf("QIDO by a week: %d of %d", count*7/studyDays, count), 8, studyDays-7, func(i int) (string, int) {
			n := 0
			for d := range 7 {
				n += l.days[i+d]
			}
			return "StudyDate=" + day(l.first+i).Format("20060102") + "-" + day(l.first+i+6).Format("20060102"), n
		}),
	}, nil
}

// study is a CT study of 200 slices, stored once.
func (b *bench) study(ctx context.Context) ([]sample.File, error) {
	if b.slices != nil {
		return b.slices, nil
	}
	count := 200
	if b.Quick {
		count = 40
	}
	files, err := series(b.seed(3), count, count)
	if err != nil {
		return nil, err
	}
	if err := b.onBoth(func(s *Site) error {
		_, err := store(ctx, s, 4, b.writing(), batches(files, 10))
		return err
	}); err != nil {
		return nil, fmt.Errorf("load a study: %w", err)
	}
	b.slices = files
	return files, nil
}

func (b *bench) metadataWorks(ctx context.Context) ([]Work, error) {
	files, err := b.study(ctx)
	if err != nil {
		return nil, err
	}
	requests := map[*Site]*request{}
	for _, s := range b.sites() {
		requests[s] = s.get("/dicom-web/studies/"+files[0].StudyUID+"/metadata", dicomJSON)
	}
	each := func(s *Site, _ int) call {
		return call{requests[s], 1, func(a answer) error { return holds(a, `"00080018"`, len(files)) }}
	}
	title := fmt.Sprintf("metadata of %d instances", len(files))
	return []Work{b.ask(title, 1, Goal{Of: "ratio", AtLeast: 10}, each), b.ask(title, 8, Goal{Of: "ratio", AtLeast: 10}, each)}, nil
}

func (b *bench) frameWorks(ctx context.Context) ([]Work, error) {
	files, err := b.study(ctx)
	if err != nil {
		return nil, err
	}
	requests := map[*Site][]*request{}
	for _, s := range b.sites() {
		for _, f := range files {
			path := fmt.Sprintf("/dicom-web/studies/%s/series/%s/instances/%s/frames/1", f.StudyUID, f.SeriesUID, f.InstanceUID)
			requests[s] = append(requests[s], s.get(path, `multipart/related; type="application/octet-stream"; transfer-syntax=*`))
		}
	}
	each := func(s *Site, i int) call {
		f := files[i%len(files)]
		return call{requests[s][i%len(files)], 1, func(a answer) error {
			if a.Status != 200 || len(a.Body) < len(f.Pixels) || i < len(files) && !bytes.Contains(a.Body, f.Pixels) {
				return fmt.Errorf("the answer is not the frame: %d, %d bytes", a.Status, len(a.Body))
			}
			return nil
		}}
	}
	return []Work{b.ask("one frame of CT 512²", 4, Goal{Of: "ratio", AtLeast: 3}, each), b.ask("one frame of CT 512²", 8, Goal{Of: "ratio", AtLeast: 3}, each)}, nil
}
