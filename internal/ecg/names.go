package ecg

import (
	"strconv"
	"strings"
)

// leadByCode reads a lead's code in one of the schemes of DICOM's CID 3001, or its name in ISO 11073-10102.
func leadByCode(c Coding) LeadCode {
	number, ok := strings.CutPrefix(c.Code, "5.6.3-9-") // SCP-ECG
	if !ok {
		number, ok = strings.CutPrefix(c.Code, "2:") // partition 2 of MDC
	}
	if n, err := strconv.ParseUint(number, 10, 8); ok && err == nil && LeadCode(n).String() != "" {
		return LeadCode(n)
	}
	if name, ok := cutPrefixFold(c.Code, "MDC_ECG_LEAD_"); ok {
		return leadByShort(name)
	}
	return 0
}

// leadByName reads words: "Lead aVR", "I", "Lead I (Einthoven)", "V1 (chest)".
func leadByName(s string) LeadCode {
	s = strings.TrimSpace(s)
	if rest, ok := cutPrefixFold(s, "lead "); ok {
		s = strings.TrimSpace(rest)
	}
	s, _, _ = strings.Cut(s, " ")
	return leadByShort(s)
}

func leadByShort(s string) LeadCode {
	if s == "" {
		return 0
	}
	for i, name := range leadNames {
		if strings.EqualFold(name, s) {
			return LeadCode(i)
		}
	}
	return 0
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// measures are the Measure constants with their words.
var measures = [...]struct{ code, words string }{
	{HeartRate, "heart rate"}, {VentricularRate, "ventricular rate"}, {AtrialRate, "atrial rate"}, {PDuration, "P duration"},
	{PRInterval, "PR interval"}, {QRSDuration, "QRS duration"}, {QTInterval, "QT interval"}, {QTcInterval, "corrected QT interval"},
	{QTcBazett, "corrected QT interval (Bazett)"}, {QTcFridericia, "corrected QT interval (Fridericia)"},
	{RRInterval, "RR interval"}, {PPInterval, "PP interval"}, {PAxis, "P axis"}, {QRSAxis, "QRS axis"}, {TAxis, "T axis"},
}

// measureNames are words for measurements, without case, hyphens and what is in measureNoise.
var measureNames = map[string]string{
	"heart rate": HeartRate, "ventricular rate": VentricularRate, "ventricular heart rate": VentricularRate, "vent rate": VentricularRate,
	"atrial rate": AtrialRate, "atrial heart rate": AtrialRate,
	"p duration": PDuration, "p wave duration": PDuration, "pr interval": PRInterval, "pq interval": PRInterval, "qrs duration": QRSDuration,
	"qt interval": QTInterval, "qtc interval": QTcInterval, "qtc": QTcInterval, "corrected qt interval": QTcInterval,
	"qtcb": QTcBazett, "qtcb interval": QTcBazett, "qtc bazett": QTcBazett, "qtcf": QTcFridericia, "qtcf interval": QTcFridericia,
	"qtc fridericia": QTcFridericia, "qtc using bazett formula": QTcBazett, "qtc using fredericia formula": QTcFridericia,
	"qtc using fridericia formula": QTcFridericia, "rr interval": RRInterval, "pp interval": PPInterval,
	"p axis": PAxis, "qrs axis": QRSAxis, "t axis": TAxis,
}

// measureNoise are words of names that say nothing here; -global and so on.
var measureNoise = strings.NewReplacer("-", "", "global", "", "mean", "", "average", "", "(", "", ")", "", ",", "", "frontal", "", "ecg", "")

// measureCode is the measurement a code means: by its own name, by SCP-ECG's clause, or by its words.
func measureCode(c Coding) string {
	if _, ok := cutPrefixFold(c.Code, "MDC_ECG_"); ok {
		return measureByMDC(c.Code)
	}
	if code := scpMeasures[c.Code]; code != "" {
		return code
	}
	if code := mdcMeasures[c.Code]; code != "" && c.System == "MDC" {
		return code
	}
	if code := loincMeasures[c.Code]; code != "" {
		return code
	}
	return measureNames[strings.Join(strings.Fields(measureNoise.Replace(strings.ToLower(c.Display))), " ")]
}

// scpMeasures are places of SCP-ECG's tables, as DICOM's older coding scheme SCPECG names them.
var scpMeasures = map[string]string{
	"5.13.5-5": PDuration, "5.13.5-7": PRInterval, "5.13.5-9": QRSDuration, "5.13.5-11": QTInterval, "5.10.2.5-5": QTcInterval,
	"5.10.2.1-3": RRInterval, "5.10.2.1-5": PPInterval, "5.10.2.5-1": VentricularRate, "5.10.2.5-3": AtrialRate,
	"5.10.3-11": PAxis, "5.10.3-13": QRSAxis, "5.10.3-15": TAxis,
}

// mdcMeasures are numbers in ISO 11073-10101, as DICOM has them (PS3.16 CID 3227 to 3229).
var mdcMeasures = map[string]string{
	"2:16184": PDuration, "2:15872": PRInterval, "2:16156": QRSDuration, "2:16160": QTInterval, "2:15876": QTcInterval, "2:15880": QTcBazett,
	"2:15892": QTcFridericia, "2:16168": RRInterval, "2:16140": PPInterval, "2:16128": PAxis, "2:16132": QRSAxis, "2:16136": TAxis,
}

var loincMeasures = map[string]string{
	"8867-4": HeartRate, "8625-6": PRInterval, "8633-0": QRSDuration, "8634-8": QTInterval, "8636-3": QTcInterval,
	"8626-4": PAxis, "8632-1": QRSAxis, "8638-9": TAxis,
}

// measureByMDC writes a name of ISO 11073-10102 as the Measure constants have it, whatever its case; others stay as they are.
func measureByMDC(name string) string {
	for _, m := range measures {
		if strings.EqualFold(m.code, name) {
			return m.code
		}
	}
	return name
}

// mdcName is the code of an annotation when it is a name of ISO 11073-10102, or a wave's edge in SCP-ECG's tables.
func mdcName(c Coding) string {
	if _, ok := cutPrefixFold(c.Code, "MDC_"); ok {
		return c.Code
	}
	return scpMarks[c.Code]
}

var scpMarks = map[string]string{"5.7.1-3": "MDC_ECG_BEAT"}

// ucum writes units of files as UCUM does.
func ucum(unit string) string {
	switch strings.ToLower(unit) {
	case "{h.b.}/min", "bpm", "{beats}/min", "1/min", "/min", "{heart beats}/min", "{beat}/min":
		return "/min"
	case "degree", "degrees", "deg":
		return "deg"
	case "msec", "ms":
		return "ms"
	case "µv", "μv", "uv":
		return "uV"
	case "mv":
		return "mV"
	}
	return unit
}
