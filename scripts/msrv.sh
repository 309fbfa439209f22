#!/usr/bin/env bash
# Checks that the `rust-version` of the workspace is true for the published crates:
#
# 1. no crate that they depend on, with all features, declares a newer one;
# 2. clippy finds no use of the standard library that is newer (`clippy::incompatible_msrv`);
# 3. where that toolchain is installed, it compiles them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

msrv=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' Cargo.toml)
if [ -z "$msrv" ]; then
    echo "Cargo.toml declares no rust-version" >&2
    exit 1
fi

published=$(cargo metadata --locked --all-features --format-version 1 | python3 -c '
import json, sys

floor = sys.argv[1]

def numbers(version):
    parts = [int(part) for part in version.split(".")]
    return parts + [0] * (3 - len(parts))

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
roots = [i for i in metadata["workspace_members"] if packages[i]["publish"] != []]
seen, queue = set(roots), list(roots)
while queue:
    for dependency in nodes[queue.pop()]["deps"]:
        # Tests may need a newer compiler than users do.
        if all(kind["kind"] == "dev" for kind in dependency["dep_kinds"]):
            continue
        if dependency["pkg"] not in seen:
            seen.add(dependency["pkg"])
            queue.append(dependency["pkg"])

wrong = silent = 0
for package in sorted((packages[i] for i in seen), key=lambda package: package["name"]):
    declared = package["rust_version"]
    silent += declared is None
    if declared and numbers(declared) > numbers(floor):
        wrong += 1
        print("{name} {version} needs Rust {rust_version}".format(**package), file=sys.stderr)
print("{} crates below the published ones, {} without a rust-version".format(len(seen) - len(roots), silent), file=sys.stderr)
if wrong:
    sys.exit("they are newer than the declared {}".format(floor))
print(" ".join(sorted(packages[i]["name"] for i in roots)))
' "$msrv")
# Each name becomes a --package option.
read -ra names <<<"$published"
packages=()
for name in "${names[@]}"; do packages+=(--package "$name"); done

cargo clippy --quiet --locked --all-features --lib "${packages[@]}" -- -A warnings -D clippy::incompatible_msrv
echo "Rust $msrv by clippy::incompatible_msrv: ${names[*]}"

toolchain=$(rustup toolchain list 2>/dev/null | sed -n "s/^\(${msrv}[.0-9]*-[^ ]*\).*/\1/p" | head -n 1 || true)
if [ -n "$toolchain" ]; then
    cargo "+$toolchain" check --locked --all-features --lib "${packages[@]}" --target-dir "${CARGO_TARGET_DIR:-target}/msrv"
    echo "Rust $msrv by $toolchain: compiles"
else
    echo "!!! NOT CHECKED: compiling with Rust $msrv itself: that toolchain is not installed (rustup toolchain install $msrv)"
fi
