# Finds a Python and keeps a virtual environment for a suite. Sourced by the `run` scripts.

# Prints the path of an interpreter of one of the versions given, best first. Every candidate is
# run: a version manager's shim may exist and refuse.
find_python() {
    local version candidate
    for version in "$@"; do
        for candidate in \
            "${PYTHON:-}" \
            "python$version" \
            python3 \
            python \
            "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version"*/bin/python3 \
            "$(uv python find "$version" 2>/dev/null || true)" \
            "/usr/bin/python$version" \
            "/usr/local/bin/python$version" \
            "/opt/homebrew/bin/python$version"; do
            if [ -n "$candidate" ] && is_python "$candidate" "$version"; then
                command -v "$candidate"
                return
            fi
        done
    done
    return 1
}

is_python() {
    "$1" -c "import sys, ensurepip, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" \
        >/dev/null 2>&1
}

# Says what to install, and ends the script with 2: nothing was tested.
no_python() {
    local suite=$1
    shift
    cat >&2 <<END
$suite: this suite needs Python $*, with its venv module, and none was found.
Install it in one of these ways, or name an interpreter with PYTHON=/path/to/python:
  Debian, Ubuntu   apt-get install python$1 python$1-venv
  Fedora           dnf install python$1
  Homebrew         brew install python@$1
  pyenv            pyenv install $1
  uv               uv python install $1
END
    exit 2
}

# Prints the folder of a virtual environment that has exactly what a requirements file names. It is
# keyed by the file and the interpreter, and reused once it is complete.
virtual_environment() {
    local parent=$1 requirements=$2 python=$3 key venv
    key=$("$python" - "$requirements" <<'END'
import hashlib, pathlib, sys
text = sys.version.encode() + pathlib.Path(sys.argv[1]).read_bytes()
print(hashlib.sha256(text).hexdigest()[:12])
END
    )
    venv=$parent/$key
    if [ ! -e "$venv/complete" ]; then
        echo "installing $requirements into $venv" >&2
        rm -rf "$venv"
        mkdir -p "$parent"
        "$python" -m venv "$venv" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --requirement "$requirements" >&2
        touch "$venv/complete"
    fi
    echo "$venv"
}
