# shellcheck shell=bash
# For other scripts: builds an example of the workspace, and prints where its binary is.

# The path is asked from Cargo: it depends on the target folder and the platform.
example_path() {
    local path
    path=$(cargo build --locked --quiet --workspace --all-features --example "$1" --message-format json |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message["target"]["name"] == sys.argv[1]:
        print(message["executable"])
' "$1")
    if [ -z "$path" ]; then
        echo "the example $1 was not built" >&2
        return 1
    fi
    printf '%s\n' "$path"
}
