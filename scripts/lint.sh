#!/usr/bin/env bash
# What a machine can see in the code. Versions are exact, so that the answer does not change by itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.8.0

echo "gofmt"
unformatted=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 -r gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi

echo "shell scripts"
for script in scripts/*.sh deploy/*.sh .ci/run; do
	bash -n "$script"
done

echo "import floors"
go test ./internal/floors

echo "go vet"
go vet ./...

echo "staticcheck"
go run "$staticcheck" ./...

echo "govulncheck"
status=0
report=$(go run "$govulncheck" ./... 2>&1) || status=$?
case $report in
*"fetching vulnerabilities"*)
	echo "NOT CHECKED for known vulnerabilities: the database cannot be reached from here" ;;
*)
	printf '%s\n' "$report"
	[ "$status" = 0 ] || exit "$status" ;;
esac
