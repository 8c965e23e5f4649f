package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"concord/hub/quota"
)

// openQuota makes what holds members to their share of the store.
func (r *rooms) openQuota(reg prometheus.Registerer) {
	r.quota = &quota.Quota{Share: int64(r.cfg.MemberStorage) << 20, Followers: r.followers, Objects: r.objects, Derived: r.objects}
	if r.quota.Share > 0 {
		reg.MustRegister(storedBytes{r.quota})
	}
}

// storedBytes tells a monitor how much each member has.
type storedBytes struct{ *quota.Quota }

func storedDesc() *prometheus.Desc {
	return prometheus.NewDesc("concord_member_stored_bytes", "Bytes of records and blobs that a member has in the store.", []string{"member"}, nil)
}

func (s storedBytes) Describe(to chan<- *prometheus.Desc) { to <- storedDesc() }

func (s storedBytes) Collect(to chan<- prometheus.Metric) {
	for member, n := range s.All() {
		to <- prometheus.MustNewConstMetric(storedDesc(), prometheus.GaugeValue, float64(n), member)
	}
}
