#!/usr/bin/env bash
# The drill: load a folder of files into a hub, lose the whole index, rebuild it from the log, and compare.
#
#   scripts/drill.sh [FOLDER]      default: $CONCORD_CORPUS
#
# DRILL_S3 and DRILL_REDIS (URLs as `concord serve` takes them) run it on MinIO and Redis, which must be empty.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=${1:-${CONCORD_CORPUS:-}}
if [ ! -d "$folder" ]; then
	echo "drill: name a folder of DICOM and FHIR files, or set CONCORD_CORPUS" >&2
	exit 2
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/concord-drill.XXXXXX")
hub=
finish() {
	[ -z "$hub" ] || kill "$hub" 2>/dev/null || true
	[ -z "$hub" ] || wait "$hub" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

stores=(--data "$work/data")
[ -z "${DRILL_S3:-}" ] || stores+=(--s3 "$DRILL_S3")
[ -z "${DRILL_REDIS:-}" ] || stores+=(--redis "$DRILL_REDIS")
go build -o "$work/concord" ./cmd/concord
"$work/concord" member add drill --name "Drill" --tier lead "${stores[@]}" >/dev/null
"$work/concord" serve "${stores[@]}" --listen 127.0.0.1:0 >"$work/hub.log" 2>&1 &
hub=$!
address=
for _ in $(seq 300); do
	kill -0 "$hub" 2>/dev/null || { cat "$work/hub.log" >&2; exit 1; }
	address=$(sed -n 's/.*"msg":"listening","address":"\([^"]*\)".*/\1/p' "$work/hub.log")
	[ -n "$address" ] && curl -fsS -o /dev/null "http://$address/readyz" 2>/dev/null && break
	sleep 0.1
done

token=$("$work/concord" token --member drill "${stores[@]}")
# Hostile files are refused on purpose, so refusals do not fail the drill.
"$work/concord" upload "$folder" --to "http://$address" --token "$token" --resume-file "$work/journal" | tail -n 8 || true
kill "$hub"
wait "$hub" || true
hub=

"$work/concord" fsck --deep "${stores[@]}"
"$work/concord" dump "${stores[@]}" >"$work/before"
"$work/concord" rebuild "${stores[@]}" | tail -n 1
"$work/concord" dump "${stores[@]}" >"$work/after"
"$work/concord" fsck "${stores[@]}"
if ! cmp "$work/before" "$work/after"; then
	echo "drill: the rebuilt index is not the one that was lost" >&2
	diff "$work/before" "$work/after" | head -n 20 >&2
	exit 1
fi
echo "drill: $(wc -l <"$work/after") lines of index lost, rebuilt and found the same"
