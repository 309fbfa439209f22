#!/usr/bin/env bash
# Proves that the exporters deliver to the official Python protobuf classes: every field of every
# span, over HTTP and gRPC, plain and compressed, with a refusal and a partial rejection among them.
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

# The path of the binary is asked from Cargo: it depends on the target folder and the platform.
# With the features of the whole workspace, so that a test run's artifacts serve here too.
client=$(cargo build --locked --quiet --workspace --all-features --example interop_client \
    --message-format json |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message["target"]["name"] == "interop_client":
        print(message["executable"])
')
if [ -z "$client" ]; then
    echo "the interop client was not built" >&2
    exit 1
fi
"$venv/bin/python" interop/python/check.py "$client"
