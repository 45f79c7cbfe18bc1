# Thin: Meson builds, tools/ does. `make help` lists the targets.
PREFIX ?= /usr/local
DESTDIR ?=
FILES ?=

.DEFAULT_GOAL := all
.PHONY: all demo check check-long mutants bench bench-gateway fuzz format install clean help deps duckdb

all: duckdb ## build: leaves build/tenfold and build/tenfold-meter
	@tools/build.sh build

demo: all ## simulate, load, tier, bill and verify on a fresh directory; FILES=... takes those files
	@tools/demo.sh $(FILES)

check: ## everything a commit must pass; ends with "N passed, N failed, N skipped"
	@tools/deps.sh check
	@tools/duckdb.sh
	@tools/check.sh

check-long: ## check with 1,000 kill seeds and a minute per fuzz target
	@tools/deps.sh check
	@tools/duckdb.sh
	@tools/check.sh --long

mutants: ## take each safeguard away (test/mutants) and see the suite fail on every one
	@tools/deps.sh check
	@tools/duckdb.sh
	@tools/mutants.sh

bench: all ## measured figures, each beside a peer or a limit of the same run
	@tools/deps.sh check
	@tools/bench.sh

bench-gateway: all ## the gateway alone: mutual TLS, tokens, 10 million policies, beside nginx
	@tools/deps.sh check
	@tools/bench.sh gateway

fuzz: ## one minute on each fuzz target (SECONDS_EACH=60)
	@tools/deps.sh check
	@tools/fuzz.sh $(or $(SECONDS_EACH),60)

format: ## clang-format over every C file
	@tools/deps.sh check
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format-14 -i

install: all ## into PREFIX (default /usr/local), below DESTDIR where given
	@tools/build.sh build -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild --quiet

clean: ## build directories of this Makefile
	@rm -rf build build-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

deps:
	@tools/deps.sh build

duckdb: deps
	@tools/duckdb.sh
