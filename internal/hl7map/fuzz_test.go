package hl7map

import (
	"encoding/json"
	"testing"

	"concord/internal/hl7"
)

// FuzzMap: whatever can be parsed goes through every mapping without a panic, and what comes out is JSON under its name,
// the same every time.
func FuzzMap(f *testing.F) {
	rules := load(f, defaults(f))
	var types []string
	for typ := range rules.everybody.messages {
		types = append(types, typ)
	}
	for _, seed := range []string{
		header + "PID|||1^^^H^MR||A^B||1980|M\rPV1||I|W^1^2\rORC|RE|1|2\rOBR||1|2|X^Y^LN|||20240101\rNTE|||n\rOBX||NM|a^b^LN|1|<5|mg|1-2|H|||F\rSPM||1&A^2&B||BLD",
		header + "OBX||ED|a||^AP^PDF^Base64^JVBERi0=\rOBX||SN|b||>^5^-^6~\"\"\rOBX||TX|c||x\rOBX||TX|c||y\rZZZ|1",
		header + "PID|\"\"|~~|^^^&&~&|&^&^\rNK1||^^^|\rPV1|||||||1^2~3&4\rAL1|1|DA|x\rDG1|||I10\rIN1|1|2|3",
		header + "SCH|1|2\rRGS|1\rAIS|1||x^y\rAIG|1||z\rTXA|1|DS|TX|2024\rRXA|0|1|2024|2024|CVX^1|1\rFT1|1|||2024\rMRG|5\rSAC|||1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := hl7.Parse(raw, hl7.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		for _, typ := range types {
			again := [2]string{}
			for i := range again {
				res := rules.everybody.run(m, rules.everybody.messages[typ], Options{Member: "m"}).result()
				for _, r := range res.Resources {
					var body struct{ ResourceType, ID string }
					if err := json.Unmarshal(r.Body, &body); err != nil || body.ResourceType != r.Name.Type || body.ID != r.Name.ID {
						t.Fatalf("%s: rule %s: %v in %s", typ, r.Rule, err, r.Body)
					}
					again[i] += string(r.Body)
				}
			}
			if again[0] != again[1] {
				t.Fatalf("%s: mapped twice, it says something else", typ)
			}
		}
	})
}
