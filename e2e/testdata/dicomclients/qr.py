"""pynetdicom as a workstation and a modality: finds, gets and moves what a folder of files holds, by every level.

    qr.py HOST PORT HUB_AET OUR_AET OUR_PORT FOLDER

The files of FOLDER are in the hub already. Each data set that comes back must have the very bytes of its file. It prints
nothing when all is well.
"""

import pathlib
import sys

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt, register_uid
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind as PatientFind,
    PatientRootQueryRetrieveInformationModelGet as PatientGet,
    StudyRootQueryRetrieveInformationModelFind as StudyFind,
    StudyRootQueryRetrieveInformationModelGet as StudyGet,
    StudyRootQueryRetrieveInformationModelMove as StudyMove,
)

import calm  # noqa: F401

host, port, hub, ours, our_port, folder = sys.argv[1:]
faults = []


def check(ok, text):
    if not ok:
        faults.append(text)


def data_set_of(path):
    """The bytes behind preamble and group 2."""
    with open(path, "rb") as f:
        f.seek(132)
        head = f.read(12)
        f.seek(144 + int.from_bytes(head[8:12], "little"))
        return f.read()


class Stored:
    def __init__(self, path):
        ds = dcmread(path, stop_before_pixels=True)
        self.uid, self.sop_class = str(ds.SOPInstanceUID), str(ds.SOPClassUID)
        self.syntax = str(ds.file_meta.TransferSyntaxUID)
        self.study, self.series = str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)
        self.patient = str(ds.get("PatientID", ""))
        self.date = str(ds.get("StudyDate", ""))
        self.bytes = data_set_of(path)


files, by_uid = [], {}
for path in sorted(pathlib.Path(folder).iterdir()):
    f = Stored(path)
    if f.uid not in by_uid:  # the first of a UID is what is shown
        files.append(f)
        by_uid[f.uid] = f


for n, sop_class in enumerate(sorted({f.sop_class for f in files})):
    try:  # retired and private ones are not known to the library
        register_uid(sop_class, f"Class{n}", StorageServiceClass)
    except ValueError:
        pass


def query(level, **keys):
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def find(model, ds, fuzzy=False):
    ae = AE(ours)
    ae.add_requested_context(model)
    ext = []
    if fuzzy:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, b"\x01\x01\x01\x00\x00"
        ext.append(item)
    assoc = ae.associate(host, int(port), ae_title=hub, ext_neg=ext)
    assert assoc.is_established, "no association"
    rows, status = [], None
    for status, identifier in assoc.send_c_find(ds, model):
        if status.Status in (0xFF00, 0xFF01):
            rows.append(identifier)
    assoc.release()
    check(status.Status == 0, f"C-FIND {ds.QueryRetrieveLevel} ends with {status.Status:04X} {status.get('ErrorComment', '')}")
    return rows


def find_everything():
    studies = {f.study for f in files}
    rows = find(StudyFind, query("STUDY", StudyInstanceUID="", PatientName="", NumberOfStudyRelatedInstances="", ModalitiesInStudy=""))
    check({str(r.StudyInstanceUID) for r in rows} == studies, f"STUDY finds {len(rows)} of {len(studies)} studies")
    for r in rows:
        count = sum(f.study == r.StudyInstanceUID for f in files)
        check(int(r.NumberOfStudyRelatedInstances) == count, f"{r.StudyInstanceUID} has {count} instances, not {r.NumberOfStudyRelatedInstances}")
        check(str(r.RetrieveAETitle) == hub, "no Retrieve AE Title")
    for patient in {f.patient for f in files if f.patient}:
        rows = find(PatientFind, query("PATIENT", PatientID=patient, PatientName=""))
        check(len(rows) == 1 and str(rows[0].PatientID) == patient, f"PATIENT by ID finds {len(rows)}")
    for study in studies:
        rows = find(StudyFind, query("SERIES", StudyInstanceUID=study, SeriesInstanceUID="", Modality=""))
        check({str(r.SeriesInstanceUID) for r in rows} == {f.series for f in files if f.study == study}, f"SERIES of {study}")
    for series in {(f.study, f.series) for f in files}:
        rows = find(StudyFind, query("IMAGE", StudyInstanceUID=series[0], SeriesInstanceUID=series[1], SOPInstanceUID=""))
        check({str(r.SOPInstanceUID) for r in rows} == {f.uid for f in files if f.series == series[1]}, f"IMAGE of {series[1]}")
    rows = find(StudyFind, query("STUDY", StudyInstanceUID=sorted(studies)[:3], PatientID=""))
    check(len(rows) == min(3, len(studies)), f"a list of UIDs finds {len(rows)}")
    rows = find(StudyFind, query("STUDY", StudyInstanceUID="", StudyDate="19000101-20991231"))
    dated = {f.study for f in files if study_date(f)}
    check({str(r.StudyInstanceUID) for r in rows} == dated, f"a date range finds {len(rows)} of {len(dated)}")


