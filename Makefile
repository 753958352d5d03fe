# Two commands do all the set-up: `make demo`, `make test`. They need Rust, make and git; the rest they see to.

CARGO ?= cargo
# Passed on: make demo ARGS=--json, make test ARGS=scenario, make bench ARGS=--json
ARGS ?=
target := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help test demo bench fuzz-api lint fmt check-simulator ground browser bins test-bins

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ground browser test-bins ## run all tests against a private PostgreSQL (ARGS: passed to the test runner)
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(target)/debug/with-postgres -- $(CARGO) nextest run --locked $(ARGS); \
	else \
		$(target)/debug/with-postgres -- $(CARGO) test --locked --no-fail-fast $(ARGS); \
	fi

demo: ground bins ## run a few matches through the real service, in under a minute (ARGS: --json, --keep)
	@$(target)/debug/demo $(ARGS)

bench: ground ## measure an optimised build (ARGS: passed to the benchmarks, such as --json)
	@$(CARGO) build --release --locked --bins
	@$(CARGO) bench --locked --bench api --bench gateway --bench ingest --bench link --bench moves --bench queue -- $(ARGS)

fuzz-api: ground bins ## throw generated requests at the admin API (schemathesis from PyPI; ARGS: passed to it)
	@tests/fuzz-api.sh $(ARGS)

lint: ground ## check the formatting and run clippy; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

fmt: ## format the sources
	$(CARGO) fmt

check-simulator: ## run stock discord.js and discord.py bots against the simulator (needs node, npm, python3 and the network)
	@$(CARGO) build --locked --bin simulator
	@tests/clients/check.sh $(target)/debug/simulator

ground:
	@deploy/ensure-postgres.sh

browser:
	@deploy/ensure-browser.sh

bins:
	@$(CARGO) build --locked --bins

# In one go with the tests: alone the programs are built with other features of the same libraries, so everything twice.
test-bins:
	@$(CARGO) build --locked --bins --tests
