# shellcheck shell=bash
# For other scripts: packages of npm, as a lock file names them.

# Prints where they are: in the target folder, under the given name. Installed anew when the lock file changes.
# Absolute, since Node takes it for a place of its modules. Each step says that it may fail: where a caller takes
# the output, `set -e` does not hold here.
node_modules() {
    local source=$1 target
    target=$(mkdir -p "${CARGO_TARGET_DIR:-target}/$2" && cd "${CARGO_TARGET_DIR:-target}/$2" && pwd) || return
    if ! cmp -s "$source/package-lock.json" "$target/node_modules/installed-lock.json"; then
        cp "$source/package.json" "$source/package-lock.json" "$target/" || return
        npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund --loglevel error >&2 || return
        cp "$source/package-lock.json" "$target/node_modules/installed-lock.json" || return
    fi
    printf '%s\n' "$target/node_modules"
}
