#!/bin/sh
# Fetches the DICOM data dictionary (PyPI package pydicom 3.0.2, MIT) and unpacks it into .cache/dicom/pydicom, where
# `go generate ./internal/dicom/dict` reads it. Does nothing when it is there.
set -eu
cd "$(dirname "$0")/.."
version=3.0.2
if [ -f .cache/dicom/pydicom/_dicom_dict.py ]; then
	exit 0
fi
mkdir -p .cache/dicom
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest .cache/dicom "pydicom==$version"
python3 -m zipfile -e .cache/dicom/pydicom-"$version"-*.whl .cache/dicom
