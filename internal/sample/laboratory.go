package sample

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Analyte is what a laboratory measures in one tube, with the interval it prints beside the value.
type Analyte struct {
	LOINC, Display string // Display is LOINC's long name
	Chinese        string
	Panel          string
	UCUM, Unit     string
	Men, Women     [2]float64 // reference interval; 0 as lower bound means none
	Decimals       int
}

// same gives an analyte one interval for men and women.
func same(a Analyte, low, high float64) Analyte {
	a.Men, a.Women = [2]float64{low, high}, [2]float64{low, high}
	return a
}

// Analytes is the laboratory's catalogue: blood count, liver, kidney, electrolytes, glucose and lipids. The intervals
// are plausible ones for adults, made to look real; they are no source for anything.
func Analytes() []Analyte {
	return []Analyte{
		same(Analyte{LOINC: "6690-2", Display: "Leukocytes [#/volume] in Blood by Automated count", Chinese: "白细胞计数", Panel: "血常规", UCUM: "10*9/L", Unit: "10^9/L", Decimals: 2}, 3.5, 9.5),
		{"789-8", "Erythrocytes [#/volume] in Blood by Automated count", "红细胞计数", "血常规", "10*12/L", "10^12/L", [2]float64{4.3, 5.8}, [2]float64{3.8, 5.1}, 2},
		{"718-7", "Hemoglobin [Mass/volume] in Blood", "血红蛋白", "血常规", "g/L", "g/L", [2]float64{130, 175}, [2]float64{115, 150}, 0},
		same(Analyte{LOINC: "777-3", Display: "Platelets [#/volume] in Blood by Automated count", Chinese: "血小板计数", Panel: "血常规", UCUM: "10*9/L", Unit: "10^9/L"}, 125, 350),
		same(Analyte{LOINC: "2885-2", Display: "Protein [Mass/volume] in Serum or Plasma", Chinese: "总蛋白", Panel: "肝功能", UCUM: "g/L", Unit: "g/L", Decimals: 1}, 65, 85),
		same(Analyte{LOINC: "1751-7", Display: "Albumin [Mass/volume] in Serum or Plasma", Chinese: "白蛋白", Panel: "肝功能", UCUM: "g/L", Unit: "g/L", Decimals: 1}, 40, 55),
		same(Analyte{LOINC: "14631-6", Display: "Bilirubin.total [Moles/volume] in Serum or Plasma", Chinese: "总胆红素", Panel: "肝功能", UCUM: "umol/L", Unit: "μmol/L", Decimals: 1}, 0, 23),
		same(Analyte{LOINC: "14629-0", Display: "Bilirubin.direct [Moles/volume] in Serum or Plasma", Chinese: "直接胆红素", Panel: "肝功能", UCUM: "umol/L", Unit: "μmol/L", Decimals: 1}, 0, 8),
		{"1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "丙氨酸氨基转移酶", "肝功能", "U/L", "U/L", [2]float64{9, 50}, [2]float64{7, 40}, 0},
		{"1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma", "天门冬氨酸氨基转移酶", "肝功能", "U/L", "U/L", [2]float64{15, 40}, [2]float64{13, 35}, 0},
		{"2324-2", "Gamma glutamyl transferase [Enzymatic activity/volume] in Serum or Plasma", "γ-谷氨酰转移酶", "肝功能", "U/L", "U/L", [2]float64{10, 60}, [2]float64{7, 45}, 0},
		{"6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma", "碱性磷酸酶", "肝功能", "U/L", "U/L", [2]float64{45, 125}, [2]float64{50, 135}, 0},
		{"14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "肌酐", "肾功能", "umol/L", "μmol/L", [2]float64{57, 97}, [2]float64{41, 73}, 0},
		{"22664-7", "Urea [Moles/volume] in Serum or Plasma", "尿素", "肾功能", "mmol/L", "mmol/L", [2]float64{3.1, 8.0}, [2]float64{2.6, 7.5}, 2},
		{"14933-6", "Urate [Moles/volume] in Serum or Plasma", "尿酸", "肾功能", "umol/L", "μmol/L", [2]float64{208, 428}, [2]float64{155, 357}, 0},
		same(Analyte{LOINC: "2823-3", Display: "Potassium [Moles/volume] in Serum or Plasma", Chinese: "钾", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 3.5, 5.3),
		same(Analyte{LOINC: "2951-2", Display: "Sodium [Moles/volume] in Serum or Plasma", Chinese: "钠", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 1}, 137, 147),
		same(Analyte{LOINC: "2075-0", Display: "Chloride [Moles/volume] in Serum or Plasma", Chinese: "氯", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 1}, 99, 110),
		same(Analyte{LOINC: "2000-8", Display: "Calcium [Moles/volume] in Serum or Plasma", Chinese: "钙", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 2.11, 2.52),
		same(Analyte{LOINC: "2601-3", Display: "Magnesium [Moles/volume] in Serum or Plasma", Chinese: "镁", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 0.75, 1.02),
		same(Analyte{LOINC: "14879-1", Display: "Phosphate [Moles/volume] in Serum or Plasma", Chinese: "无机磷", Panel: "电解质", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 0.85, 1.51),
		same(Analyte{LOINC: "14771-0", Display: "Fasting glucose [Moles/volume] in Serum or Plasma", Chinese: "空腹血糖", Panel: "血糖", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 3.9, 6.1),
		same(Analyte{LOINC: "4548-4", Display: "Hemoglobin A1c/Hemoglobin.total in Blood", Chinese: "糖化血红蛋白", Panel: "血糖", UCUM: "%", Unit: "%", Decimals: 1}, 4, 6),
		same(Analyte{LOINC: "14647-2", Display: "Cholesterol [Moles/volume] in Serum or Plasma", Chinese: "总胆固醇", Panel: "血脂", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 0, 5.18),
		same(Analyte{LOINC: "14927-8", Display: "Triglyceride [Moles/volume] in Serum or Plasma", Chinese: "甘油三酯", Panel: "血脂", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 0, 1.7),
		same(Analyte{LOINC: "14646-4", Display: "Cholesterol in HDL [Moles/volume] in Serum or Plasma", Chinese: "高密度脂蛋白胆固醇", Panel: "血脂", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 1.04, 1.9),
		same(Analyte{LOINC: "22748-8", Display: "Cholesterol in LDL [Moles/volume] in Serum or Plasma", Chinese: "低密度脂蛋白胆固醇", Panel: "血脂", UCUM: "mmol/L", Unit: "mmol/L", Decimals: 2}, 0, 3.37),
	}
}

// LabObservations are n final results as FHIR Observations, each analyte once at the time given, then again a month
// earlier, and so on. Subject is a literal reference such as "Patient/1" or "urn:uuid:…".
func LabObservations(seed uint64, subject string, n int, at time.Time) [][]byte {
	male, r, analytes := NewPerson(seed).Male, dice(seed, "laboratory"), Analytes()
	out := make([][]byte, n)
	for i := range out {
		round := i / len(analytes)
		out[i] = encode(observation(r, analytes[i%len(analytes)], male, subject, at.AddDate(0, -round, 0)))
	}
	return out
}

func observation(r *rand.Rand, a Analyte, male bool, subject string, at time.Time) object {
	interval := a.Women
	if male {
		interval = a.Men
	}
	value := measured(r, interval, a.Decimals)
	quantity := func(v float64) object {
		return object{"value": fixed(v, a.Decimals), "unit": a.Unit, "system": ucum, "code": a.UCUM}
	}
	reference := object{"high": quantity(interval[1])}
	if interval[0] > 0 {
		reference["low"] = quantity(interval[0])
	}
	flag, word := "N", "正常"
	switch {
	case value < interval[0]:
		flag, word = "L", "偏低"
	case value > interval[1]:
		flag, word = "H", "偏高"
	}
	return object{
		"resourceType":      "Observation",
		"status":            "final",
		"category":          list{concept(observationCategory, "laboratory", "Laboratory", "检验")},
		"code":              concept(loinc, a.LOINC, a.Display, a.Chinese),
		"subject":           object{"reference": subject},
		"effectiveDateTime": instant(at),
		"issued":            instant(at.Add(90 * time.Minute)),
		"valueQuantity":     quantity(value),
		"interpretation":    list{concept(interpretation, flag, "", word)},
		"referenceRange":    list{reference},
	}
}

// measured is mostly inside the interval, about one time in seven beside it, and never absurd.
func measured(r *rand.Rand, interval [2]float64, decimals int) float64 {
	low, high := interval[0], interval[1]
	if low == 0 {
		low = high / 4
	}
	v := (low+high)/2 + r.NormFloat64()*(high-low)/3
	v = min(high+(high-low), max(low*0.6, v))
	scale := math.Pow10(decimals)
	return math.Round(v*scale) / scale
}

// fixed writes a number with all its decimals, as a laboratory does: 5.30, not 5.3.
func fixed(v float64, decimals int) number { return number(strconv.FormatFloat(v, 'f', decimals, 64)) }
