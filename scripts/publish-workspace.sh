#!/usr/bin/env bash
# Publishes the crates of the workspace, in dependency order: tests, clippy, docs, dry run, a
# question, `cargo publish --workspace`. Crates with `publish = false` stay out.
#
#   scripts/publish-workspace.sh               asks before it uploads; needs a terminal
#   scripts/publish-workspace.sh --yes         uploads without asking
#   scripts/publish-workspace.sh --dry-run     stops after the dry run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=ask
case ${1:-} in
    '') ;;
    --yes) mode=yes ;;
    --dry-run) mode=dry ;;
    *)
        echo "unknown argument '$1'; accepted: --yes, --dry-run" >&2
        exit 2
        ;;
esac
if [ $# -gt 1 ]; then
    echo "one argument at most: --yes or --dry-run" >&2
    exit 2
fi

# Before the long part, not after it.
if [ "$mode" = ask ] && [ ! -t 0 ]; then
    echo "no terminal to ask on; --yes uploads without a question, --dry-run uploads nothing" >&2
    exit 2
fi
changes=$(git status --porcelain)
if [ -n "$changes" ]; then
    printf 'the working tree has changes; what is published must be a commit:\n%s\n' "$changes" >&2
    exit 1
fi

crates=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["publish"] != []:
        print("    {name} {version}".format(**package))
')

announce() { printf '\n=== %s\n' "$1"; }

announce tests
cargo test --workspace --all-features --locked
announce clippy
cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
announce docs
RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --workspace --no-deps --all-features --locked
announce 'dry run'
scripts/forget-dry-runs.sh
# Cargo knows what it has compiled of an earlier dry run by version alone.
publish=${CARGO_TARGET_DIR:-target}/publish
rm -rf "$publish"
cargo publish --workspace --dry-run --locked --target-dir "$publish"

if [ "$mode" = dry ]; then
    announce 'dry run only; nothing was uploaded'
    exit 0
fi

printf '\nAt %s:\n%s\n' "$(git log -1 --format='%h %s')" "$crates"
if [ "$mode" = ask ]; then
    read -r -p 'Publish these? An upload cannot be taken back. [y/N] ' answer
    case $answer in
        y | Y | yes) ;;
        *)
            echo 'nothing was uploaded'
            exit 1
            ;;
    esac
fi
announce publish
cargo publish --workspace --locked
