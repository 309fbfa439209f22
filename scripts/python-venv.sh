# shellcheck shell=bash
# For other scripts: a virtual environment of Python with the packages that a file of requirements names.

# Prints where it is: in the target folder, under the given name. Made anew when the requirements change.
python_venv() {
    local requirements=$1 venv=${CARGO_TARGET_DIR:-target}/$2
    if ! cmp -s "$requirements" "$venv/requirements.txt"; then
        python3 -m venv --clear "$venv" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" >&2
        cp "$requirements" "$venv/requirements.txt"
    fi
    printf '%s\n' "$venv"
}
