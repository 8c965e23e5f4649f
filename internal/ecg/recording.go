package ecg

import "time"

// Recording is one electrocardiogram as a file says it. Once read it is not changed; it may be shared.
type Recording struct {
	Format Format
	// Version of the format that the file names: "1.3" of SCP-ECG, the schema's name of aECG, the SOP Class of DICOM.
	Version string
	// ID is the file's own name of the recording: SOP Instance UID, id of the aECG (root, or root^extension); empty in SCP-ECG.
	ID string
	// StudyID, SeriesID are DICOM's UIDs; Accession and Order are what it was ordered as.
	StudyID, SeriesID, Accession, Order string

	Patient Patient
	// Acquired is when the first sample of the first rhythm group was taken, as far as the file says; Ended is the end that
	// it says (aECG).
	Acquired, Ended Time
	Device          Device
	Institution     string
	Department      string
	// Operator took it, Referring ordered it, Reading confirmed it.
	Operator, Referring, Reading string
	// Placement of the electrodes in the file's words: "Standard 12-lead", "Mason-Likar".
	Placement string
	// Reason and Comments are free text of the file: indication, remarks typed in at the cart.
	Reason   string
	Comments []string

	// Groups are the signals, rhythm first, in the order of the file. None has no leads.
	Groups []Group

	// Measurements are of the whole recording first, then by lead.
	Measurements []Measurement
	// Statements are the interpretation, in the order of the file.
	Statements  []Statement
	Annotations []Annotation

	// Remarks are what was tolerated: sentences that name places, never values of the patient.
	Remarks []string
}

// Patient is who the file says was recorded.
type Patient struct {
	// ID is the main identifier, Authority who gave it where the file says so (an OID, or Issuer of Patient ID); Others are further ones.
	ID, Authority string
	Others        []string
	// Name is the whole name for reading, in the order of the file's script. Family and Given are its parts, where told
	// apart; Names holds the writings of DICOM (alphabetic, ideographic, phonetic), decoded.
	Name          string
	Family, Given string
	Names         []string
	Sex           Sex
	// BirthDate is YYYY, YYYY-MM or YYYY-MM-DD; empty when unknown.
	BirthDate string
	// Age at acquisition, in Unit of UCUM (a, mo, wk, d, h); nil when the file does not say it.
	Age *Quantity
	// Height and Weight as sent.
	Height, Weight *Quantity
	Race           string
	// Medication, Diagnoses and Pacemaker are the file's words about the patient, where it has some.
	Medication, Diagnoses []string
	Pacemaker             string
}

// Sex is the administrative one, as FHIR says it; empty when the file does not say.
type Sex string

const (
	SexUnknown Sex = ""
	Male       Sex = "male"
	Female     Sex = "female"
	OtherSex   Sex = "other"
)

// Quantity is a number with a unit of UCUM.
type Quantity struct {
	Value float64
	Unit  string
}

// Device is what recorded; Analysis what interpreted, where the file tells them apart.
type Device struct {
	Manufacturer, Model, Serial, Software string
	// ID is the cart's identifier at its institution.
	ID string
	// Analysis names the program that measured and interpreted.
	Analysis string
}

// Time is a point in time with what is known of its zone. The zero value is an unknown time.
type Time struct {
	// Time is in UTC and means local time of nobody knows where unless Zoned; otherwise it has the file's zone.
	Time  time.Time
	Zoned bool
	// Day is set when only the date is known.
	Day bool
}

// IsZero tells that nothing is known.
func (t Time) IsZero() bool { return t.Time.IsZero() }

// String is the time in ISO 8601, without a zone when none is known; empty for the zero value.
func (t Time) String() string {
	switch {
	case t.IsZero():
		return ""
	case t.Day:
		return t.Time.Format("2006-01-02")
	case t.Zoned:
		return t.Time.Format("2006-01-02T15:04:05.999999Z07:00")
	}
	return t.Time.Format("2006-01-02T15:04:05.999999")
}

// Kind says what the signals of a group are.
type Kind uint8

const (
	Rhythm Kind = iota // as recorded
	Median             // a representative beat that a device computed: median, average or reference beat
	Other              // derived in another way, such as a second channel set of a stress test
)

// String is the kind's name.
func (k Kind) String() string { return [...]string{"rhythm", "median", "other"}[min(k, Other)] }

// Group is signals that were sampled together.
type Group struct {
	Kind  Kind
	Label string
	// Rate is in samples a second for each lead; it is greater than zero.
	Rate float64
	// Offset is how long after Recording.Acquired the group's first sample was taken; of a Median it has no meaning.
	Offset  time.Duration
	Filters Filters
	Leads   []Lead
}

// Len is the number of samples from the group's start to the end of its longest lead.
func (g Group) Len() int {
	n := 0
	for _, l := range g.Leads {
		n = max(n, l.Start+l.Samples.Len())
	}
	return n
}

// Duration is Len in time.
func (g Group) Duration() time.Duration {
	return time.Duration(float64(g.Len()) / g.Rate * float64(time.Second))
}

// Lead finds the first lead with the standard code.
func (g Group) Lead(code LeadCode) (Lead, bool) {
	for _, l := range g.Leads {
		if l.Code == code {
			return l, true
		}
	}
	return Lead{}, false
}

// Filters are frequencies in Hz; zero means not said.
type Filters struct {
	HighPass, LowPass, Notch float64
	// Other is what the file says in words or bits: "baseline filter, muscle filter".
	Other string
}

