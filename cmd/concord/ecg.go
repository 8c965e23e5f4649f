package main

import (
	"context"

	door "concord/adapters/ecg"
	"concord/adapters/webserver"
	"concord/hub/ecg"
	"concord/hub/imaging"
	"concord/hub/settings"
	wave "concord/internal/ecg"
)

// ecgReadings is how many electrocardiograms are in memory at a time to be taken in, and as many to be drawn.
const ecgReadings = 4

// ecgLimits let a recording have as many samples as its bytes hold at two each: compressed ones have more.
func (r *rooms) ecgLimits() wave.Limits {
	return wave.Limits{Bytes: int64(r.cfg.ECGReadMB) << 20, Samples: r.cfg.ECGReadMB << 19}
}

func (r *rooms) ecgBase() string { return r.cfg.PublicURL + "/ecg" }

// openECG lets the intake of messages read files of electrocardiograms.
func (r *rooms) openECG() {
	records := r.followers[settings.Records]
	mapper := &ecg.Mapper{Base: r.ecgBase(), Limits: r.ecgLimits(), Known: func(ctx context.Context, member, id, authority string) (string, error) {
		issuers := map[string]bool{}
		if authority != "" {
			issuers[authority], issuers["urn:oid:"+authority] = true, true
		}
		return imaging.KnownPatient(ctx, records, member, id, issuers)
	}}
	for _, format := range ecg.MessageFormats() {
		r.intake.Mappers[format] = mapper
	}
}

// ecgInstances reads electrocardiograms among DICOM instances.
func (r *rooms) ecgInstances() *ecg.Instances {
	return &ecg.Instances{Base: r.ecgBase(), Objects: r.objects, Largest: int64(r.cfg.ECGReadMB) << 20, Limits: r.ecgLimits(), Room: ecg.NewRoom(1)}
}

func (r *rooms) mountECG(server *webserver.Server) {
	door.Mount(server.Group("/ecg", door.WriteError), door.Deps{
		Library: &ecg.Library{Reader: r.reader, Records: settings.Records, PartitionOf: r.settings.DicomPartition, Largest: int64(r.cfg.ECGReadMB) << 20, Limits: r.ecgLimits()},
		Intake: &ecg.Intake{Messages: r.intake, Archive: r.archive, Stager: r.objects, Records: r.followers[settings.Records],
			Largest: int64(r.cfg.ECGFileMB) << 20, Limits: r.ecgLimits(), Room: ecg.NewRoom(ecgReadings)},
		PublicURL: r.cfg.PublicURL, Version: version(), Limits: door.Limits{Seconds: r.cfg.ECGSeconds, Reading: ecgReadings},
	})
}
