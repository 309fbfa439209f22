# shellcheck shell=bash
# For other scripts: builds an example or a program of the workspace, and prints where its binary is.

example_path() {
    built_path --example "$1"
}

binary_path() {
    built_path --bin "$1"
}

# The path is asked from Cargo: it depends on the target folder and the platform.
built_path() {
    local path
    path=$(cargo build --locked --quiet --workspace --all-features "$1" "$2" --message-format json |
        python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("reason") == "compiler-artifact" and message["target"]["name"] == sys.argv[1]:
        print(message["executable"])
' "$2")
    if [ -z "$path" ]; then
        echo "$2 was not built" >&2
        return 1
    fi
    printf '%s\n' "$path"
}
