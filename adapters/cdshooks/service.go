package cdshooks

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// The hooks (https://cds-hooks.hl7.org/hooks).
const (
	orderSelect = "order-select"
	orderSign   = "order-sign"
	patientView = "patient-view"
)

// service is one entry of the discovery (CDS Hooks 2.0, Discovery, Response).
type service struct {
	Hook              string            `json:"hook"`
	Title             string            `json:"title"`
	Description       string            `json:"description"`
	ID                string            `json:"id"`
	Prefetch          map[string]string `json:"prefetch"`
	UsageRequirements string            `json:"usageRequirements,omitempty"`
}

// services are what the hub offers, by id. Each has an id of its own, since clients of 1.1 tell services apart by it.
func services() map[string]service {
	const needs = "The Patient must be known to the hub: as context.patientId names it, or by an identifier of prefetch.patient."
	ordering := map[string]string{
		"patient":   "Patient/{{context.patientId}}",
		"encounter": "Encounter/{{context.encounterId}}",
	}
	list := []service{
		{orderSelect, "检查检验结果互认（开单时） Recognition of results, at ordering",
			"Tells whether an earlier result of any member of the consortium may stand for a selected order.", "recognition-order-select", ordering, needs},
		{orderSign, "检查检验结果互认（签署时） Recognition of results, at signing",
			"Decides again, for all draft orders, whether an earlier result may stand for them.", "recognition-order-sign", ordering, needs},
		{patientView, "可互认结果概览 Results that may be recognised",
			"Says briefly which results of a patient may be recognised now.", "recognition-patient-view",
			map[string]string{"patient": "Patient/{{context.patientId}}"}, needs},
	}
	all := make(map[string]service, len(list))
	for _, s := range list {
		all[s.ID] = s
	}
	return all
}

// discover lists the services. In 1.1 there is no usageRequirements.
func (s *server) discover(c *gin.Context, version dialect) {
	all := services()
	list := make([]service, 0, len(all))
	for _, id := range []string{"recognition-order-select", "recognition-order-sign", "recognition-patient-view"} {
		one := all[id]
		if version == v11 {
			one.UsageRequirements = ""
		}
		list = append(list, one)
	}
	c.JSON(http.StatusOK, gin.H{"services": list})
}
