#!/usr/bin/env bash
# Proves that our JSON of all three signals is read by JavaScript: protobufjs with the official .proto files,
# every field of every message, plain and compressed, with a refusal and a partial rejection among them.
#
# Needs Node.js 18 or newer with npm, and a package index; the packages go to target/interop-js.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is not installed, so nothing was checked" >&2
        exit 1
    fi
done

# shellcheck source=scripts/node-modules.sh
. scripts/node-modules.sh
modules=$(node_modules interop/js interop-js)

# The official .proto files are in the sources of the crate that the tests use as their oracle.
protos=$(cargo metadata --locked --format-version 1 | python3 -c '
import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "opentelemetry-proto":
        folder = os.path.dirname(package["manifest_path"])
        print(os.path.join(folder, "src/proto/opentelemetry-proto"))
')

# shellcheck source=scripts/example-path.sh
. scripts/example-path.sh
client=$(example_path interop_json)
NODE_PATH="$modules" node interop/js/check.js "$client" "$protos"
