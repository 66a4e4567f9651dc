# The two commands: `make up` (the mesh with Bookinfo on this machine) and `make test`.
SHELL := /bin/bash
SWIFT_FLAGS := -c release --explicit-target-dependency-import-check error
SAMPLES := --images Samples/images.yaml --outside Samples/internet/internet.yaml \
  --with Samples/bookinfo/platform/one-machine \
  --with Samples/bookinfo/platform/kube/bookinfo.yaml --with Samples/sleep/sleep.yaml
EXECUTABLES := lateen lateen-control lateen-proxy

.PHONY: help up down setup build test test-unit test-e2e lint format bench fuzz clean

help: ## This list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

up: setup build ## Install what is missing, build, start the mesh with Bookinfo on this machine
	@bin/lateen up $(SAMPLES)

down: ## Stop it and remove every namespace, rule and process
	@if [ -x bin/lateen ]; then bin/lateen down; else echo "nothing to stop: bin/lateen is not built"; fi

setup: ## Install what is missing from apt and PyPI
	@scripts/setup

build: ## Build the executables into bin/
	@scripts/build $(EXECUTABLES)

test: setup ## Lint, unit tests and end-to-end tests; closes with "N passed, N failed"
	@scripts/test

test-unit: ## Unit tests only
	@scripts/test unit

test-e2e: build ## End-to-end tests only (root)
	@scripts/test e2e

lint: ## Formatter and layering test
	@scripts/lint

format: ## Rewrite the sources in the house's format
	@swift format --in-place --recursive --parallel Package.swift $$(scripts/sources)

bench: setup build ## Measure beside Envoy, HAProxy, nginx, unbound, dnsmasq; writes Benchmarks/RESULTS.md
	@Benchmarks/run

fuzz: ## Fuzz the parsers, ten minutes each (FUZZ_SECONDS=600)
	@for target in $$(Fuzz/run --list); do Fuzz/run $$target $${FUZZ_SECONDS:-600} || exit 1; done

clean: ## Remove what was built
	@rm -rf .build bin
