# shellcheck shell=bash
# The tab key in real shells: drives of the running daemon, personalities, sinks and their options, labels of a vault, names
# of options and of files. A daemon that is gone, or does not answer, costs no time and prints nothing.

if [ "$FRONT" = cuse ]; then
    excluded "completions" "they ask the daemon by its control socket, wherever its drives are"
    return
fi
PATH=$PSEUDOTAPE_BIN:$PATH
for program in pseudotape pseudotape-mirror pseudotape-dev pseudotape-scsi; do
    for shell in bash zsh fish; do
        case $program in
            pseudotape-dev | pseudotape-scsi) "$program" --completions $shell >"$program.$shell" ;;
            *) "$program" completions $shell >"$program.$shell" ;;
        esac
        check "the script of $program is $shell" "$shell" -n "$program.$shell"
    done
done

cartridge one
check "a vault is made" pseudotape vault init shelf --labels 'MON###'
check "a volume is added" pseudotape vault add --new --capacity 1M --vault shelf
drive_up "$WORK/one.ptape"

# completes SHELL PROGRAM [LINE WHAT IT BECOMES]...: what the tab key makes of lines in one shell. zsh takes the blank behind a
# whole word back when something else follows.
completes() {
    local shell=$1 program=$2 lines=() wanted=() became i
    shift 2
    while [ $# -gt 0 ]; do
        lines+=("$program $1") && wanted+=("$program $2") && shift 2
    done
    timeout 400 python3 "$PT_ROOT/tests/clients/tools/complete.py" "$shell" "$WORK/$program.$shell" "${lines[@]}" >became 2>&1
    mapfile -t became <became
    for i in "${!lines[@]}"; do
        [ "$shell" = bash ] || wanted[i]=${wanted[i]% }
        same "$shell completes '${lines[i]}'" "${wanted[i]}" "${became[i]-}"
    done
}
for shell in bash zsh; do
    completes $shell pseudotape 'write-p' 'write-protect ' 'unload ' 'unload 0 ' 'create x --ear' 'create x --early-warning ' \
        'info on' 'info one.ptape ' 'copy image:on' 'copy image:one.ptape ' \
        'copy zstd+image:one.ptape,cap' 'copy zstd+image:one.ptape,capacity=' \
        'vault show --vault shelf ' 'vault show --vault shelf MON001 ' 'inject 0 read-error,pos' 'inject 0 read-error,position='
    completes $shell pseudotape-mirror 'run --leg a=image:x,class=sp' 'run --leg a=image:x,class=spare '
    completes $shell pseudotape-dev '--drive image=x,personality=dd' '--drive image=x,personality=dds ' \
        '--drive legs=a=imag' '--drive legs=a=image:' \
        "--drive 'legs=a=image:x\\,create;b=image:on" "--drive legs=a=image:x\\,create;b=image:one.ptape " \
        "--drive 'legs=a=image:x\\,create;b=image:y\\,class=sp" "--drive legs=a=image:x\\,create;b=image:y\\,class=spare "
    completes $shell pseudotape-scsi "--drive 'legs=a=image:x\\,class=sp" "--drive legs=a=image:x\\,class=spare "
done
# fish says what it would offer
offers() {
    timeout 300 fish --no-config -c "source $WORK/$1.fish; complete -C '$2'" 2>&1 | cut -f 1
}
same "fish offers the number of a drive" 0 "$(offers pseudotape 'pseudotape unload ')"
same "fish offers an option of a sink" image:one.ptape,create "$(offers pseudotape 'pseudotape copy image:one.ptape,cre')"
for program in pseudotape-dev pseudotape-scsi; do
    same "fish offers an option of a leg ($program)" 'legs=a=image:x\,class=spare' \
        "$(offers $program "$program --drive \\'legs=a=image:x\\\\,class=sp")"
done
same "fish offers a personality" personality=dds "$(offers pseudotape-dev 'pseudotape-dev --drive personality=dd')"

# ask WORD...: what the program itself answers, its messages too
ask() {
    PSEUDOTAPE_COMPLETE=bash timeout 100 pseudotape "$@" 2>&1
}
kill -STOP "$DAEMON"
same "a daemon that does not answer is not waited for" "" "$(ask unload '')"
kill -CONT "$DAEMON"
drive_down
same "without a daemon there are no drives" "" "$(ask unload '')"
same "and no volume without a vault" "" "$(ask vault show --vault nowhere '')"
