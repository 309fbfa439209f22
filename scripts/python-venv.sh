# shellcheck shell=bash
# For other scripts: a virtual environment of Python with the packages that a file of requirements names.

# Prints where it is: in the target folder, under the given name. Made anew when the requirements change.
# Each step says that it may fail: where a caller takes the output, `set -e` does not hold here.
python_venv() {
    local requirements=$1 venv=${CARGO_TARGET_DIR:-target}/$2
    if ! cmp -s "$requirements" "$venv/requirements.txt"; then
        python3 -m venv --clear "$venv" >&2 || return
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" >&2 || return
        cp "$requirements" "$venv/requirements.txt" || return
    fi
    printf '%s\n' "$venv"
}
