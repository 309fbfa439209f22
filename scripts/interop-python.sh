#!/usr/bin/env bash
# Proves that the exporters deliver to the official Python protobuf classes: every field of every
# span, log record and metric, over HTTP in protobuf and JSON and over gRPC, plain and compressed, with a
# refusal and a partial rejection among them, and in lines of a file; and every field of every message of all
# three signals in JSON.
#
# Needs Python 3.9 or newer with `venv`, and a package index; the packages go to target/interop-python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/python-venv.sh
. scripts/python-venv.sh
venv=$(python_venv interop/python/requirements.txt interop-python)

# With the features of the whole workspace, so that a test run's artifacts serve here too.
# shellcheck source=scripts/example-path.sh
. scripts/example-path.sh
client=$(example_path interop_client)
signals=$(example_path interop_signals)
json=$(example_path interop_json)
"$venv/bin/python" interop/python/check.py "$client"
"$venv/bin/python" interop/python/check_signals.py "$signals"
"$venv/bin/python" interop/python/check_json.py "$json"
