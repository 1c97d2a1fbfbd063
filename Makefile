# Rust, Go and make are all that a fresh machine needs; everything else is built from source, once.

PROGRAM := $(or $(CARGO_TARGET_DIR),target)/release/homelab-helper

.PHONY: help
help: ## Show what there is.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: demo
demo: ## The main job on a local control plane, from nothing.
	cargo build --release --locked --bin homelab-helper
	cargo run --quiet --locked --example demo -- $(PROGRAM) examples

# Tests wait for control planes more than they compute, so more of them run at a time than there are processors.
.PHONY: test
test: export RUST_TEST_THREADS ?= $(shell expr `getconf _NPROCESSORS_ONLN` + 2)
test: ## All tests: unit, golden, property, command line, and against a real API server.
	cargo run --quiet --locked -p controlplane -- build
	cargo test --locked --workspace

.PHONY: e2e
e2e: ## The controller among its neighbours: cert-manager, two data planes, external-dns, Helm, an ACME server. Linux only.
	cargo run --quiet --locked -p controlplane -- build
	cargo run --quiet --locked -p neighbours -- build
	cargo test --locked --test e2e --no-run
	tests/neighbours/apart cargo test --locked --offline --test e2e -- --test-threads=1

VERSIONS ?=

.PHONY: versions
versions: ## The tests that need an API server, on each release of the Gateway API and of Kubernetes, for README's table. It takes an hour.
	cargo run --quiet --locked --example versions -- $(VERSIONS)

FUZZ_SECONDS ?= 60
FUZZED := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/fuzz

# The versions of the program are fuzzed, so its lock is taken. What a run finds out stays beside what it built; only what
# is worth keeping is put into tests/fuzz/corpus by hand. Nothing here is unsafe code that a sanitizer could watch, so that no
# nightly compiler is needed.
.PHONY: fuzz
fuzz: ## A minute (FUZZ_SECONDS) for each fuzz target; skipped where cargo-fuzz is missing.
	@cargo fuzz --version >/dev/null 2>&1 || { \
	  echo "make fuzz: skipped. It needs: cargo install --locked cargo-fuzz"; exit 0; }; \
	set -e; cp Cargo.lock tests/fuzz/Cargo.lock; \
	for target in annotations manifests; do \
	  mkdir -p $(FUZZED)/corpus/$$target; \
	  seeds=tests/fuzz/corpus/$$target; words=; \
	  if [ $$target = manifests ]; then seeds="$$seeds tests/offline/golden"; words=-dict=tests/fuzz/manifests.dict; fi; \
	  cargo fuzz run --fuzz-dir tests/fuzz --target-dir $(FUZZED) --sanitizer none --codegen-units 16 $$target \
	    $(FUZZED)/corpus/$$target $$seeds -- $$words -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	    -verbosity=0; \
	done

.PHONY: mutants
mutants: ## Whether the tests would notice each change of the planner; takes hours. It needs cargo-mutants.
	PROPTEST_CASES=1000 cargo mutants --config tests/mutants.toml --output $(or $(CARGO_TARGET_DIR),target)

BENCH ?=

.PHONY: bench
bench: ## How fast and how small the controller is, beside a plain client in the same run; writes BENCHMARKS.md.
	cargo bench --locked --bench controller -- $(BENCH)

.PHONY: bench-memory
bench-memory: ## What 10,000 routes cost in memory, also where 300 of them are as large as they can be.
	cargo bench --locked --bench memory

.PHONY: bench-planner
bench-planner: ## What a plan and a change of the index cost.
	cargo bench --locked --bench planner

.PHONY: cluster
cluster: ## A control plane to play with, until Ctrl-C.
	cargo run --quiet --locked -p controlplane -- up

.PHONY: generate
generate: ## Rewrite every generated file and every golden case, for review.
	-UPDATE=1 cargo test --locked --test offline
	git diff --stat

.PHONY: lint
lint: ## Format, clippy, licences, unused dependencies, documentation.
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --test e2e -- -D warnings
	cargo deny --locked --log-level error check bans licenses sources
	cargo machete
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet
