package export

import (
	"encoding/json"
	"io"

	"concord/hub"
	"concord/internal/ecg"
)

// Unit is of the voltages in a CSV.
type Unit string

const (
	Microvolt Unit = "uV"
	Millivolt Unit = "mV"
)

// CSV writes one group, a column of seconds and one of each lead; missing samples are empty fields.
func CSV(w io.Writer, g ecg.Group, unit Unit) error { return todo() }

// SampledData is the lead as the FHIR data type (R4 datatypes.html#sampleddata): E, U and L of its data are a missing
// sample, and those beyond what the lead's numbers can hold.
func SampledData(g ecg.Group, l ecg.Lead) (json.RawMessage, error) { return nil, todo() }

// Identity is what a written object is named by. UIDs are the caller's to derive, so that the same recording gets the
// same ones again.
type Identity struct {
	Study, Series, Instance string // UIDs
}

// DICOM writes a Part 10 file: 12-lead ECG, general ECG or ambulatory ECG, whichever the signals fit.
func DICOM(w io.Writer, rec *ecg.Recording, id Identity) error { return todo() }

// AECG writes an HL7 annotated ECG (HL7 V3 PORT_MT020001) whose id has root, a UID or UUID.
func AECG(w io.Writer, rec *ecg.Recording, root string) error { return todo() }

func todo() error { return &hub.Error{Kind: hub.Unsupported, Msg: "not written yet"} }
