package quality

// Code names what was found.
type Code string

const (
	NoSignal       Code = "no-signal"
	VerySlow       Code = "very-low-sampling-rate"
	Slow           Code = "low-sampling-rate"
	VeryShort      Code = "very-short"
	Short          Code = "short"
	FewLeads       Code = "few-leads"
	MissingLead    Code = "missing-lead"
	AllFlat        Code = "all-leads-flat"
	FlatLead       Code = "flat-lead"
	FlatLimbLead   Code = "flat-limb-lead"
	FlatStretch    Code = "flat-stretch"
	Gaps           Code = "gaps"
	Clipped        Code = "clipped"
	BaselineWander Code = "baseline-wander"
	MainsNoise     Code = "mains-noise"
	MuscleNoise    Code = "muscle-noise"
	Einthoven      Code = "einthoven-violated"
	Goldberger     Code = "goldberger-violated"
	ArmsSwapped    Code = "arm-electrodes-swapped"
	LegSwapped     Code = "arm-and-leg-electrodes-swapped"
)

// kind is what is the same for all findings of a code. Its words take the lead, where it is about one, then value and
// threshold.
type kind struct {
	severity         Severity
	cost, most       int // points off the score: of each finding, and of all of its code
	unit             string
	perLead          bool
	english, chinese string
}

var kinds = map[Code]kind{
	NoSignal: {Fatal, 100, 100, "1", false, "There is no signal: %v leads with voltages of at least %v.",
		"无信号：有电压的导联 %v 个，至少需 %v 个。"},
	VerySlow: {Warning, 40, 40, "Hz", false, "Sampled %v times a second; below %v, QRS and pacemaker spikes are distorted.",
		"采样率 %v Hz，低于 %v Hz，QRS 波与起搏脉冲失真。"},
	Slow: {Note, 5, 5, "Hz", false, "Sampled %v times a second; %v are recommended for twelve leads.",
		"采样率 %v Hz，低于十二导联推荐的 %v Hz。"},
	VeryShort: {Warning, 40, 40, "s", false, "It lasts %v s; less than %v s does not show a rhythm.",
		"记录时长 %v s，不足 %v s，无法判断节律。"},
	Short: {Note, 10, 10, "s", false, "It lasts %v s; %v s are usual.", "记录时长 %v s，短于常规的 %v s。"},
	FewLeads: {Warning, 40, 40, "1", false, "It has %v of the %v standard leads.",
		"标准导联仅有 %v 个（共 %v 个）。"},
	MissingLead: {Warning, 10, 40, "1", true, "Lead %s is missing (%v samples of at least %v).", "缺少 %s 导联（采样点 %v，至少 %v）。"},
	AllFlat: {Fatal, 100, 100, "uV", false, "Every lead is flat: none has more than %v µV between its extremes, at least %v are expected.",
		"所有导联均为平线：幅度最大 %v µV，至少应有 %v µV。"},
	FlatLead: {Warning, 20, 60, "uV", true, "Lead %s is flat (%v µV between its extremes, at least %v are expected): electrode off?",
		"%s 导联为平线（幅度 %v µV，至少应有 %v µV）：电极脱落？"},
	FlatLimbLead: {Warning, 40, 40, "uV", true, "Only limb lead %s is flat (%v µV, at least %v are expected): an arm electrode may be swapped with that of the right leg.",
		"仅肢体导联 %s 为平线（%v µV，至少应有 %v µV）：上肢电极可能与右下肢电极接反。"},
	FlatStretch: {Warning, 10, 30, "s", true, "Lead %s does not move for %v s (more than %v s): electrode off for a while?",
		"%s 导联有 %v s 无变化（超过 %v s）：电极曾脱落？"},
	Gaps: {Warning, 5, 30, "%", true, "Lead %s lacks %v %% of its samples (more than %v %%).", "%s 导联缺失 %v%% 的采样点（超过 %v%%）。"},
	Clipped: {Warning, 15, 45, "ms", true, "Lead %s is cut off at its highest or lowest value for %v ms (more than %v ms): amplifier saturated?",
		"%s 导联在最高或最低值处被削平共 %v ms（超过 %v ms）：放大器饱和？"},
	BaselineWander: {Warning, 4, 24, "uV", true, "The base line of lead %s wanders by %v µV (more than %v).", "%s 导联基线漂移 %v µV（超过 %v µV）。"},
	MainsNoise:     {Warning, 4, 24, "uV", true, "Lead %s has %v µV of mains hum (more than %v).", "%s 导联工频干扰 %v µV（超过 %v µV）。"},
	MuscleNoise:    {Warning, 5, 40, "uV", true, "Lead %s has %v µV of noise between the beats (more than %v): muscle tremor or a loose electrode?", "%s 导联心搏间噪声 %v µV（超过 %v µV）：肌电干扰或电极松动？"},
	Einthoven: {Warning, 30, 30, "uV", false, "I + III differs from II by %v µV (more than %v): the limb leads are not of the same moment, or mislabelled.",
		"I + III 与 II 相差 %v µV（超过 %v µV）：肢体导联非同步记录或标注有误。"},
	Goldberger: {Warning, 30, 30, "uV", false, "aVR + aVL + aVF is %v µV away from zero (more than %v): the augmented leads do not belong together.",
		"aVR + aVL + aVF 偏离零 %v µV（超过 %v µV）：加压肢体导联不一致。"},
	ArmsSwapped: {Warning, 40, 40, "uV", true, "Lead %s is upside down (QRS %v µV, beyond %v) while aVR is upright: arm electrodes swapped, or dextrocardia?",
		"%s 导联倒置（QRS %v µV，超过 %v µV）而 aVR 直立：左右上肢电极接反，或右位心？"},
	LegSwapped: {Warning, 40, 40, "uV", true, "Lead %s is upside down (QRS %v µV, beyond %v) while aVR is upright: right arm and left leg electrodes swapped?",
		"%s 导联倒置（QRS %v µV，超过 %v µV）而 aVR 直立：右上肢与左下肢电极接反？"},
}

