#!/usr/bin/env bash
# Checks each published crate on its own with each combination of its features: none may need what
# another crate of the workspace happens to turn on, and none may leave dead code behind.
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
    if len(features) > 5:
        sys.exit("{}: {} features make too many combinations".format(package["name"], len(features)))
    for size in range(len(features) + 1):
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
