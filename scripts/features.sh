#!/usr/bin/env bash
# Checks each published crate on its own with each combination of its features: none may need what
# another crate of the workspace happens to turn on, and none may leave dead code behind. Of a crate with
# more than five features: none, each, each pair, all but one, all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Prints "CRATE FEATURES" lines, FEATURES being a comma-separated list or "-". `default` is left
# out: it is a name for other features.
combinations() {
    cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import itertools, json, sys
for package in json.load(sys.stdin)["packages"]:
    if package["publish"] == []:
        continue
    features = sorted(set(package["features"]) - {"default"})
    count = len(features)
    sizes = range(count + 1) if count <= 5 else (0, 1, 2, count - 1, count)
    for size in sizes:
        for chosen in itertools.combinations(features, size):
            print(package["name"], ",".join(chosen) or "-")
'
}

list=$(combinations)
count=0
while read -r crate features; do
    printf -- '--- %s, features: %s\n' "$crate" "$features"
    set -- --locked --quiet --package "$crate" --lib --no-default-features
    if [ "$features" != - ]; then set -- "$@" --features "$features"; fi
    cargo clippy "$@" -- -D warnings
    count=$((count + 1))
done <<<"$list"
echo "$count combinations"