// Codes are all that can be found, for whoever shows or translates them.
func Codes() map[Code]Severity {
	all := map[Code]Severity{}
	for code, k := range kinds {
		all[code] = k.severity
	}
	return all
}

// Thresholds are when a check speaks up.
type Thresholds struct {
	LeastRate, GoodRate       float64 // samples a second: 250 and 500
	LeastSeconds, GoodSeconds float64 // 5 and 9.5
	Flat                      float64 // µV between the extremes: 50
	FlatSeconds               float64 // without any movement: 1
	MissingPercent            float64 // of a lead's samples: 1
	ClippedMillis             float64 // at an extreme: 40
	Wander                    float64 // µV: 500
	Mains                     float64 // µV of amplitude: 40
	Muscle                    float64 // µV, root of the mean square: 25
	Disagreement              float64 // µV that laws of the limb leads may be missed by: 100
	Inverted                  float64 // µV of net QRS in a lead that should be upright: -100
}

// Defaults are what is used where a field is zero.
func Defaults() Thresholds {
	return Thresholds{LeastRate: 250, GoodRate: 500, LeastSeconds: 5, GoodSeconds: 9.5, Flat: 50, FlatSeconds: 1, MissingPercent: 1,
		ClippedMillis: 40, Wander: 500, Mains: 40, Muscle: 25, Disagreement: 100, Inverted: -100}
}

func (t Thresholds) withDefaults() Thresholds {
	d := Defaults()
	for _, f := range []struct {
		v *float64
		d float64
	}{
		{&t.LeastRate, d.LeastRate}, {&t.GoodRate, d.GoodRate}, {&t.LeastSeconds, d.LeastSeconds}, {&t.GoodSeconds, d.GoodSeconds},
		{&t.Flat, d.Flat}, {&t.FlatSeconds, d.FlatSeconds}, {&t.MissingPercent, d.MissingPercent}, {&t.ClippedMillis, d.ClippedMillis},
		{&t.Wander, d.Wander}, {&t.Mains, d.Mains}, {&t.Muscle, d.Muscle}, {&t.Disagreement, d.Disagreement}, {&t.Inverted, d.Inverted},
	} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return t
}
