"""pynetdicom over TLS: echoes and stores one file, and prints the two statuses or why there is no association.

    tls.py HOST PORT HUB_AET OUR_AET HUB_CERTIFICATE CERTIFICATE KEY FILE
"""

import ssl
import sys

from pydicom import dcmread
from pynetdicom import AE, _config
from pynetdicom.sop_class import Verification

import calm  # noqa: F401

_config.STORE_SEND_CHUNKED_DATASET = True  # the bytes of the file, not the library's own

host, port, hub, ours, authority, certificate, key, path = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate, key)
ae, file = AE(ours), dcmread(path)
ae.add_requested_context(Verification)
ae.add_requested_context(file.SOPClassUID, file.file_meta.TransferSyntaxUID)
assoc = ae.associate(host, int(port), ae_title=hub, tls_args=(context, host))
if not assoc.is_established:
    print("rejected" if assoc.is_rejected else "no association")
    sys.exit()
print(f"{assoc.send_c_echo().Status:04X} {assoc.send_c_store(path).Status:04X}")
assoc.release()
