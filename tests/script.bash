# What the scripts that test share: how they find programs, say what they do and leave out, and end. A script goes to
# the root folder of the project, sets "name", with which its last line begins, and sources this file. shellcheck
# shell=bash

# The folders that are Go modules of their own, because of what their tests or examples need. The root module does not
# depend on that.
# shellcheck disable=SC2034
modules=(examples/service examples/websocket grpc tests/nettest tests/winio)

parts=()
left_out=()
missing=()

# A script that has something to remove or to stop at its end defines another.
clean_up() { :; }
# shellcheck disable=SC2154
trap 'status=$?; clean_up || true; [ $status -eq 0 ] || echo "$name: FAILED"' EXIT

fail() { # why
    echo "$name: $1"
    exit 1
}

part() { # title
    printf '\n== %s\n' "$1"
    parts+=("$1")
}

# Something cannot be tested here. In CI, where the variable CI is set, that is a failure.
leave_out() { # what
    printf '\n== LEFT OUT: %s\n' "$1"
    left_out+=("$1")
    [ -z "${CI:-}" ] || fail "in CI nothing may be left out"
}

# Prints what was left out, and the last line.
finish() { # how it ended
    echo
    [ ${#left_out[@]} -eq 0 ] || printf 'left out: %s\n' "${left_out[@]}"
    echo "$name: $1"
}

# Prints where the first of these programs is that there is, or nothing.
find_program() { # program…
    local program
    for program; do
        command -v "$program" && return
    done
    true
}

# Notes what has to be installed if the program that find_program looked for is not there.
need() { # where it is, what to install
    [ -n "$1" ] || missing+=("$2")
}

# Ends the script if anything is missing. If its argument is --missing it prints that, or an empty line, and ends in any
# case.
end_if_missing() { # the script's arguments
    if [ "${1:-}" = --missing ]; then
        echo "${missing[*]-}"
        exit
    fi
    [ ${#missing[@]} -eq 0 ] ||
        fail "these have to be installed first (the names are those of Debian's packages): ${missing[*]}"
}

# Runs the functions part_NAME. Each ends where a command fails; those that follow run all the same.
run_parts() { # NAME…
    local part failed=0
    for part; do
        declare -F "part_$part" >/dev/null || fail "there is no part $part"
    done
    for part; do
        set +e
        (set -e && "part_$part")
        [ $? -eq 0 ] || failed=1
        set -e
    done
    [ $failed -eq 0 ] || exit 1
}

# The folders of a module's packages that have tests of the library or the command, for the system in GOOS. Those in
# tests/packaging are of what is installed, and the one in tests/soak takes long: they are left to "make test".
tested_packages() { # folder of the module, ".": of that package alone; all of the root module if there are none
    local root=$PWD
    (cd "${1:-.}" && "${GO:-go}" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "${2:-./...}") |
        sed "s|^$root|.|; /\/tests\/packaging$/d; /\/tests\/soak$/d"
}

# Builds the tests of the Go package in a folder, and runs them there. Prints what failed, or how many passed.
run_go_tests() { # folder, program to build, pattern of tests to leave out or nothing, what runs the program…
    local folder=$1 program=$2 log=$2.log status=0
    printf '%s: ' "$folder"
    (cd "$folder" && "$GO" test -c -o "$program" .) || return 1
    # Into a file: under Wine, Node.js cannot write to a pipe of this system.
    (cd "$folder" && timeout 1800 "${@:4}" "$program" -test.v -test.timeout 20m -test.skip "$3") >"$log" 2>&1 ||
        status=$?
    sed -i 's/\r$//' "$log"
    if [ $status -ne 0 ]; then
        echo "FAILED ($status), see $log"
        grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' "$log" || true
        return 1
    fi
    count_go_tests "$log"
    sed -n 's/^--- SKIP: \([^ ]*\).*/    skipped: \1/p' "$log"
}

count_go_tests() { # log…
    awk '/^--- PASS/ { passed++ } /^--- SKIP/ { skipped++ } END {
        printf "%d Go tests passed, %d skipped\n", passed, skipped }' "$@"
}
