package main

import (
	"time"

	"concord/adapters/dimse"
	"concord/hub/imaging"
	"concord/hub/settings"
)

// holdings are what the DIMSE services besides storage work with.
func (r *rooms) holdings() dimse.Holdings {
	return dimse.Holdings{
		Finder:   &imaging.Finder{Reader: r.reader, Partitions: r.dicomPartitions(), PartitionOf: r.settings.DicomPartition},
		Worklist: &imaging.Worklist{Reader: r.reader, Records: settings.Records, Consortium: r.settings.ID},
		Errands:  &imaging.Errands{Follower: r.followers[settings.Records], Writer: r.writers[settings.Records], Now: time.Now},
		Decoder:  r.pixels,
	}
}
