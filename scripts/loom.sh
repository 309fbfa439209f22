#!/usr/bin/env bash
# Checks the concurrent parts of the pipeline in every interleaving that loom finds.
# Arguments go to the test binary: `scripts/loom.sh close_against` runs one model.
set -euo pipefail
cd "$(dirname "$0")/.."
# Backtraces slow loom down many times over, and it takes one per execution that fails.
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom" RUST_BACKTRACE=0 \
    cargo test --manifest-path crates/otlp-sdk/loom/Cargo.toml --release --lib -- "$@"