def study_date(f):
    """The date of the study's first file: what the hub keeps of the study."""
    return next(g for g in files if g.study == f.study).date


def receive(into):
    def handle(event):
        into[str(event.request.AffectedSOPInstanceUID)] = (str(event.context.transfer_syntax), event.request.DataSet.getvalue())
        return 0x0000

    return handle


def compare(got, want, what):
    check(set(got) == {f.uid for f in want}, f"{what}: {len(got)} of {len(want)} came")
    for uid, (syntax, data) in got.items():
        f = by_uid.get(uid)
        if f:
            check(syntax == f.syntax, f"{what}: {uid} came in {syntax} and is stored in {f.syntax}")
            even = f.bytes + bytes(len(f.bytes) % 2)  # fragments are even
            check(data == even, f"{what}: {uid} has other bytes")


def contexts_of(some):
    return sorted({(f.sop_class, f.syntax) for f in some})


def get(model, ds, want, what):
    pairs = contexts_of(want)
    got = {}
    ae = AE(ours)
    ae.add_requested_context(model)
    roles = []
    for sop_class, syntax in pairs[:120]:
        ae.add_requested_context(sop_class, syntax)
    for sop_class in {p[0] for p in pairs}:
        roles.append(build_role(sop_class, scp_role=True))
    assoc = ae.associate(host, int(port), ae_title=hub, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, receive(got))])
    assert assoc.is_established, "no association"
    status, counts = None, []
    for status, _ in assoc.send_c_get(ds, model):
        if status.Status == 0xFF00:
            counts.append(status.NumberOfRemainingSuboperations)
    assoc.release()
    check(status.Status == 0, f"{what} ends with {status.Status:04X} {status.get('ErrorComment', '')}")
    check(status.NumberOfCompletedSuboperations == len(want), f"{what}: {status.NumberOfCompletedSuboperations} completed of {len(want)}")
    check(counts == sorted(counts, reverse=True), f"{what}: remaining goes {counts}")
    compare(got, want, what)


def get_everything():
    for study in sorted({f.study for f in files}):
        get(StudyGet, query("STUDY", StudyInstanceUID=study), [f for f in files if f.study == study], f"C-GET of study {study}")
    one = files[0]
    get(StudyGet, query("SERIES", StudyInstanceUID=one.study, SeriesInstanceUID=one.series), [f for f in files if f.series == one.series], "C-GET of a series")
    get(StudyGet, query("IMAGE", StudyInstanceUID=one.study, SeriesInstanceUID=one.series, SOPInstanceUID=one.uid), [one], "C-GET of an image")
    patient = next(f.patient for f in files if f.patient)
    get(PatientGet, query("PATIENT", PatientID=patient), [f for f in files if f.patient == patient], "C-GET of a patient")


def move_everything():
    got = {}
    scp = AE(ours)
    for sop_class, syntax in contexts_of(files):
        scp.add_supported_context(sop_class, syntax)
    server = scp.start_server(("127.0.0.1", int(our_port)), block=False, evt_handlers=[(evt.EVT_C_STORE, receive(got))])
    try:
        ae = AE(ours)
        ae.add_requested_context(StudyMove)
        assoc = ae.associate(host, int(port), ae_title=hub)
        assert assoc.is_established, "no association"
        studies = sorted({f.study for f in files})
        status = None
        for status, _ in assoc.send_c_move(query("STUDY", StudyInstanceUID=studies), ours, StudyMove):
            pass
        check(status.Status == 0, f"C-MOVE ends with {status.Status:04X} {status.get('ErrorComment', '')}")
        check(status.NumberOfCompletedSuboperations == len(files), f"C-MOVE: {status.NumberOfCompletedSuboperations} of {len(files)}")
        for status, _ in assoc.send_c_move(query("STUDY", StudyInstanceUID=studies[0]), "NOBODY", StudyMove):
            pass
        check(status.Status == 0xA801, f"C-MOVE to an unknown title ends with {status.Status:04X}")
        assoc.release()
    finally:
        server.shutdown()
    compare(got, files, "C-MOVE")


find_everything()
get_everything()
move_everything()
if faults:
    print("\n".join(faults[:40]))
    sys.exit(1)