// Lead is one signal. Sample i was taken at (Start+i)/Rate + Skew after the group's start and is
// Samples.At(i)·Scale + Baseline in Unit, if it is not Missing.
type Lead struct {
	// Code is the standard lead; zero when Label is not one of those.
	Code LeadCode
	// Label is what to call it: the short name of Code ("aVR"), else the file's.
	Label    string
	Samples  Samples
	Scale    float64
	Baseline float64
	Unit     string // UCUM: "uV", "mV" of electrocardiograms; others of what else general waveforms hold
	// Start is how many samples after the group's start the lead begins (SCP-ECG section 3, 3×4 carts).
	Start int
	// Skew is what the device says the lead lags behind its group.
	Skew time.Duration
	// Derived is set when the device did not measure but compute it.
	Derived bool
}

// Microvolts is the factor and the offset that turn sample values into µV; ok is false when Unit is no voltage.
func (l Lead) Microvolts() (scale, baseline float64, ok bool) {
	f, ok := microvolts[l.Unit]
	return l.Scale * f, l.Baseline * f, ok
}

// MicrovoltsAt is sample i in µV; ok is false where it is missing, out of range, or Unit is no voltage.
func (l Lead) MicrovoltsAt(i int) (uV float64, ok bool) {
	scale, base, ok := l.Microvolts()
	if !ok || i < 0 || i >= l.Samples.Len() {
		return 0, false
	}
	v := l.Samples.At(i)
	return float64(v)*scale + base, v != Missing
}

var microvolts = map[string]float64{"nV": 0.001, "uV": 1, "mV": 1e3, "V": 1e6}

// Measurement is one number that the device, or a reader, found.
type Measurement struct {
	// Code is of ISO 11073-10102 where known ("MDC_ECG_TIME_PD_QT", see the Measure constants); else empty.
	Code string
	// Sent is the file's code and Name its words.
	Sent Coding
	Name string
	Quantity
	// Lead it belongs to; zero for the whole recording.
	Lead LeadCode
	// Group is the index in Groups of the signals it was measured on, −1 for the recording.
	Group int
}

// Coding is a code in the words of a file.
type Coding struct{ System, Code, Display string }

// The measurements of the whole recording that formats share, by ISO 11073-10102. Units are /min, ms and deg.
const (
	HeartRate       = "MDC_ECG_HEART_RATE"
	VentricularRate = "MDC_ECG_HEART_RATE_VENT"
	AtrialRate      = "MDC_ECG_HEART_RATE_ATRIAL"
	PDuration       = "MDC_ECG_TIME_PD_P"
	PRInterval      = "MDC_ECG_TIME_PD_PR"
	QRSDuration     = "MDC_ECG_TIME_PD_QRS"
	QTInterval      = "MDC_ECG_TIME_PD_QT"
	QTcInterval     = "MDC_ECG_TIME_PD_QTc"
	QTcBazett       = "MDC_ECG_TIME_PD_QTcB"
	QTcFridericia   = "MDC_ECG_TIME_PD_QTcF"
	RRInterval      = "MDC_ECG_TIME_PD_RR"
	PPInterval      = "MDC_ECG_TIME_PD_PP"
	PAxis           = "MDC_ECG_ANGLE_P_FRONT"
	QRSAxis         = "MDC_ECG_ANGLE_QRS_FRONT"
	TAxis           = "MDC_ECG_ANGLE_T_FRONT"
)

// Measured finds the first measurement of the whole recording with one of the codes, in their order.
func (r *Recording) Measured(codes ...string) (Measurement, bool) {
	for _, code := range codes {
		for _, m := range r.Measurements {
			if m.Code == code && m.Lead == 0 {
				return m, true
			}
		}
	}
	return Measurement{}, false
}

// Statement is one line of the interpretation.
type Statement struct {
	Text string
	Sent Coding
	// Status is the file's: "original" (device), "confirmed", "overread"; empty when it does not say.
	Status string
}

// Annotation marks a place: a wave's onset, a beat, a pacemaker's spike, an event button.
type Annotation struct {
	// Code is of ISO 11073-10102 where known, else empty; Sent and Text as the file has it.
	Code string
	Sent Coding
	Text string
	// Group is the index in Groups; −1 when the file does not say or the time lies in none.
	Group int
	// Leads it is limited to; nil for all.
	Leads []LeadCode
	// From and To are sample positions counted from 0 at the group's start; equal for a point. Both are −1 when no place is given.
	From, To int
	// Value, where the mark has one: a spike's amplitude.
	Value *Quantity
}

// PacemakerSpike is the Code of an Annotation at a pacemaker's spike.
const PacemakerSpike = "MDC_ECG_PACED_BEAT_SPIKE"

// Median yields the first group of representative beats.
func (r *Recording) Median() (Group, bool) { return r.first(Median) }

// Rhythm yields the first group as recorded.
func (r *Recording) Rhythm() (Group, bool) { return r.first(Rhythm) }

func (r *Recording) first(k Kind) (Group, bool) {
	for _, g := range r.Groups {
		if g.Kind == k {
			return g, true
		}
	}
	return Group{}, false
}

// remark adds a sentence, once, and not more of them than a reader would want.
func (r *Recording) remark(sentence string) {
	for _, s := range r.Remarks {
		if s == sentence {
			return
		}
	}
	if len(r.Remarks) < 32 {
		r.Remarks = append(r.Remarks, sentence)
	}
}
