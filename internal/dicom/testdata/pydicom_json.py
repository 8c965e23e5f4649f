"""Writes what pydicom makes of DICOM files: a line of DICOM JSON for each path of the standard input, or null."""
import json, sys, warnings
import pydicom
from pydicom import config

warnings.filterwarnings("ignore")
config.settings.reading_validation_mode = config.IGNORE
for path in sys.stdin.read().splitlines():
    try:
        ds = pydicom.dcmread(path, force=True)
        made = ds.to_json_dict(bulk_data_threshold=1 << 20, bulk_data_element_handler=lambda e: "elsewhere", suppress_invalid_tags=True)
    except Exception:
        made = None
    print(json.dumps(made))
