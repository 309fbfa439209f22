#!/usr/bin/env bash
# Compares lock files with the version floors of scripts/version-floors.txt.
#
#   scripts/check-floors.sh [LOCKFILE…]     default: every Cargo.lock of the repository
#   scripts/check-floors.sh --self-test     proves on made-up lock files that the check can fail
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
floors="$here/version-floors.txt"

# check LOCKFILE: prints each violation and a last line with the count of packages and floors met.
check() {
    awk -v lock="$1" '
        # Numbers of a version; what follows the third (a pre-release, build metadata) is ignored.
        function part(version, index_, parts) { split(version, parts, /[.+-]/); return parts[index_] + 0 }
        function below(a, b,    i) {
            for (i = 1; i <= 3; i++) if (part(a, i) != part(b, i)) return part(a, i) < part(b, i)
            return 0
        }
        # Two versions are of one line when Cargo takes one for the other.
        function same_line(a, b,    i) {
            for (i = 1; i <= 3; i++) {
                if (part(a, i) != part(b, i)) return 0
                if (part(a, i) != 0) return 1
            }
            return 1
        }
        function accepted(version, list,    n, i, floor) {
            n = split(list, floor, " ")
            if (!below(version, floor[n])) return 1
            for (i = 1; i < n; i++) if (same_line(version, floor[i]) && !below(version, floor[i])) return 1
            return 0
        }
        function judge() {
            packages++
            if (!(name in floors)) return
            met++
            if (floors[name] == "never") complain("is banned")
            else if (!accepted(version, floors[name])) complain("is below the floor " floors[name])
        }
        function complain(what) {
            printf "%s: %s %s %s (%s)\n", lock, name, version, what, reason[name]
            bad++
        }

        FNR == NR {
            why = $0; if (sub(/^[^#]*#[ \t]*/, "", why) == 0) why = "no reason given"
            sub(/#.*/, ""); if (NF == 0) next
            if (NF < 2) { printf "%s:%d: %s has no floor\n", FILENAME, FNR, $1; bad++; next }
            list = $2; for (i = 3; i <= NF; i++) list = list " " $i
            floors[$1] = list; reason[$1] = why
            next
        }
        /^name = "/    { name = $3; gsub(/"/, "", name) }
        /^version = "/ { version = $3; gsub(/"/, "", version); judge() }

        END {
            if (packages == 0) { printf "%s: no package found; is it a lock file?\n", lock; exit 1 }
            if (bad) exit 1
            printf "%s: %d packages, %d of them with a floor, all at or above it\n", lock, packages, met
        }
    ' "$floors" "$1"
}

# expect 0|1 NAME VERSION: the check of a lock file with this one package must pass or fail.
expect() {
    local lock status=0
    lock=$(mktemp)
    printf '[[package]]\nname = "%s"\nversion = "%s"\n' "$2" "$3" >"$lock"
    check "$lock" >/dev/null || status=1
    rm -f "$lock"
    if [ "$status" != "$1" ]; then
        echo "self-test: $2 $3 gave $status, expected $1" >&2
        return 1
    fi
}

self_test() {
    expect 0 h2 0.4.18
    expect 0 h2 0.4.100
    expect 0 h2 0.5.0
    expect 1 h2 0.4.17
    expect 1 h2 0.3.27
    expect 0 lz4_flex 0.11.6
    expect 1 lz4_flex 0.11.5
    expect 1 lz4_flex 0.12.0
    expect 0 lz4_flex 0.13.1
    expect 1 bytes 1.9.0
    expect 1 serde_yml 0.0.12
    expect 0 some-other-crate 0.0.1
    if check /dev/null >/dev/null; then
        echo "self-test: an empty lock file passed" >&2
        return 1
    fi
    echo "self-test: 13 cases"
}

if [ "${1:-}" = --self-test ]; then
    self_test
    exit
fi
if [ $# -eq 0 ]; then
    cd "$here/.."
    # Also those of the workspaces of their own: fuzz targets, models.
    while IFS= read -r lock; do set -- "$@" "$lock"; done < <(
        find . \( -name target -o -name .git \) -prune -o -name Cargo.lock -print | sed 's|^\./||' | sort
    )
fi
status=0
for lock in "$@"; do
    check "$lock" || status=1
done
exit "$status"
