package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/internal/dicom"
	"concord/internal/sample"
)

// archived is the load that QIDO searches in a hub of some years: so many studies of one instance each, whose headers are all
// there is of them. Patients came two or three times, on days of three years.
type archived struct {
	mark     string // of this run, in numbers and names
	patients int
	studies  int
	people   []string       // their names, as PN
	days     []int          // studies of each day
	prefixes map[string]int // beginnings of names that a page of studies has
}

const (
	archiveDays = 3 * 365
	archivePage = 25
	explicitVR  = "1.2.840.10008.1.2.1"
)

func (b *bench) archive(studies int) *archived {
	a := &archived{mark: strings.ToUpper(strconv.FormatInt(b.start, 36)), patients: max(1, studies*2/5), studies: studies,
		days: make([]int, archiveDays), prefixes: map[string]int{}}
	for i := range a.patients {
		p := sample.NewPerson(b.seed(11) + uint64(i))
		name, rest, _ := strings.Cut(p.PN(), "=")
		a.people = append(a.people, fmt.Sprintf("%s%c=%s", name, 'a'+i/17%26, rest)) // there are more names than we make up
	}
	prefix := map[string]int{}
	for i := range studies {
		a.days[a.day(i)]++
		name, _, _ := strings.Cut(a.people[i%a.patients], "=")
		family, given, _ := strings.Cut(name, "^")
		for n := range len(given) + 1 {
			prefix[family+"^"+given[:n]]++
		}
	}
	for p, n := range prefix {
		if n >= 5 && n <= archivePage {
			a.prefixes[p] = n
		}
	}
	return a
}

func (a *archived) day(i int) int { return i * 7919 % archiveDays }
func (a *archived) date(day int) string {
	return time.Date(2022, 1, 1+day, 0, 0, 0, 0, time.UTC).Format("20060102")
}
func (a *archived) patient(i int) string   { return fmt.Sprintf("%s-P%06d", a.mark, i%a.patients) }
func (a *archived) accession(i int) string { return fmt.Sprintf("%s-%07d", a.mark, i) }
func (a *archived) uid(kind, i int, b *bench) string {
	return fmt.Sprintf("2.25.%d.%d.%d", b.start, kind, i)
}

// instance is the data set of the i-th study.
func (a *archived) instance(b *bench, i int) ([]byte, error) {
	alphabetic, ideographic, _ := strings.Cut(a.people[i%a.patients], "=")
	name, _ := json.Marshal(map[string]string{"Alphabetic": alphabetic, "Ideographic": ideographic})
	modality := []string{"CT", "MR", "DX", "US"}[i%4]
	body := fmt.Sprintf(`{"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["%s"]},`+
		`"00080020":{"vr":"DA","Value":["%s"]},"00080021":{"vr":"DA","Value":["%[2]s"]},"00080030":{"vr":"TM","Value":["%02d%02d%02d"]},`+
		`"00080050":{"vr":"SH","Value":["%s"]},"00080060":{"vr":"CS","Value":["%s"]},"00080080":{"vr":"LO","Value":["临江社区卫生服务中心"]},`+
		`"00080090":{"vr":"PN","Value":[{"Alphabetic":"Chen^Ming"}]},"00081010":{"vr":"SH","Value":["%[7]s01"]},"00081030":{"vr":"LO","Value":["胸部 %[7]s"]},`+
		`"0008103E":{"vr":"LO","Value":["轴位"]},"00100010":{"vr":"PN","Value":[%[8]s]},"00100020":{"vr":"LO","Value":["%[9]s"]},`+
		`"00100030":{"vr":"DA","Value":["%[10]d0101"]},"00100040":{"vr":"CS","Value":["%[11]s"]},"00180015":{"vr":"CS","Value":["CHEST"]},`+
		`"0020000D":{"vr":"UI","Value":["%[12]s"]},"0020000E":{"vr":"UI","Value":["%[13]s"]},"00200010":{"vr":"SH","Value":["%[14]d"]},`+
		`"00200011":{"vr":"IS","Value":[1]},"00200013":{"vr":"IS","Value":[1]}}`,
		a.uid(3, i, b), a.date(a.day(i)), i%24, i%60, i%59, a.accession(i), modality, name, a.patient(i), 1930+i%a.patients%90, []string{"M", "F"}[i%2],
		a.uid(1, i, b), a.uid(2, i, b), i)
	return dicom.AppendDataSet(nil, []byte(body), explicitVR, []string{"ISO_IR 192"})
}

