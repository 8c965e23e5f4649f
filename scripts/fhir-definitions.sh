#!/bin/sh
# Fetches the FHIR R4 definitions (npm package hl7.fhir.r4.examples 4.0.1, CC0) and unpacks them into
# .cache/fhir/package, where `go generate ./internal/fhir` reads them. Does nothing when they are there.
set -eu
cd "$(dirname "$0")/.."
package=hl7.fhir.r4.examples
version=4.0.1
if [ -f .cache/fhir/package/package.json ]; then
	exit 0
fi
mkdir -p .cache/fhir
cd .cache/fhir
[ -f "$package-$version.tgz" ] || npm pack --silent "$package@$version"
tar -xzf "$package-$version.tgz"
