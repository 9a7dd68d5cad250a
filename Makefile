SHELL := /bin/bash
export PATH := $(PATH):$(HOME)/.cargo/bin
export STRONGROOM_CACHE := $(shell tests/support/cache-dir)

.PHONY: help demo test test-container check bench bench-reuse bench-drills soak

help:
	@echo 'make demo    play the nine-second incident on a throwaway database and vault'
	@echo 'make test    run every test, on real PostgreSQL and S3 servers'
	@echo 'make test-container   build the container image from Debian packages, and back up with it'
	@echo 'make check   formatting, lints and tests: what a change must pass'
	@echo 'make bench   measure backup, restore and drill; make bench-reuse: what later backups send; make bench-drills: restores and drills alone'
	@echo 'make soak    run the daemon for half an hour while its servers break, then restore every backup'
	@echo 'On a fresh Debian 12 with Rust 1.95 each installs what it needs: see tests/support/setup.'

# As root the demo's database runs as another user, who must be able to pass through the directory, and the vault's
# files are immutable until we say otherwise.
demo:
	@tests/support/setup demo
	cargo build --locked
	@dir=$$(mktemp -d) && trap 'chattr -R -i "$$dir" 2>/dev/null; rm -rf "$$dir"' EXIT && chmod 711 "$$dir" && \
	  cargo run --locked --quiet -- demo --dir "$$dir"

test:
	@tests/support/setup test
	@if cargo nextest --version >/dev/null 2>&1; then set -x; cargo nextest run --locked; \
	  else set -x; cargo test --locked -- --test-threads 2; fi

# By itself, for it downloads a Debian (150 MB). A minute of work, more on a busy machine.
test-container:
	@tests/support/setup test
	@tests/support/setup container
	cargo test --locked --test deploy -- --ignored --nocapture container

check:
	@tests/support/setup test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@$(MAKE) --no-print-directory test

bench:
	@tests/support/setup test
	cargo build --release --locked
	tests/bench/run

bench-reuse:
	@tests/support/setup test
	cargo build --release --locked
	tests/bench/reuse

bench-drills:
	@tests/support/setup test
	cargo build --release --locked
	BENCH_WHAT=drills tests/bench/run

soak:
	@tests/support/setup test
	@command -v python3 >/dev/null || { echo 'python3 not found: apt-get install python3'; exit 1; }
	cargo build --release --locked
	tests/soak/run
