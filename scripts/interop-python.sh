#!/usr/bin/env bash
# Proves that the exporters deliver to the official Python protobuf classes: every field of every
# span, over HTTP in protobuf and JSON and over gRPC, plain and compressed, with a refusal and a partial
# rejection among them; and every field of every message of all three signals in JSON.
#
# Needs Python 3.9 or newer with `venv`, and a package index; the packages go to target/interop-python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

requirements=interop/python/requirements.txt
venv=${CARGO_TARGET_DIR:-target}/interop-python

if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi

# With the features of the whole workspace, so that a test run's artifacts serve here too.
# shellcheck source=scripts/example-path.sh
. scripts/example-path.sh
client=$(example_path interop_client)
json=$(example_path interop_json)
"$venv/bin/python" interop/python/check.py "$client"
"$venv/bin/python" interop/python/check_json.py "$json"
