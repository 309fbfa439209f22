#!/usr/bin/env bash
# Proves that what the official SDKs of Python and JavaScript send to our collector comes out as it was sent: all
# three signals, over gRPC and over HTTP in protobuf and JSON, plain and compressed, in and out; and that clients
# are told when the destination rejects or refuses.
#
#   [GO_COLLECTOR=/path/to/otelcol] [TELEMETRYGEN=/path/to/telemetrygen] scripts/interop-through-collector.sh
#
# With GO_COLLECTOR, a Go Collector with the OTLP receiver and exporters, it also stands before ours and behind it;
# with TELEMETRYGEN, its load generator sends too.
#
# Needs Python 3.10 or newer with `venv`, a package index, and Node.js 18.19 or newer with npm: without those
# JavaScript is left out, which is said. The packages go to target/interop-sdk and target/interop-js-sdk.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=scripts/python-venv.sh
. scripts/python-venv.sh
venv=$(python_venv interop/python/requirements-sdk.txt interop-sdk)

sender=()
if command -v node >/dev/null && command -v npm >/dev/null; then
    # shellcheck source=scripts/node-modules.sh
    . scripts/node-modules.sh
    NODE_PATH=$(node_modules interop/js/sdk interop-js-sdk)
    export NODE_PATH
    sender=(node "$PWD/interop/js/sdk/send.js")
else
    echo "SKIPPED: there is no node and npm here, so the JavaScript SDK was left out" >&2
fi

# shellcheck source=scripts/example-path.sh
. scripts/example-path.sh
collector=$(binary_path otlp-collector)
"$venv/bin/python" interop/python/check_through_collector.py "$collector" ${sender[@]+"${sender[@]}"}
