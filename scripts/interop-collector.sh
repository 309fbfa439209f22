#!/usr/bin/env bash
# Proves that the Go Collector understands every field of every span, log record and metric that we send: over
# gRPC and over HTTP in protobuf and JSON, plain and compressed, and in lines of the file exporter.
#
#   OTELCOL=/path/to/otelcol-contrib scripts/interop-collector.sh
#
# Any Collector serves that has the OTLP receiver and the file exporter. Without one nothing is checked, which is
# said and is no failure.
#
# Needs Python 3.9 or newer with `venv`, and a package index; the packages go to target/interop-python.
set -euo pipefail

if [ -z "${OTELCOL:-}" ]; then
    echo "SKIPPED: OTELCOL does not name the binary of a Collector, so nothing was checked"
    exit 0
fi
if ! binary=$(command -v "$OTELCOL"); then
    echo "OTELCOL is $OTELCOL, which cannot be run" >&2
    exit 1
fi
# Before the folder changes.
binary=$(cd "$(dirname "$binary")" && pwd)/$(basename "$binary")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

components=$("$binary" components)
for component in receiver/otlpreceiver exporter/fileexporter; do
    if ! grep -q "$component" <<<"$components"; then
        echo "$binary has no $component" >&2
        exit 1
    fi
done

# shellcheck source=scripts/python-venv.sh
. scripts/python-venv.sh
venv=$(python_venv interop/python/requirements.txt interop-python)

# shellcheck source=scripts/example-path.sh
. scripts/example-path.sh
spans=$(example_path interop_client)
signals=$(example_path interop_signals)
"$venv/bin/python" interop/python/check_collector.py "$binary" "$spans" "$signals"
