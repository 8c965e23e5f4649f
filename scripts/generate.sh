#!/usr/bin/env bash
# Makes the generated code anew from its pinned sources and fails when that changes anything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/fhir-definitions.sh
scripts/dicom-definitions.sh
scripts/ucum-definitions.sh
go generate ./...
changed=$(git status --porcelain -- '*_gen.go')
if [ -n "$changed" ]; then
	printf 'generated code differs from what is committed:\n%s\n' "$changed" >&2
	git --no-pager diff --stat -- '*_gen.go' >&2
	exit 1
fi
echo "generated code is what its sources make"
