# shellcheck shell=bash
# What failed is run once more, alone: docs/decisions/0019-unsteady.md says why.
#
# A check that fails and then passes is *unsteady*: it is counted and printed with what it had said. What fails twice has
# failed. More than $AGAIN_AT_MOST failures of one command are no chance; then nothing is run again.
#
#   unsteady NAME: what the first run said

: "${logs:?the directory of logs}"
declare -gA beside # the commands that run now, by their sessions
AGAIN_AT_MOST=${AGAIN_AT_MOST:-3}

# failed_scenarios LOG: those of tests/clients/run in which a check failed, one a line
failed_scenarios() {
    awk '/^-- / { name = $2; next }
        /^clients \(/ { name = "" }
        /^FAIL / && name != "" && !seen[name]++ { print name }' "$1"
}

# only_scenarios NAMES COMMAND...: leaves in `command` the command that runs these scenarios alone; false: it runs none
only_scenarios() {
    local names=$1 argument i found=
    shift
    command=("$@")
    for i in "${!command[@]}"; do
        argument=${command[i]}
        case $argument in
            clients | "clients "*) command[i]="clients ${names//$'\n'/ }" && found=yes ;;
            */clients/run) found=names ;;
        esac
    done
    # shellcheck disable=SC2206
    [ "$found" != names ] || command+=($names)
    [ -n "$found" ]
}

# run_again NAME COMMAND...: what failed in $logs/NAME.log, once more; the lines of what is steady then become `unsteady`
run_again() {
    local name=$1 log=$logs/$1.log failures names command code=0
    shift
    failures=$(grep -c '^FAIL ' "$log")
    [ "$failures" -le $((AGAIN_AT_MOST + 1)) ] || return 0 # one of them can be the guest's line about its job
    names=$(failed_scenarios "$log")
    [ -n "$names" ] && only_scenarios "$names" "$@" || command=("$@")
    echo "-- once more, what failed: ${command[*]}"
    # In a session of its own, as the first run was: `end_beside` of tests/run ends it.
    setsid "${command[@]}" >"$logs/$name-again.log" 2>&1 </dev/null &
    # shellcheck disable=SC2034
    beside[$!]=$name
    wait $! || code=$?
    unset "beside[$!]"
    cat "$logs/$name-again.log"
    if [ "$code" != 0 ] || grep -q '^FAIL ' "$logs/$name-again.log" || ! grep -q '^ok ' "$logs/$name-again.log"; then
        grep '^FAIL ' "$logs/$name-again.log" | sed 's/^FAIL /&(also when run once more) /' >>"$log"
        return 0
    fi
    # A command that ended badly without a line of its own has one now.
    [ "$failures" -gt 0 ] || echo "FAIL $name: did not end with 0" >>"$log"
    sed -i 's/^FAIL /unsteady /' "$log"
    grep '^unsteady ' "$log"
}

# failed_tests LOG: the tests of a log of `cargo test` that failed, one a line
failed_tests() {
    sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$1" | sort -u
}

# cargo_again NAME ARGUMENT...: the failed tests of $logs/NAME.log once more, with the ARGUMENTs that `cargo test` had;
# true: nothing else had failed, and they pass now. Each test is judged by itself, under whose name every test passed.
cargo_again() {
    local name=$1 log=$logs/$1.log again=$logs/$1-again.log failed one code=0
    shift
    mapfile -t failed < <(failed_tests "$log")
    [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le "$AGAIN_AT_MOST" ] || return 1
    echo "-- once more, what failed: ${failed[*]}"
    ${TESTS_BEFORE:-} cargo test --quiet --no-fail-fast "$@" --format pretty --exact "${failed[@]}" >"$again" 2>&1 || code=1
    for one in "${failed[@]}"; do
        if grep -qxF "test $one ... ok" "$again" && ! grep -qxF "test $one ... FAILED" "$again"; then
            ONE=$one awk '$0 == "test " ENVIRON["ONE"] " ... FAILED" { $0 = "test " ENVIRON["ONE"] " ... unsteady" } 1' \
                "$log" >"$log.new" && cat "$log.new" >"$log" && rm "$log.new"
        else
            code=1
        fi
    done
    # A crate that was not built and a program that a signal ended are no failed test, and were not run again.
    ! grep -qE "could not compile|process didn't exit successfully" "$log" || code=1
    return $code
}
