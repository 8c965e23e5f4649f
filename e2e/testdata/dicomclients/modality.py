"""pynetdicom as a modality: reads its worklist, and has what it stored committed.

    modality.py HOST PORT HUB_AET OUR_AET OUR_PORT worklist
    modality.py HOST PORT HUB_AET OUR_AET OUR_PORT commit same|new FILE...

`worklist` prints one line a step. `commit` stores the files, asks for commitment of them and of one that is not there, and
prints the report; `same` keeps the association open for it, `new` releases at once and waits for the hub to call.
"""

import sys
import threading

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import ModalityWorklistInformationFind, StorageCommitmentPushModel

import calm  # noqa: F401

_config.STORE_SEND_CHUNKED_DATASET = True  # the bytes of the file, not the library's own

host, port, hub, ours, our_port, task = sys.argv[1:7]
rest = sys.argv[7:]


def worklist():
    ae = AE(ours)
    ae.add_requested_context(ModalityWorklistInformationFind)
    assoc = ae.associate(host, int(port), ae_title=hub)
    assert assoc.is_established, "no association"
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    step = Dataset()
    for keyword in ("ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality",
                    "ScheduledProcedureStepDescription", "ScheduledProcedureStepID"):
        setattr(step, keyword, "")
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyInstanceUID",
                    "RequestedProcedureDescription", "RequestedProcedureID", "ReferringPhysicianName"):
        setattr(ds, keyword, "")
    for pair in rest:
        keyword, _, value = pair.partition("=")
        setattr(step if keyword in step else ds, keyword, value)
    ds.ScheduledProcedureStepSequence = [step]
    status = None
    for status, item in assoc.send_c_find(ds, ModalityWorklistInformationFind):
        if status.Status in (0xFF00, 0xFF01):
            s = item.ScheduledProcedureStepSequence[0]
            print("|".join(str(v) for v in (item.PatientName, item.PatientID, item.AccessionNumber, item.RequestedProcedureDescription, s.Modality,
                                            s.ScheduledStationAETitle, s.ScheduledProcedureStepStartDate, s.ScheduledProcedureStepStartTime)))
    assoc.release()
    if status.Status != 0:
        print(f"status {status.Status:04X} {status.get('ErrorComment', '')}")


def commit():
    how, paths = rest[0], rest[1:]
    came = threading.Event()
    reports = []

    def report(event):
        reports.append((event.event_type, event.event_information))
        came.set()
        return 0x0000, None

    handlers = [(evt.EVT_N_EVENT_REPORT, report)]
    listener = AE(ours)
    listener.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = listener.start_server(("127.0.0.1", int(our_port)), block=False, evt_handlers=handlers)
    sets = [dcmread(p, stop_before_pixels=True) for p in paths]
    ae = AE(ours)
    ae.add_requested_context(StorageCommitmentPushModel)
    for sop_class, syntax in {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in sets}:
        ae.add_requested_context(sop_class, syntax)
    assoc = ae.associate(host, int(port), ae_title=hub, evt_handlers=handlers)
    assert assoc.is_established, "no association"
    for p in paths:
        status = assoc.send_c_store(p)
        assert status.Status in (0, 0xB000), f"C-STORE {status.Status:04X}"  # B000: it was there from another sender
    ds = Dataset()
    ds.TransactionUID = generate_uid()
    items = []
    for sop_class, uid in [(d.SOPClassUID, d.SOPInstanceUID) for d in sets] + [("1.2.840.10008.5.1.4.1.1.2", "1.2.3.999")]:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        items.append(item)
    ds.ReferencedSOPSequence = items
    status, _ = assoc.send_n_action(ds, 1, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
    assert status.Status == 0, f"N-ACTION {status.Status:04X} {status.get('ErrorComment', '')}"
    if how == "new":
        assoc.release()
    if not came.wait(30):
        print("no report came")
        sys.exit(1)
    if how == "same":
        assoc.release()
    event, information = reports[0]
    assert information.TransactionUID == ds.TransactionUID
    good = sorted(str(i.ReferencedSOPInstanceUID) for i in information.get("ReferencedSOPSequence", []))
    bad = [(str(i.ReferencedSOPInstanceUID), int(i.FailureReason)) for i in information.get("FailedSOPSequence", [])]
    assert good == sorted(str(d.SOPInstanceUID) for d in sets), f"committed: {good}"
    # Once more is right where the first one met our release and had no answer.
    print(event, bad, len({r.TransactionUID for _, r in reports}))
    server.shutdown()


{"worklist": worklist, "commit": commit}[task]()
