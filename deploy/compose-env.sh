#!/usr/bin/env bash
# Makes .env beside docker-compose.yml with random secrets, readable by its owner only. An existing one is left
# alone: the volumes know its secrets.
set -euo pipefail
target=${1:-$(dirname "${BASH_SOURCE[0]}")/../.env}
if [ -e "$target" ]; then
	echo "$target is there already; delete it, and the volumes, to begin anew" >&2
	exit 0
fi

# random N prints N letters and digits.
random() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n' | cut -c "1-$1"; }

umask 077
cat >"$target" <<ENV
CONCORD_S3_KEY=concord-$(random 8)
CONCORD_S3_SECRET=$(random 40)
CONCORD_REDIS_PASSWORD=$(random 40)
# The addresses on which the hub's ports are published: HTTP, DICOM.
CONCORD_BIND=127.0.0.1
CONCORD_DICOM_BIND=127.0.0.1
ENV
echo "made $target" >&2
