#!/usr/bin/env bash
# Finds, or fetches, the real servers and clients that tests talk to, without Docker.
#
#   scripts/services.sh                  finds them and says what will be used
#   eval "$(scripts/services.sh env)"    the same, and sets what the tests read
#   scripts/services.sh interop          also fetches the Node and Python clients of the interop tests
#
# What is found on PATH is used as it is. What is missing is fetched where that needs no question: Debian's
# packages when run as root, Go, Node and Python packages into .cache. Tests read:
#
#   CONCORD_TEST_MINIO     a MinIO binary           CONCORD_TEST_NODE      a folder with node_modules
#   CONCORD_CORPUS         a folder of real files   CONCORD_TEST_PYTHON    a Python with the client packages
#   CONCORD_TEST_OHIF      the OHIF viewer's files
#   CONCORD_TEST_MISSING   what is not there, for scripts/test.sh
#
# redis-server, chromium and the dcmtk tools are found on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
node_clients=(fhir-kit-client@2.0.3 fhirclient@2.6.3 dcmjs-dimse@0.3.3 node-hl7-client@3.2.0 puppeteer-core@24.10.0)
python_clients=(pydicom==3.0.2 pynetdicom==3.0.4 dicomweb-client==0.61.2 fhirclient==4.4.0 fhirpy==2.3.1 hl7==0.4.5 hl7apy==1.3.5 healthchain==0.16.1 openpyxl==3.1.5)
viewer=@ohif/app@3.13.2

cache=$PWD/.cache
mode=${1:-find}
missing=()
updated=

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

# debian NAME installs a Debian package; it fails where that is not possible.
debian() {
	has apt-get && [ "$(id -u)" = 0 ] || return 1
	if [ -z "$updated" ]; then
		apt-get update -qq >&2 || return 1
		updated=yes
	fi
	say "installing $1"
	# RUNLEVEL keeps the package from starting a service of its own.
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1
}

# tool COMMAND PACKAGE REASON
tool() {
	if has "$1" || debian "$2"; then
		say "$1: $(command -v "$1")"
	else
		say "$1: missing, so $3 (install the package $2)"
		missing+=("$1")
	fi
}

find_minio() {
	if [ -x "${CONCORD_TEST_MINIO:-}" ]; then
		:
	elif [ -x "$cache/bin/minio-$minio_version" ]; then
		CONCORD_TEST_MINIO=$cache/bin/minio-$minio_version
	elif has minio; then
		CONCORD_TEST_MINIO=$(command -v minio)
	elif has go && build_minio; then
		CONCORD_TEST_MINIO=$cache/bin/minio-$minio_version
	else
		say "minio: missing, so nothing is tested on S3 (set CONCORD_TEST_MINIO to a binary)"
		missing+=(minio)
		return
	fi
	say "minio: $CONCORD_TEST_MINIO"
}

# build_minio makes the binary under its final name only when it is whole.
build_minio() {
	say "minio: building $minio_version, about three minutes, once"
	local into
	into=$(mktemp -d "$cache/minio.XXXXXX") || return 1
	if GOBIN=$into go install "github.com/minio/minio@$minio_version" >"$cache/minio.log" 2>&1; then
		mkdir -p "$cache/bin"
		mv "$into/minio" "$cache/bin/minio-$minio_version"
		rm -rf "$into"
		return 0
	fi
	rm -rf "$into"
	say "minio: not built: $(tail -n 1 "$cache/minio.log")"
	return 1
}

find_corpus() {
	if [ -z "${CONCORD_CORPUS:-}" ] && [ -d ../shared/corpus ]; then
		CONCORD_CORPUS=$(cd ../shared/corpus && pwd)
	fi
	if [ -d "${CONCORD_CORPUS:-}" ]; then
		say "corpus: $CONCORD_CORPUS"
	else
		say "corpus: none, so the tests on real files are skipped (set CONCORD_CORPUS to their folder)"
	fi
}

# fetched FOLDER PACKAGE... reports whether a folder has just these packages; pin notes that it has.
fetched() { [ "$(cat "$1/.pins" 2>/dev/null)" = "${*:2}" ]; }
pin() { printf '%s\n' "${*:2}" >"$1/.pins"; }

# fetch_viewer FOLDER takes the viewer as it is published, without the packages it was built from.
fetch_viewer() {
	rm -rf "$1" && mkdir -p "$1" && (cd "$1" && npm pack --silent "$viewer" >&2 && tar xzf ./*.tgz && rm ./*.tgz) && pin "$1" "$viewer"
}

fetch_clients() {
	local node=$cache/interop/node python=$cache/interop/python
	if has npm && { fetched "$node" "${node_clients[@]}" || {
		npm install --silent --no-audit --no-fund --save-exact --prefix "$node" "${node_clients[@]}" >&2 && pin "$node" "${node_clients[@]}"
	}; }; then
		CONCORD_TEST_NODE=$node
		say "node clients: $node"
	else
		missing+=("node clients")
	fi
	local ohif=$cache/interop/ohif
	if has npm && { fetched "$ohif" "$viewer" || fetch_viewer "$ohif"; }; then
		CONCORD_TEST_OHIF=$ohif/package/dist
		say "viewer: $CONCORD_TEST_OHIF"
	else
		missing+=("viewer")
	fi
	if has python3 && { fetched "$python" "${python_clients[@]}" || {
		python3 -m venv "$python" >&2 && "$python/bin/pip" install --quiet --disable-pip-version-check "${python_clients[@]}" >&2 &&
			pin "$python" "${python_clients[@]}"
	}; }; then
		CONCORD_TEST_PYTHON=$python/bin/python
		say "python clients: $CONCORD_TEST_PYTHON"
	else
		missing+=("python clients")
	fi
}

mkdir -p "$cache"
tool redis-server redis-server "the index is tested on the embedded keeper alone"
tool storescu dcmtk "no DICOM peer is tested"
tool cc gcc "there is no race detector"
find_minio
find_corpus
if [ "$mode" = interop ]; then
	tool chromium chromium "no viewer is tested"
fi
if [ "$mode" = interop ] || [ -d "$cache/interop/node" ] || [ -d "$cache/interop/python" ]; then
	fetch_clients
fi

if [ "$mode" = env ]; then
	CONCORD_TEST_MISSING="${missing[*]-}"
	for name in CONCORD_TEST_MINIO CONCORD_CORPUS CONCORD_TEST_NODE CONCORD_TEST_OHIF CONCORD_TEST_PYTHON CONCORD_TEST_MISSING; do
		if [ -n "${!name:-}" ]; then
			printf 'export %s=%q\n' "$name" "${!name}"
		fi
	done
fi
