# Sourced by run.sh: how a check runs, is counted and is shown.
# shellcheck shell=bash

passed=0 failed=0 skipped=0
log=$work/log

pass() {
    passed=$((passed + 1))
    echo "ok      $1"
}

fail() {
    failed=$((failed + 1))
    echo "FAILED  $1"
}

skip() {
    skipped=$((skipped + 1))
    echo "skipped $1"
}

# Runs a command within a bound of time; its output is in $log/out afterwards.
bounded() {
    timeout --kill-after=5 120 "$@" >"$log/out" 2>&1 </dev/null
}

show_output() {
    sed 's/^/        | /' "$log/out" | tail -n 25
}

# check NAME COMMAND...: the command succeeds.
check() {
    local name=$1 status
    shift
    bounded "$@"
    status=$?
    if [ "$status" = 0 ]; then
        pass "$name"
    else
        fail "$name (exit $status: $*)"
        show_output
    fi
    return "$status"
}

# check_says NAME PATTERN COMMAND...: the command succeeds and prints a line with the pattern.
check_says() {
    local name=$1 pattern=$2
    shift 2
    if bounded "$@" && grep -qE -- "$pattern" "$log/out"; then
        pass "$name"
    else
        fail "$name (wanted: $pattern)"
        show_output
    fi
}

# check_fails NAME PATTERN COMMAND...: the command fails, not by running out of time, and prints the pattern.
check_fails() {
    local name=$1 pattern=$2 status
    shift 2
    bounded "$@"
    status=$?
    if [ "$status" != 0 ] && [ "$status" != 124 ] && [ "$status" != 137 ] && grep -qE -- "$pattern" "$log/out"; then
        pass "$name"
    else
        fail "$name (exit $status, wanted a failure with: $pattern)"
        show_output
    fi
}

# same NAME EXPECTED ACTUAL
same() {
    if [ -n "$2" ] && [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1 (wanted '$2', found '$3')"
    fi
}

closing_line() {
    local line="$passed passed, $failed failed"
    [ "$skipped" = 0 ] || line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
