package laboratory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"concord/hub/laboratory"
	"concord/hub/messages"
)

// BenchmarkRefine completes a message of ten results.
func BenchmarkRefine(b *testing.B) {
	r := rules(b)
	f := laboratory.Refiner{Rules: func() *laboratory.Rules { return r }, Maps: func(context.Context) (*laboratory.Maps, error) { return &laboratory.Maps{}, nil }}
	rep := report{Number: "1", Specimen: "B1", Kind: "血清", Taken: taken}
	for i, c := range []string{"钾", "钠", "氯", "总钙", "无机磷", "镁", "肌酐", "尿素", "葡萄糖", "某某因子"} {
		rep.Results = append(rep.Results, item{Code: fmt.Sprint(i), Name: c, Value: "4.1", Unit: "mmol/L"})
	}
	raw, _ := json.Marshal(rep)
	made, err := lis{}.Map(b.Context(), "village", &messages.Incoming{Raw: raw})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m := *made
		m.Resources = slices.Clone(made.Resources)
		if err := f.Refine(b.Context(), "village", nil, &m); err != nil {
			b.Fatal(err)
		}
	}
}
