package imaging

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"concord/internal/fhir"
)

// modality is what the order or its task is coded with (DCM), else what its words name.
func (o *order) modality(st step) string {
	concepts := []fhir.Value{st.task.Get("code")}
	for _, m := range []string{"orderDetail", "code", "category", "performerType"} {
		concepts = slices.AppendSeq(concepts, o.resource.Get(m).Items())
	}
	for _, c := range concepts {
		for coding := range c.Get("coding").Items() {
			if code := coding.Get("code").Text(); coding.Get("system").Text() == systemDCM && len(code) <= 6 && strings.ToUpper(code) == code && !startsWithDigit(code) {
				return code
			}
		}
	}
	words := strings.ToUpper(describe(st.task.Get("code")) + " " + describe(o.resource.Get("code")))
	for _, w := range modalityWords() {
		if containsWord(words, w[0]) {
			return w[1]
		}
	}
	return ""
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// modalityWords are what orders call the modalities of PS3.3 C.7.3.1.1.1, the surest first.
func modalityWords() [][2]string {
	return [][2]string{
		{"PET", "PT"}, {"CT", "CT"}, {"MRI", "MR"}, {"MR", "MR"}, {"磁共振", "MR"}, {"核磁", "MR"}, {"钼靶", "MG"}, {"乳腺摄影", "MG"},
		{"超声", "US"}, {"彩超", "US"}, {"B超", "US"}, {"ULTRASOUND", "US"}, {"心电", "ECG"}, {"ECG", "ECG"}, {"EKG", "ECG"},
		{"内镜", "ES"}, {"胃镜", "ES"}, {"肠镜", "ES"}, {"造影", "XA"}, {"DR", "DX"}, {"X线", "DX"}, {"X光", "DX"}, {"平片", "DX"}, {"X-RAY", "DX"},
	}
}

// containsWord finds Latin words between other characters only: CT is in "胸部CT平扫" and not in "ACTIVE".
func containsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRuneInString(text[:from+i])
		after, _ := utf8.DecodeRuneInString(text[from+i+len(word):])
		latin := func(r rune) bool { return r < utf8.RuneSelf && unicode.IsLetter(r) }
		if !latin(rune(word[0])) || !latin(before) && !latin(after) {
			return true
		}
		from += i + len(word)
	}
}
