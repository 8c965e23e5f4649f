"""Drives a hub with dicomweb-client: interop.py URL TOKEN FILE... The first file has several frames."""
import sys

import pydicom
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session

url, token, *files = sys.argv[1:]
session = create_session()
session.headers.update({"Authorization": "Bearer " + token})
client = DICOMwebClient(url=url, session=session)

datasets = [pydicom.dcmread(f) for f in files]
answer = client.store_instances(datasets=datasets)
assert len(answer.ReferencedSOPSequence) == len(datasets), answer
assert "FailedSOPSequence" not in answer and "OtherFailuresSequence" not in answer, answer

for ds in datasets:
    study, series, sop = ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
    found = client.search_for_studies(search_filters={"StudyInstanceUID": study})
    assert [s["0020000D"]["Value"][0] for s in found] == [study], found
    assert any(s["0020000E"]["Value"][0] == series for s in client.search_for_series(study_instance_uid=study))
    assert any(i["00080018"]["Value"][0] == sop for i in client.search_for_instances(study_instance_uid=study, series_instance_uid=series))

    header = pydicom.Dataset.from_json(client.retrieve_instance_metadata(study, series, sop))
    assert header.SOPClassUID == ds.SOPClassUID and header.PatientName == ds.PatientName
    assert len(client.retrieve_series_metadata(study, series)) >= 1
    assert len(client.retrieve_study_metadata(study)) >= 1

    back = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "*"),))
    assert back == ds, "the instance comes back otherwise"
    whole = client.retrieve_study(study, media_types=(("application/dicom", "*"),))
    assert any(one.SOPInstanceUID == sop for one in whole)

many = datasets[0]
count = int(many.NumberOfFrames)
size = len(many.PixelData) // count
frames = client.retrieve_instance_frames(
    many.StudyInstanceUID, many.SeriesInstanceUID, many.SOPInstanceUID, frame_numbers=[1, count],
    media_types=(("application/octet-stream", str(many.file_meta.TransferSyntaxUID)),))
assert frames == [many.PixelData[:size], many.PixelData[(count - 1) * size:count * size]], [len(f) for f in frames]

last = datasets[-1]
by_name = client.search_for_studies(search_filters={"PatientName": str(last.PatientName)[:4] + "*"})
assert any(s["0020000D"]["Value"][0] == last.StudyInstanceUID for s in by_name), by_name
assert len(client.search_for_instances(limit=1)) == 1

# What viewers without decoders ask: native pixels, pictures, bulk data.
compressed = datasets[1]
study, series, sop = compressed.StudyInstanceUID, compressed.SeriesInstanceUID, compressed.SOPInstanceUID
plain = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "1.2.840.10008.1.2.1"),))
assert plain.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1", plain.file_meta
compressed.decompress()
assert plain.PixelData == compressed.PixelData, "the pixels are decoded otherwise"
frame, = client.retrieve_instance_frames(study, series, sop, frame_numbers=[1], media_types=("application/octet-stream",))
assert frame == compressed.PixelData[:len(frame)]
for picture in (client.retrieve_instance_rendered(study, series, sop, media_types=("image/png",)),
                client.retrieve_instance_frames_rendered(study, series, sop, frame_numbers=[1], media_types=("image/png",))):
    assert picture.startswith(b"\x89PNG"), picture[:16]
assert client.retrieve_instance_rendered(study, series, sop, media_types=("image/jpeg",), params={"quality": 50, "viewport": "64,64"}).startswith(b"\xff\xd8")

uri = client.retrieve_instance_metadata(last.StudyInstanceUID, last.SeriesInstanceUID, last.SOPInstanceUID)["7FE00010"]["BulkDataURI"]
assert uri.startswith(url), uri
assert client.retrieve_bulkdata(uri, media_types=("application/octet-stream",)) == [last.PixelData]

# What is deleted is gone, and may come back.
client.delete_instance(last.StudyInstanceUID, last.SeriesInstanceUID, last.SOPInstanceUID)
assert not client.search_for_instances(search_filters={"SOPInstanceUID": last.SOPInstanceUID})
client.store_instances(datasets=[last])
assert client.search_for_instances(search_filters={"SOPInstanceUID": last.SOPInstanceUID})
