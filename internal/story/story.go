// Package story plays the consortium's daily work against a running hub, over HTTP as any client would, and prints each
// request and answer in Chinese and English: a centre registers a patient and sends a chest CT by DICOM, another sends laboratory results
// by HL7 v2, a third an electrocardiogram; the hub finds that their patients are one person; the lead hospital reads what there is, is
// told while it orders what need not be made again, and its choice appears in the statistics.
//
// A scene is one step of the story; its checks end the story with an error when the hub answers otherwise than it should.
package story

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"concord/internal/sample"
)

// Institution is one member of the cast.
type Institution struct {
	ID, Name, English string
	Token             string
	Secret            string // only when it has just been made
	AET               string // its application entity title
}

// Cast are the members that the story needs. Left is disabled: its token is good no more.
type Cast struct{ Lead, Linjiang, Heping, Xihe, Left Institution }

// Setting is where and when the story plays.
type Setting struct {
	Base string // the hub's address, such as http://127.0.0.1:8080
	// DICOM is where the hub takes associations, such as 127.0.0.1:11112, and Title what it calls itself; empty: nowhere.
	DICOM, Title string
	// MLLP is where the hub takes HL7 v2 messages, such as 127.0.0.1:2575; empty: nowhere.
	MLLP string
	Data string // where its data lies, for the last page
	// Samples is a folder with files to try `concord upload` on; empty: none.
	Samples string
	Now     time.Time
	Cast    Cast
}

// Slices of the CT, and their edge in pixels.
const (
	slices = 12
	edge   = 512
)

// teller is the story while it is told.
type teller struct {
	Setting
	*page
	client  *http.Client
	seed    uint64
	person  sample.Person
	taken   time.Time // of the CT
	night   time.Time // the last midnight, when the ECG was taken: one counts for 24 hours only
	patient string    // Patient/…
	ct      []sample.File
	study   string
	// outpatient is the lead hospital's own Patient of the person.
	outpatient string
}

// Tell waits until the hub is ready, then plays all scenes on out. The day of s.Now decides who falls ill: told twice on
// one day, the same patient and the same files are sent again, which the hub takes as what it has already.
func Tell(ctx context.Context, s Setting, out io.Writer) error {
	today := s.Now.In(china())
	morning := time.Date(today.Year(), today.Month(), today.Day()-1, 9, 30, 0, 0, china())
	seed := uint64(morning.Unix() / 86400)
	t := &teller{Setting: s, page: newPage(out), client: &http.Client{Timeout: 30 * time.Second}, seed: seed, person: sample.NewPerson(seed), taken: morning,
		night: morning.Add(14*time.Hour + 30*time.Minute)}
	defer t.client.CloseIdleConnections()
	started := time.Now()
	t.title()
	if err := t.ready(ctx); err != nil {
		return err
	}
	for i, scene := range []func(context.Context) error{
		t.register, t.scan, t.laboratory, t.message, t.heart, t.find, t.look, t.results, t.one, t.order, t.contrary, t.hook, t.counted, t.colleague, t.refused,
	} {
		t.number = i + 1
		if err := scene(ctx); err != nil {
			if ctx.Err() == nil {
				t.alarm(err)
			}
			return fmt.Errorf("play scene %d of the demo: %w", i+1, err)
		}
	}
	t.epilogue(time.Since(started))
	return nil
}

// china is the zone of all of China, which has no summer time.
func china() *time.Location { return time.FixedZone("UTC+8", 8*3600) }

func (t *teller) title() {
	t.rule("═")
	t.line("  Concord  医联体互联枢纽 · an open hub for medical consortia")
	t.line("  基层检查、上级诊断、区域互认 · examined at the centre, read at the lead hospital, recognised everywhere")
	t.rule("═")
	t.line("")
	t.both("角色：四家机构，各有自己的令牌；另有一家已被停用。人物与影像均为虚构。",
		"The cast: four institutions, each with its token, and one that was disabled. People and images are invented.")
	c := t.Cast
	for _, m := range []struct {
		Institution
		role string
	}{{c.Lead, "牵头 lead"}, {c.Linjiang, "基层 community"}, {c.Heping, "基层 community"}, {c.Xihe, "基层 community"}, {c.Left, "停用 disabled"}} {
		t.line("")
		t.line("  " + t.bold(m.ID) + "  " + m.Name + " · " + m.English + "  (" + m.role + ")")
		if m.Secret != "" {
			t.line("    secret " + m.Secret + t.dim("   只显示这一次 · shown this once"))
		}
		if m.Token != "" && m.ID != c.Left.ID {
			t.line("    token  " + t.dim(m.Token))
		}
	}
}

