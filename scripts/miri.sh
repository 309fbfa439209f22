#!/usr/bin/env bash
# Runs the tests of the wire format and of the decorators under Miri.
#
# Our crates forbid `unsafe`, so this looks for undefined behaviour that a dependency could have when
# it is used as we use it. zstd is C and out of Miri's reach, so what compresses is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "!!! NOT CHECKED: Miri: no nightly toolchain with it (rustup +nightly component add miri)"
    exit 0
fi

export MIRIFLAGS="${MIRIFLAGS:--Zmiri-disable-isolation}"
export PROPTEST_CASES=${PROPTEST_CASES:-4} # Miri is some hundred times slower
cargo +nightly miri test --locked --package otlp-core --lib -- wire:: span::
cargo +nightly miri test --locked --package otlp-contrib --lib
