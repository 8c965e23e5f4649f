package main

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"concord/hub"
)

// hubMetrics are the hub's own figures, beside those of the web server.
type hubMetrics struct {
	records, commitBytes *prometheus.CounterVec
	size, put, apply     *prometheus.HistogramVec
	blobBytes, blobs     prometheus.Counter
	remarks              *prometheus.CounterVec
}

func newHubMetrics(reg prometheus.Registerer) *hubMetrics {
	byPartition := []string{"partition"}
	m := &hubMetrics{
		records:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_commit_records_total", Help: "Records committed."}, byPartition),
		commitBytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_commit_bytes_total", Help: "Bytes of commits."}, byPartition),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_commit_records", Help: "Records in a commit.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 8)}, byPartition),
		put: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_commit_put_seconds", Help: "How long the PUT of a commit took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}, byPartition),
		apply: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "concord_commit_apply_seconds", Help: "How long the index took a commit.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 14)}, byPartition),
		blobBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "concord_blob_bytes_total", Help: "Bytes of blobs taken in."}),
		blobs:     prometheus.NewCounter(prometheus.CounterOpts{Name: "concord_blobs_total", Help: "Blobs taken in."}),
		remarks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_dicom_remarks_total",
			Help: "Instances taken in whose bytes are not what they declare, by how they were read."}, []string{"remark"}),
	}
	reg.MustRegister(m.records, m.commitBytes, m.size, m.put, m.apply, m.blobBytes, m.blobs, m.remarks)
	return m
}

// commits observes one partition's commits. The DICOM partitions count as one.
func (m *hubMetrics) commits(p hub.Partition) func(records, bytes int, put, apply time.Duration) {
	label := string(p)
	if len(label) > 5 && label[:5] == "dicom" {
		label = "dicom"
	}
	return func(records, bytes int, put, apply time.Duration) {
		m.records.WithLabelValues(label).Add(float64(records))
		m.commitBytes.WithLabelValues(label).Add(float64(bytes))
		m.size.WithLabelValues(label).Observe(float64(records))
		m.put.WithLabelValues(label).Observe(put.Seconds())
		m.apply.WithLabelValues(label).Observe(apply.Seconds())
	}
}

func (m *hubMetrics) blob(bytes int64) {
	m.blobs.Inc()
	m.blobBytes.Add(float64(bytes))
}

// remarked counts by what a remark begins with: what follows are terms that came from outside.
func (m *hubMetrics) remarked(remark string) {
	how, _, _ := strings.Cut(remark, ",")
	m.remarks.WithLabelValues(how).Inc()
}

// registerLag shows how many commits each index is behind.
func registerLag(reg prometheus.Registerer, r *rooms, lag func(hub.Partition) float64) {
	for _, p := range r.settings.Partitions() {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_index_lag_commits",
			Help: "Commits of the log that the index has not applied.", ConstLabels: prometheus.Labels{"partition": string(p)}},
			func() float64 { return lag(p) }))
	}
}
