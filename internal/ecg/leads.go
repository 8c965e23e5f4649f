package ecg

import "strconv"

// LeadCode is a lead by its number in SCP-ECG (EN 1064 table 8), which is its number in ISO 11073-10102 and, behind
// "5.6.3-9-", in DICOM's CID 3001, too. Zero is no standard lead.
type LeadCode uint8

// The twelve, and those of Frank, by number.
const (
	I   LeadCode = 1
	II  LeadCode = 2
	V1  LeadCode = 3
	V2  LeadCode = 4
	V3  LeadCode = 5
	V4  LeadCode = 6
	V5  LeadCode = 7
	V6  LeadCode = 8
	X   LeadCode = 16
	Y   LeadCode = 17
	Z   LeadCode = 18
	III LeadCode = 61
	AVR LeadCode = 62
	AVL LeadCode = 63
	AVF LeadCode = 64
)

// Twelve are the standard leads in the order in which they are shown.
func Twelve() []LeadCode { return []LeadCode{I, II, III, AVR, AVL, AVF, V1, V2, V3, V4, V5, V6} }

// leadNames are short names by number; MDC names are "MDC_ECG_LEAD_" before them.
var leadNames = [...]string{
	1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6", 9: "V7", 10: "V2R", 11: "V3R", 12: "V4R", 13: "V5R",
	14: "V6R", 15: "V7R", 16: "X", 17: "Y", 18: "Z", 19: "CC5", 20: "CM5", 21: "LA", 22: "RA", 23: "LL", 24: "fI", 25: "fE",
	26: "fC", 27: "fA", 28: "fM", 29: "fF", 30: "fH", 31: "dI", 32: "dII", 33: "dV1", 34: "dV2", 35: "dV3", 36: "dV4",
	37: "dV5", 38: "dV6", 39: "dV7", 40: "dV2R", 41: "dV3R", 42: "dV4R", 43: "dV5R", 44: "dV6R", 45: "dV7R", 46: "dX",
	47: "dY", 48: "dZ", 49: "dCC5", 50: "dCM5", 51: "dLA", 52: "dRA", 53: "dLL", 54: "dfI", 55: "dfE", 56: "dfC", 57: "dfA",
	58: "dfM", 59: "dfF", 60: "dfH", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR", 66: "V8", 67: "V9", 68: "V8R",
	69: "V9R", 70: "D", 71: "A", 72: "J", 73: "Defib", 74: "Extern", 75: "A1", 76: "A2", 77: "A3", 78: "A4", 79: "dV8", 80: "dV9",
	81: "dV8R", 82: "dV9R", 83: "dD", 84: "dA", 85: "dJ", 86: "Chest", 87: "V", 88: "VR", 89: "VL", 90: "VF", 91: "MCL",
	92: "MCL1", 93: "MCL2", 94: "MCL3", 95: "MCL4", 96: "MCL5", 97: "MCL6", 98: "CC", 99: "CC1", 100: "CC2", 101: "CC3",
	102: "CC4", 103: "CC6", 104: "CC7", 105: "CM", 106: "CM1", 107: "CM2", 108: "CM3", 109: "CM4", 110: "CM6", 111: "dIII",
	112: "daVR", 113: "daVL", 114: "daVF", 115: "d-aVR", 116: "dChest", 117: "dV", 118: "dVR", 119: "dVL", 120: "dVF",
	121: "CM7", 122: "CH5", 123: "CS5", 124: "CB5", 125: "CR5", 126: "ML", 127: "AB1", 128: "AB2", 129: "AB3", 130: "AB4",
	131: "ES", 132: "AS", 133: "AI", 134: "S", 147: "MCL",
}

// String is the short name ("aVR"); empty for codes without one.
func (c LeadCode) String() string {
	if int(c) < len(leadNames) {
		return leadNames[c]
	}
	return ""
}

// MDC is the name in ISO 11073-10102 ("MDC_ECG_LEAD_AVR" is written with the short name's own letters: MDC_ECG_LEAD_aVR).
func (c LeadCode) MDC() string {
	if c.String() == "" {
		return ""
	}
	return "MDC_ECG_LEAD_" + c.String()
}

// Number is the code with its partition in ISO 11073-10101 ("2:62"), as DICOM's CID 3001 has it under the scheme MDC.
func (c LeadCode) Number() string { return "2:" + strconv.Itoa(int(c)) }

// SCP is the code in DICOM's older scheme SCPECG ("5.6.3-9-62").
func (c LeadCode) SCP() string { return "5.6.3-9-" + strconv.Itoa(int(c)) }
