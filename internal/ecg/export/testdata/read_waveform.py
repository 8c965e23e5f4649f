"""Prints what pydicom makes of a waveform: for each group a line of its facts, then the sum and the first and last µV of each channel."""

import json
import sys

import pydicom

ds = pydicom.dcmread(sys.argv[1])
groups = []
for i, item in enumerate(ds.WaveformSequence):
    values = ds.waveform_array(i)
    groups.append({
        "rate": float(item.SamplingFrequency),
        "samples": int(item.NumberOfWaveformSamples),
        "leads": [c.ChannelSourceSequence[0].CodeMeaning for c in item.ChannelDefinitionSequence],
        "first": [float(v) for v in values[0]],
        "last": [float(v) for v in values[-1]],
        "sum": [float(values[:, k].sum()) for k in range(values.shape[1])],
    })
json.dump({"name": str(ds.PatientName), "class": ds.SOPClassUID, "groups": groups}, sys.stdout)
