#!/usr/bin/env bash
# Removes what cargo unpacked in an earlier dry run of publishing from the same folder. It keeps packages of
# that run's registry by name and version, and would build today's crates against yesterday's.
set -euo pipefail
registry=${CARGO_HOME:-$HOME/.cargo}/registry
# The registry of a dry run is a folder, so its name here begins with no host.
rm -rf "$registry"/src/-*/otlp-* "$registry"/cache/-*/otlp-*
