# Concord. `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run test bench lint generate drill interop

DATA ?= .cache/demo
LISTEN ?= 127.0.0.1:8080
DIMSE ?= 127.0.0.1:11112
MLLP ?= 127.0.0.1:2575

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## a hub with a demo consortium at http://127.0.0.1:8080; needs no services (DATA=folder LISTEN=, DIMSE=, MLLP=address)
	@go build -o bin/concord ./cmd/concord
	@exec bin/concord serve --demo --data "$(DATA)" --listen $(LISTEN) --dimse "$(DIMSE)" --mllp "$(MLLP)"

test: ## every test, MinIO and Redis included, without Docker
	@scripts/test.sh

bench: ## the project's own load, as a table
	go run ./cmd/concord bench

lint: ## gofmt, vet, staticcheck, govulncheck and the import floors
	@scripts/lint.sh

generate: ## make the generated code anew; fails when it differs
	@scripts/generate.sh

drill: ## load a corpus, lose the index, rebuild it, compare
	@services=$$(scripts/services.sh env) && eval "$$services" && scripts/drill.sh

interop: ## tests with the Node and Python clients of the field
	@scripts/services.sh interop && scripts/test.sh -count=1 -run Interop ./...
