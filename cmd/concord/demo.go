package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"concord/hub"
	"concord/hub/access"
	"concord/internal/sample"
	"concord/internal/story"
)

// errStoryTold ends a hub that was started with --demo-exit, without being a fault.
var errStoryTold = errors.New("the story is told")

// demo takes in the demo's members where they are not there, and plays the story against the hub at base, which takes
// DICOM associations at dicomAt and HL7 v2 messages at mllpAt unless these are empty.
func (r *rooms) demo(ctx context.Context, base, dicomAt, mllpAt string, out io.Writer) error {
	cast, err := r.cast(ctx)
	if err != nil {
		return fmt.Errorf("prepare the demo: %w", err)
	}
	s := story.Setting{Base: base, DICOM: dicomAt, MLLP: mllpAt, Title: r.cfg.AET, Data: r.where(), Now: time.Now(), Cast: cast}
	if r.cfg.S3 == "" {
		s.Samples = filepath.Join(r.cfg.Data, "samples")
		if err := writeSamples(s.Samples, s.Now); err != nil {
			return fmt.Errorf("prepare the demo: %w", err)
		}
	}
	err = story.Tell(ctx, s, out)
	switch {
	case ctx.Err() != nil: // the hub was told to stop
		return nil
	case err != nil:
		return err
	case r.cfg.DemoExit:
		return errStoryTold
	}
	return nil
}

// where names the place of the data, without secrets.
func (r *rooms) where() string {
	u, err := url.Parse(r.cfg.S3)
	if r.cfg.S3 == "" || err != nil {
		return r.cfg.Data
	}
	return "S3 " + u.Host + u.Path
}

// demoTokens is how long the demo's tokens are good.
const demoTokens = 12 * time.Hour

func (r *rooms) cast(ctx context.Context) (c story.Cast, err error) {
	for _, m := range []struct {
		at                    *story.Institution
		id, name, english, ae string
		tier                  access.Tier
	}{
		{&c.Lead, "qingshan", "青山县人民医院", "Qingshan County Hospital", "QINGSHAN", access.Lead},
		{&c.Linjiang, "linjiang", "临江社区卫生服务中心", "Linjiang Community Health Centre", "LINJIANG", access.Community},
		{&c.Heping, "heping", "和平社区卫生服务中心", "Heping Community Health Centre", "HEPING", access.Community},
		{&c.Xihe, "xihe", "西河镇卫生院", "Xihe Township Hospital", "XIHE", access.Community},
		{&c.Left, "dongqiao", "东桥村卫生室", "Dongqiao Village Clinic", "DONGQIAO", access.Community},
	} {
		*m.at = story.Institution{ID: m.id, Name: m.name, English: m.english, AET: m.ae}
		secret, err := r.registrar.Add(ctx, access.Member{ID: m.id, Name: m.name, Tier: m.tier, DICOM: access.DICOM{AETs: []string{m.ae}}, HL7: access.HL7{Senders: []string{"LIS^" + m.ae}}})
		if hub.Is(err, hub.Conflict) { // there from an earlier start
			err = r.registrar.Enable(ctx, m.id)
		}
		if err != nil {
			return c, err
		}
		m.at.Secret = secret
		if m.at.Token, err = r.issuer.Issue(m.id, "system/*.*", demoTokens); err != nil {
			return c, err
		}
	}
	c.Left.Secret = ""
	return c, r.registrar.Disable(ctx, c.Left.ID)
}

// writeSamples makes a folder of files to try `concord upload` on: another patient with a small CT and laboratory
// results. It leaves what is there as it is.
func writeSamples(folder string, now time.Time) error {
	const seed = 20260
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	making := folder + ".new"
	if err := os.MkdirAll(making, 0o750); err != nil {
		return err
	}
	for f, err := range sample.Bench(seed, 12, sample.Options{Slices: 12, Rows: 256, Columns: 256, Time: now.AddDate(0, 0, -3)}) {
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(making, fmt.Sprintf("ct-%02d.dcm", f.Number)), f.Bytes(), 0o640); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(making, "laboratory.json"), sample.Transaction(seed, 27, now.AddDate(0, 0, -3)), 0o640); err != nil {
		return err
	}
	return os.Rename(making, folder)
}
