#!/usr/bin/env bash
# Proves that our propagators (W3C, B3, Jaeger) and the official Python ones read each other's headers.
#
# Needs Python 3.9 or newer with `venv`, and a package index; the packages go to
# target/interop-propagators.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/python-venv.sh
. scripts/python-venv.sh
venv=$(python_venv interop/python/requirements-propagators.txt interop-propagators)

# The path of the binary is asked from Cargo: it depends on the target folder and the platform.
client=$(cargo build --locked --quiet --package otlp-sdk --all-features --example interop_propagators \
    --message-format json |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message["target"]["name"] == "interop_propagators":
        print(message["executable"])
')
if [ -z "$client" ]; then
    echo "the interop example was not built" >&2
    exit 1
fi
"$venv/bin/python" interop/python/propagators.py "$client"
