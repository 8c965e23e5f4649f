package main

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"concord/hub"
	"concord/hub/messages"
)

// hubMetrics are the hub's own figures, beside those of the web server.
type hubMetrics struct {
	records, commitBytes *prometheus.CounterVec
	size, put, apply     *prometheus.HistogramVec
	blobBytes, blobs     prometheus.Counter
	remarks              *prometheus.CounterVec
	messages             *prometheus.CounterVec
	kinds                kinds
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
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "concord_messages_total",
			Help: "Messages kept, and mapped again, by member, format, type and how they ended: mapped, late, dead, refused."}, []string{"member", "format", "type", "status"}),
	}
	reg.MustRegister(m.records, m.commitBytes, m.size, m.put, m.apply, m.blobBytes, m.blobs, m.remarks, m.messages)
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

// message counts an attempt to map a message.
func (m *hubMetrics) message(one *messages.Message) {
	m.messages.WithLabelValues(one.Member, one.Format, m.kinds.of(one.Type), string(one.Status)).Inc()
}

// kinds bounds how many types of messages are told apart: senders name them.
type kinds struct {
	mu   sync.Mutex
	seen map[string]bool
}

const mostKinds = 100

func (k *kinds) of(typ string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.seen[typ] {
		if len(k.seen) == mostKinds || len(typ) > 32 {
			return "other"
		}
		if k.seen == nil {
			k.seen = map[string]bool{}
		}
		k.seen[typ] = true
	}
	return typ
}

// registerLag shows how many commits each index is behind.
func registerLag(reg prometheus.Registerer, r *rooms, lag func(hub.Partition) float64) {
	for _, p := range r.settings.Partitions() {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "concord_index_lag_commits",
			Help: "Commits of the log that the index has not applied.", ConstLabels: prometheus.Labels{"partition": string(p)}},
			func() float64 { return lag(p) }))
	}
}
