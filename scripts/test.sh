#!/usr/bin/env bash
# Every test, the ones on a real MinIO and a real Redis included; arguments go to `go test`, such as -run or a package.
# What is missing is said plainly; with CI=true it is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

services=$(scripts/services.sh env)
eval "$services"
flags=(-timeout 10m)
if [ "${CI:-}" = true ]; then
	flags+=(-count=1)
	if [ -n "${CONCORD_TEST_MISSING:-}" ]; then
		echo "not everything was tested, which CI does not accept: ${CONCORD_TEST_MISSING} missing" >&2
		exit 1
	fi
fi

if [ $# -gt 0 ]; then
	exec go test "${flags[@]}" "$@"
fi

# Rooms where goroutines share state are tested under the race detector, the others without its cost.
rooms=()
for room in hub/commit hub/lookup hub/projection storage internal/upload adapters/dimse adapters/hl7v2; do
	[ ! -d "$room" ] || rooms+=("./$room/...")
done
mapfile -t shared < <(go list "${rooms[@]}")
mapfile -t others < <(go list ./... | grep -vxF -f <(printf '%s\n' "${shared[@]}"))
race=(-race)
if ! command -v cc >/dev/null 2>&1; then
	race=()
fi

failed=0
go test "${flags[@]}" "${race[@]}" "${shared[@]}" || failed=1
go test "${flags[@]}" "${others[@]}" || failed=1
if [ -n "${CONCORD_TEST_MISSING:-}" ]; then
	echo "not tested, because missing: ${CONCORD_TEST_MISSING}"
fi
if [ ! -d "${CONCORD_CORPUS:-}" ]; then
	echo "not tested, because CONCORD_CORPUS names no folder: real files"
fi
exit "$failed"
