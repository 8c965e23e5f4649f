package export

import "concord/internal/ecg"

// findings are the Waveform Annotation Sequence (C.10.10): statements and measurements of the whole recording.
func findings(rec *ecg.Recording) []attributes {
	var all []attributes
	at := func(group int, a attributes) {
		a[0x0040A0B0] = numbers("US", float64(min(max(group, 0), len(rec.Groups)-1)+1), 0)
		a[0x0040A180] = numbers("US", float64(max(group, 0)))
		all = append(all, a)
	}
	for _, s := range rec.Statements {
		if s.Text != "" {
			at(0, attributes{0x00700006: text("ST", s.Text)})
		}
	}
	for _, m := range rec.Measurements {
		concept, ok := concepts[m.Code]
		if !ok || m.Lead != 0 || !finite(m.Value) {
			continue
		}
		at(m.Group, attributes{
			0x004008EA: items(code("UCUM", m.Unit, m.Unit)),
			0x0040A043: items(code(concept.scheme, concept.code, concept.meaning)),
			0x0040A30A: numbers("DS", m.Value),
		})
	}
	return all
}

// concepts are the names of measurements in DICOM (PS3.16 CID 3227 to 3229; rates as SCP-ECG numbers them).
var concepts = map[string]struct{ scheme, code, meaning string }{
	ecg.HeartRate:       {"SCPECG", "5.10.2.5-1", "Ventricular Heart Rate"},
	ecg.VentricularRate: {"SCPECG", "5.10.2.5-1", "Ventricular Heart Rate"},
	ecg.AtrialRate:      {"SCPECG", "5.10.2.5-3", "Atrial Heart Rate"},
	ecg.PDuration:       {"MDC", "2:16184", "P duration global"},
	ecg.PRInterval:      {"MDC", "2:15872", "PR interval global"},
	ecg.QRSDuration:     {"MDC", "2:16156", "QRS duration global"},
	ecg.QTInterval:      {"MDC", "2:16160", "QT interval global"},
	ecg.QTcInterval:     {"MDC", "2:15876", "QTc interval global"},
	ecg.QTcBazett:       {"MDC", "2:15880", "QTc global using Bazett formula"},
	ecg.QTcFridericia:   {"MDC", "2:15892", "QTc global using Fredericia formula"},
	ecg.RRInterval:      {"MDC", "2:16168", "RR interval global"},
	ecg.PPInterval:      {"MDC", "2:16140", "PP interval global"},
	ecg.PAxis:           {"MDC", "2:16128", "P Axis"},
	ecg.QRSAxis:         {"MDC", "2:16132", "QRS axis"},
	ecg.TAxis:           {"MDC", "2:16136", "T axis"},
}
