package hl7

import (
	"strings"
	"testing"
	"time"
)

func TestAnswersAreInTheSendersVersionAndDelimiters(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 8*3600))
	place, err := ParsePlace("OBX[2]-5.1")
	if err != nil {
		t.Fatal(err)
	}
	ack := Ack{Code: AE, Control: "R1", At: at, Faults: []Fault{
		{Place: place, Number: "102", Name: "Data type error", Severity: "E", Text: "this is no number"}, {Number: "103", Name: "Table value not found", Severity: "W", Text: "a|b"}}}
	for name, c := range map[string]struct{ sent, want string }{
		"2.5.1": {"MSH|^~\\&|LIS|LAB|HUB|X|2026||ORU^R01^ORU_R01|C1|P|2.5.1\r",
			"MSH|^~\\&|HUB|X|LIS|LAB|20260102030405+0800||ACK^R01^ACK|R1|P|2.5.1\rMSA|AE|C1|this is no number\r" +
				"ERR||OBX^2^5^1^1|102^Data type error^HL70357|E||||this is no number\rERR|||103^Table value not found^HL70357|W||||a\\F\\b\r"},
		"2.3": {"MSH|^~\\&|LIS|LAB|HUB|X|2026||ORU^R01|C1|P|2.3\r",
			"MSH|^~\\&|HUB|X|LIS|LAB|20260102030405+0800||ACK^R01|R1|P|2.3\rMSA|AE|C1|this is no number\r" +
				"ERR|OBX^2^5^102&Data type error&HL70357~^^^103&Table value not found&HL70357\r"},
		"2.1, other delimiters": {"MSH!:*/%!LIS!!HUB!!!!ORU!C1!P!2.1\r",
			"MSH!:*/%!HUB!!LIS!!20260102030405!!ACK!R1!P!2.1\rMSA!AE!C1!this is no number\rERR!OBX:2:5:102%Data type error%HL70357*:::103%Table value not found%HL70357\r"},
		"enhanced, with a character set": {"MSH|^~\\&|LIS||HUB||2026||ADT^A01|C1|P|2.7|||AL|NE||UNICODE UTF-8\r",
			"MSH|^~\\&|HUB||LIS||20260102030405+0800||ACK^A01^ACK|R1|P|2.7|||NE|NE||UNICODE UTF-8\r"},
	} {
		sent := parse(t, c.sent)
		if got := string(sent.Reply(ack)); !strings.HasPrefix(got, strings.TrimSuffix(c.want, "\r")) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

func TestAnswersToChineseAreInItsCharacterSet(t *testing.T) {
	m := parse(t, "MSH|^~\\&|"+gb(t, "检验")+"|||||| |"+gb(t, "编号")+"|P|2.5||||||GB18030\r")
	back := parse(t, string(m.Reply(Ack{Code: AA})))
	if back.Text("MSH-5") != "检验" || back.Text("MSA-2") != "编号" || back.Text("MSH-18") != "GB18030" {
		t.Errorf("%q %q", back.Text("MSH-5"), back.Text("MSA-2"))
	}
}

func TestWhatCannotBeReadIsAnsweredToo(t *testing.T) {
	back := parse(t, string(ReplyTo(Header{}, StandardDelimiters(), "", Charset{}, Ack{Code: AR, Control: "1", Text: "this is no message"})))
	if back.Text("MSA-1") != "AR" || back.Text("MSH-9") != "ACK" || back.Text("MSA-3") != "this is no message" {
		t.Errorf("%v", back.Segments)
	}
}

func TestTimesAreAsPreciseAsTheyWereSaid(t *testing.T) {
	shanghai := time.FixedZone("", 8*3600)
	for s, want := range map[string]string{
		"2014": "2014-01-01T00:00:00+08:00 0 false", "20140228": "2014-02-28T00:00:00+08:00 2 false", "201402281230": "2014-02-28T12:30:00+08:00 4 false",
		"20140228123045.12+0100": "2014-02-28T12:30:45.12+01:00 6 true", "20140228123045-0530": "2014-02-28T12:30:45-05:30 5 true", "2014022812Z": "", "20140230": "",
		"20141301": "", "": "", "201": "", "20140228246060": "", "20140228-9900": "",
	} {
		got := ""
		if v, ok := ParseTime(s, shanghai); ok {
			got = v.Start.Format(time.RFC3339Nano) + " " + string('0'+rune(v.Precision)) + " " + map[bool]string{true: "true", false: "false"}[v.Zoned]
		}
		if got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}
