# shellcheck shell=bash
# Checks for shell tests: each prints one line and is counted in the file $RESULTS.
#
#   ok NAME            FAIL NAME: why            skip NAME: reason            excluded NAME: reason
#
# `skip` is for what this machine cannot do today; `excluded` for what can never work here, by design.

: "${RESULTS:?the file that results are counted in}"
output= # of the last command that `check`, `exits` or `says` ran

_result() {
    printf '%s\n' "$1" | tee -a "$RESULTS"
}

ok() {
    _result "ok $1"
}

# fail NAME WHY
fail() {
    _result "FAIL $1: ${2//$'\n'/$'\n'    }"
}

skip() {
    _result "skip $1: $2"
}

excluded() {
    _result "excluded $1: $2"
}

# same NAME EXPECTED ACTUAL
same() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        fail "$1" "expected '$2', got '$3'"
    fi
}

# check NAME COMMAND...: the command ends with 0 in time ($CHECK_SECONDS, three minutes)
check() {
    exits "$1" 0 "${@:2}"
}

# exits NAME CODE COMMAND...: the command ends with CODE in time; what it printed is in $output
exits() {
    says "$1" "$2" '' "${@:3}"
}

# says NAME CODE PATTERN COMMAND...: as `exits`, and what it printed matches the extended regular expression. A `^` at its
# beginning is that of any line: a command that takes some seconds, as it may on a loaded machine, tells how far it is.
says() {
    local name=$1 code=$2 pattern=$3 got=0
    shift 3
    output=$(timeout --kill-after=5 "${CHECK_SECONDS:-180}" "$@" 2>&1 </dev/null) || got=$?
    if ! [[ $got =~ ^($code)$ ]]; then
        fail "$name" "'$*' ended with $got, not $code: $output"
        return 1
    elif ! [[ $output =~ $pattern || $pattern == ^* && $'\n'$output =~ $'\n'${pattern#^} ]]; then
        fail "$name" "'$*' printed nothing that matches '$pattern': $output"
        return 1
    fi
    ok "$name"
}

# summary PART FILE: prints the counts, fails when something failed
summary() {
    local passed failed skipped unsteady
    passed=$(grep -c '^ok ' "$2" || true)
    failed=$(grep -c '^FAIL ' "$2" || true)
    skipped=$(grep -c '^skip ' "$2" || true)
    unsteady=$(grep -c '^unsteady ' "$2" || true)
    [ "$unsteady" = 0 ] && unsteady= || unsteady=", $unsteady unsteady"
    echo "$1: $passed passed, $failed failed, $skipped skipped$unsteady"
    [ "$failed" = 0 ]
}
