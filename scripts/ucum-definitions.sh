#!/bin/sh
# Fetches the UCUM table (npm package @lhncbc/ucum-lhc 7.1.10) and unpacks it into .cache/ucum/package, where
# `go generate ./internal/ucum` reads it. Does nothing when it is there.
set -eu
cd "$(dirname "$0")/.."
version=7.1.10
if [ -f .cache/ucum/package/package.json ]; then
	exit 0
fi
mkdir -p .cache/ucum
cd .cache/ucum
npm pack --silent "@lhncbc/ucum-lhc@$version"
tar -xzf "lhncbc-ucum-lhc-$version.tgz"