// ready waits for the hub's own word.
func (t *teller) ready(ctx context.Context) error {
	deadline := time.Now().Add(time.Minute)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Base+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := t.client.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", res.Status)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for the hub: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (t *teller) epilogue(took time.Duration) {
	t.line("")
	t.rule("═")
	t.both(fmt.Sprintf("演示完毕，用时 %.1f 秒。每一步的回答都已核对。", took.Seconds()),
		fmt.Sprintf("The story is told, in %.1f s. Every answer was checked.", took.Seconds()))
	t.line("")
	t.line("  网页 page    " + t.bold(t.Base+"/"))
	if t.DICOM != "" {
		t.line("  影像 DICOM   " + t.Title + " @ " + t.DICOM)
	}
	t.line("  数据 data    " + t.Data)
	t.line("")
	t.both("接着可以试（整行粘贴即可）：", "What to try next, in another terminal (paste as it is):")
	t.line("")
	study := t.Base + "/dicom-web/studies/" + t.study
	for _, command := range []string{
		"LEAD=" + t.Cast.Lead.Token,
		"# 按姓名查患者 · find patients by name",
		`curl -sG -H "Authorization: Bearer $LEAD" ` + t.Base + "/fhir/Patient --data-urlencode name=" + t.person.Family,
		"# 该患者的全部检验 · all laboratory results of the patient",
		`curl -s -H "Authorization: Bearer $LEAD" "` + t.Base + "/fhir/Observation?patient=" + strings.TrimPrefix(t.patient, "Patient/") + `&_count=5"`,
		"# 这样开单能否互认 · may an order be answered by what is there",
		`curl -sG -H "Authorization: Bearer $LEAD" '` + t.Base + "/fhir/ServiceRequest/$find-recognisable' \\\n    -d patient=" + t.patient + " -d 'code=http://loinc.org|14682-9'",
		"# 影像原件，一张 · one slice, as the scanner sent it",
		`curl -s -H "Authorization: Bearer $LEAD" -H "Accept: application/dicom" -o slice.dcm \` + "\n    " + study + "/series/" + t.ct[0].SeriesUID + "/instances/" + t.ct[0].InstanceUID,
	} {
		t.command(command)
	}
	if t.Samples != "" {
		t.command("# 上传一个文件夹 · send a folder of files")
		t.command("HEPING=" + t.Cast.Heping.Token)
		t.command(`bin/concord upload ` + t.Samples + " --to " + t.Base + ` --token "$HEPING"`)
	}
	if t.DICOM != "" {
		t.network()
	}
	t.line("")
	t.both("令牌十二小时后失效；重启后会有新的。Ctrl-C 结束。", "Tokens end after twelve hours; each start has new ones. Ctrl-C ends the hub.")
	t.rule("═")
}

// network prints commands of dcmtk that send and find images over associations.
func (t *teller) network() {
	hub := " -aec " + t.Title + " " + strings.Replace(t.DICOM, ":", " ", 1)
	if t.Samples != "" {
		t.command("# 像设备一样发送影像（需要 dcmtk）· send images as a scanner does (needs dcmtk)")
		t.command("storescu -aet " + t.Cast.Heping.AET + hub + " " + t.Samples + "/ct-*.dcm")
	}
	t.command("# 像工作站一样查找 · find them as a workstation does")
	t.command("findscu -S -aet " + t.Cast.Lead.AET + hub + " \\\n    -k QueryRetrieveLevel=STUDY -k PatientID=" + t.person.Number + " -k StudyInstanceUID -k StudyDescription")
}
