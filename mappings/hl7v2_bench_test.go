package mappings

import (
	"fmt"
	"strings"
	"testing"

	"concord/internal/hl7"
	"concord/internal/hl7map"
)

// BenchmarkMap maps a report of twenty results, as a laboratory sends one, parsed and all.
func BenchmarkMap(b *testing.B) {
	rules, err := HL7v2()
	if err != nil {
		b.Fatal(errorLines(err))
	}
	var text strings.Builder
	text.WriteString("MSH|^~\\&|LIS|LINJIANG|HUB|CONCORD|20260301080000+0800||ORU^R01^ORU_R01|c1|P|2.5.1|||AL|NE||UNICODE UTF-8\r" +
		"PID|1||P0001^^^HOSP^MR~110101197001010011^^^GA^NI||张^伟||19700101|M|||中山路1号^^长沙^湖南^410000^CN||13900000000\r" +
		"PV1|1|O|IM^^^HOSP||||D7^王^芳||||||||||||V0001^^^HOSP^VN\r" +
		"ORC|RE|O0001^CIS|F0001^LIS||CM||||20260301070000|||D7^王^芳\r" +
		"OBR|1|O0001^CIS|F0001^LIS|SH^生化全套^99LIS|||20260301073000|||||||||D7^王^芳||||||20260301075500||CH|F\r")
	for i := range 20 {
		fmt.Fprintf(&text, "OBX|%d|NM|A%02d^项目%02d^99LIS||%d.%d|mmol/L|3.5-5.3|N|||F|||20260301073000||T1^李^娜\r", i+1, i, i, i%9+1, i%10)
	}
	text.WriteString("SPM|1|B0001^B0001||SER^血清^99LIS|||||||||||||20260301073000|20260301074000\r")
	raw := []byte(text.String())
	b.ReportAllocs()
	for b.Loop() {
		m, err := hl7.Parse(raw, hl7.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		res, err := rules.Map(m, hl7map.Options{Member: "lab"})
		if err != nil || len(res.Resources) < 24 {
			b.Fatal(len(res.Resources), err)
		}
	}
}