// store sends all studies, so many a request.
func (a *archived) store(ctx context.Context, b *bench, s *Site) error {
	const each = 200
	sent, err := load(ctx, s, 4, bounds{count: (a.studies + each - 1) / each, time: time.Hour}, func(n int) call {
		var files []sample.File
		for i := n * each; i < min(a.studies, (n+1)*each); i++ {
			data, err := a.instance(b, i)
			if err != nil {
				return call{s.get("/dicom-web/studies", dicomJSON), 0, func(answer) error { return err }}
			}
			files = append(files, sample.File{Head: data})
		}
		return s.stow(&batches(files, each)[0])
	})
	if err != nil {
		return fmt.Errorf("load %d studies: %w", a.studies, err)
	}
	b.say("%s: loaded %d studies, %.0f/s", s.Name, a.studies, sent.Rate())
	return a.rest(ctx, b, s)
}

// rest waits until the hub has made what follows from the studies: an archive is asked at rest, not while it is filled.
func (a *archived) rest(ctx context.Context, b *bench, s *Site) error {
	began, made := time.Now(), 0
	last := a.uid(1, a.studies-1, b)
	for made == 0 {
		_, err := load(ctx, s, 1, bounds{count: 1, time: time.Minute}, func(int) call {
			return call{s.get("/fhir/ImagingStudy?_summary=count&identifier=urn:dicom:uid|urn:oid:"+last, "application/fhir+json"), 0, func(an answer) error {
				var bundle struct{ Total int }
				err := json.Unmarshal(an.Body, &bundle)
				made = bundle.Total
				return err
			}}
		})
		if err != nil {
			return fmt.Errorf("wait for what is made of the studies: %w", err)
		}
		if time.Since(began) > 10*time.Minute {
			return fmt.Errorf("wait for what is made of the studies: not done after %v", time.Since(began).Round(time.Second))
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(3 * time.Second) // the other partitions, which go side by side
	b.say("%s: what is made of them was there %v later", s.Name, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// archiveWorks asks a hub with Options.Resources studies, 100,000 unless given, what viewers and systems ask.
func (b *bench) archiveWorks(ctx context.Context) ([]Work, error) {
	studies := b.Resources
	if studies <= 0 {
		studies = 100_000
		if b.Quick {
			studies = 5_000
		}
	}
	a := b.archive(studies)
	if err := a.store(ctx, b, b.hub); err != nil {
		return nil, err
	}
	prefixes := make([]string, 0, len(a.prefixes))
	for p := range a.prefixes {
		prefixes = append(prefixes, p)
	}
	slices.Sort(prefixes)
	var works []Work
	// Clients that ask again as soon as they have their answer keep every core busy, and then their answers wait for each
	// other; people before viewers do not. Both are measured.
	ask := func(title string, query func(i int) (string, int)) {
		for _, pace := range []float64{0, 80} {
			title := fmt.Sprintf("%s of %d studies", title, studies)
			if pace > 0 {
				title += fmt.Sprintf(", %.0f due a second", pace)
			}
			works = append(works, Work{Title: title, Unit: "req", Clients: b.clients(8), Goal: Goal{Of: "p95", AtMost: 5},
				hub: func(ctx context.Context, clients, round int) (Sample, error) {
					limit := b.reading(round)
					limit.pace = pace
					return load(ctx, b.hub, clients, limit, func(i int) call {
						q, want := query(i*7919 + round)
						return call{b.hub.get("/dicom-web/studies?"+q, dicomJSON), 1, func(a answer) error { return holds(a, `"0020000D"`, want) }}
					})
				}})
		}
	}
	ofPatient := func(i int) int { return (studies-1-i%a.patients)/a.patients + 1 }
	week := func(i int) (from, to string, n int) {
		first := i % (archiveDays - 7)
		for d := range 7 {
			n += a.days[first+d]
		}
		return a.date(first), a.date(first + 6), n
	}
	ask("QIDO by patient", func(i int) (string, int) { return "PatientID=" + a.patient(i), ofPatient(i) })
	ask("QIDO by accession number", func(i int) (string, int) { return "AccessionNumber=" + a.accession(i%studies), 1 })
	ask(fmt.Sprintf("QIDO by a week, the first %d", archivePage), func(i int) (string, int) {
		from, to, n := week(i)
		return fmt.Sprintf("StudyDate=%s-%s&limit=%d", from, to, archivePage), min(n, archivePage)
	})
	ask("QIDO by a day, all", func(i int) (string, int) {
		d := i % archiveDays
		return fmt.Sprintf("StudyDate=%s&limit=1000", a.date(d)), a.days[d]
	})
	ask(fmt.Sprintf("QIDO without a condition, the newest %d", archivePage), func(int) (string, int) {
		return fmt.Sprintf("limit=%d", archivePage), min(studies, archivePage)
	})
	if len(prefixes) > 0 {
		ask("QIDO by the beginning of a name", func(i int) (string, int) {
			p := prefixes[i%len(prefixes)]
			return "PatientName=" + p + "*", a.prefixes[p]
		})
	}
	return works, nil
}
