#!/usr/bin/env python3
"""Prints what pydicom, an implementation that is not ours, finds in the DICOM files of a folder.

    truth.py CORPUS > truth.tsv

Columns: file, Study, Series and SOP Instance UID, Patient ID, number of frames, and the SHA-256 over the raw bytes of
the frames in order, each after its length in decimal and a line feed. Files that pydicom cannot read, or that lack a
UID, are left out; the frame columns are "-" where it sees no frames that can be told apart.
"""
import gzip, hashlib, io, os, sys, warnings

import pydicom
from pydicom.encaps import generate_frames

warnings.simplefilter("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def frames(ds):
    data = ds.get("PixelData")
    if data is None:
        data = ds.get("FloatPixelData") or ds.get("DoubleFloatPixelData")
    if not data:
        return []
    count = int(ds.get("NumberOfFrames") or 1)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == "1.2.840.10008.1.2.4.111" or syntax.is_encapsulated:  # JPEG XL recompression is beyond pydicom 3.0
        return list(generate_frames(data, number_of_frames=count))
    samples = 2 if ds.PhotometricInterpretation in ("YBR_FULL_422", "YBR_PARTIAL_422") else ds.SamplesPerPixel
    bits = ds.Rows * ds.Columns * samples * ds.BitsAllocated
    if bits % 8:
        return []
    size = bits // 8
    if count * size > len(data):
        return []
    return [data[i * size:(i + 1) * size] for i in range(count)]


def line(name, raw):
    ds = pydicom.dcmread(io.BytesIO(raw), force=False)
    uids = [str(ds.get(k) or "") for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    if not all(uids):
        return None
    try:
        list_of = frames(ds)
    except Exception as e:
        print(f"{name}: {e}", file=sys.stderr)
        list_of = []
    digest = hashlib.sha256()
    for f in list_of:
        digest.update(b"%d\n" % len(f) + f)
    return [name, *uids, str(ds.get("PatientID") or ""), str(len(list_of) or "-"), digest.hexdigest() if list_of else "-"]


def main(corpus):
    root = os.path.join(corpus, "dicom")
    for folder, below, files in sorted(os.walk(root)):
        rel = os.path.relpath(folder, root)
        if rel.startswith("expected"):
            continue
        for f in sorted(files):
            name = os.path.normpath(os.path.join(rel, f))
            with open(os.path.join(folder, f), "rb") as file:
                raw = file.read()
            if "deflate-bomb" in name or name.endswith(".txt"):
                continue
            try:
                row = line(name, raw)
            except (Exception, RecursionError) as e:
                print(f"{name}: {type(e).__name__} {e}", file=sys.stderr)
                continue
            if row:
                print("\t".join(row))


main(sys.argv[1])
