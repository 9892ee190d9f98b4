# shellcheck shell=bash
# A daemon of an ordinary user: by fusermount3, and as root of a user namespace of his own (unshare -Urm).

if [ "$FRONT" = cuse ]; then
    excluded "a daemon of an ordinary user" "only root makes device nodes"
    return
fi
# The usual group of tapes, which the user is not in.
getent group tape >/dev/null || groupadd --system tape
# A place that belongs to another user, with the programs.
place=$(mktemp -d /tmp/pseudotape-rootless.XXXXXX)
# A session that failed may leave its mount.
trap 'clean_up; umount -l "$place/m" 2>/dev/null; rm -rf "$place"' EXIT
cp "$PSEUDOTAPE_BIN/pseudotape" "$PSEUDOTAPE_BIN/pseudotape-dev" "$place"
mkdir "$place/tree"
head -c 300000 /dev/urandom >"$place/tree/one"
# Starts a daemon, works with the drive, ends it: one line for each step, with its exit code, and at last the log.
cat >"$place/session" <<'END_OF_SESSION'
PATH=$PWD:$PATH
export PSEUDOTAPE_CONTROL=$PWD/control
step() {
    "$@" >step.out 2>&1
    echo "$1 $?: $(cat step.out)"
}
up() {
    : >out
    pseudotape-dev --drive tape.ptape --fuse m >out 2>>err &
    daemon=$!
    until grep -q ^control: out; do
        kill -0 $daemon 2>/dev/null || { echo "no daemon" && cat err && exit 9; }
        sleep 0.05
    done
}
rm -rf err tape.ptape
step pseudotape create tape.ptape
up
step tar -cf m/npmtm0 tree
step mt-st -f m/npmtm0 rewind
step tar -df m/npmtm0
step mt-st -f m/npmtm0 status
step pseudotape status
step stat -c 'node %a %u %g' m/npmtm0
step stat -c 'socket %a %u %g' control
echo "own $(id -u) $(id -g)"
kill -KILL $daemon
wait $daemon 2>killed
step ls m
up
step mt-st -f m/npmtm0 fsf 1
kill $daemon
wait $daemon
echo "daemon $?"
[ -e m ] && ls -al m || echo "m is gone"
grep -c " $PWD/m fuse" /proc/self/mounts
cat err
END_OF_SESSION
chown -R 65534:65534 "$place"

# ordinary COMMAND...: as an ordinary user who is in no group of tapes
ordinary() {
    (cd "$place" && env -u XDG_RUNTIME_DIR HOME="$place" setpriv --reuid=65534 --regid=65534 --clear-groups "$@")
}

# has NAME PATTERN: the session said this
has() {
    if [[ $said =~ $2 ]]; then ok "$1"; else fail "$1" "nothing matches '$2': $said"; fi
}

# works HOW: what a session has to say in any case
works() {
    has "$1: tar writes a backup" 'tar 0: '
    has "$1: and compares it" $'tar 0: .*tar 0: \n'
    has "$1: mt" 'mt-st 0: .*File number=0, block number=30'
    has "$1: the status" 'pseudotape 0: .*npmtm0'
    has "$1: a killed daemon leaves a dead mount" 'ls 2: .*(not connected|canceled|connection abort)'
    has "$1: the next one clears it away" 'has died without its end'
    has "$1: and serves the same tape" 'mt-st 0: [^:]*daemon 0'
    has "$1: nothing stays" $'m is gone\n0\n'
    has "$1: the nodes are those of the user" "node 660 $2 $2"
    has "$1: the socket too" "socket 660 $2 $2"
}

export -f ordinary
export place
# doctor NAME CODE PATTERN COMMAND...: as an ordinary user
doctor() {
    # shellcheck disable=SC2016 # the other shell expands them
    says "$1" "$2" "$3" bash -c 'ordinary env TMPDIR="$place/tmp" "$@" ./pseudotape doctor --try' - "${@:4}"
}
ordinary mkdir tmp
doctor "doctor: a user can have a drive by fusermount3" 0 'ok +a drive +yes: files.*ok +fuse mount.*ok +try: fuse'
doctor "doctor: none without it" 1 'MISSING a drive +no: .*fusermount3 is missing.*MISSING try: fuse .*install fuse3' \
    FUSERMOUNT_PATH=/none/fusermount3
doctor "doctor: none where it has no rights" 1 'MISSING a drive +no: .*get no new rights.*MISSING try: fuse' \
    setpriv --no-new-privs
same "doctor leaves nothing behind" "" "$(ls "$place/tmp")"

said=$(ordinary timeout 200 bash session 2>&1)
works "by fusermount3" 65534
has "by fusermount3: the log says why the nodes are not group tape's" 'group tape .*this user is not in it'

# A host may keep user namespaces from ordinary users; for root of a container the mapping is the same.
namespace=(ordinary)
ordinary unshare -Urm true 2>/dev/null || namespace=(env -C "$place")
said=$("${namespace[@]}" timeout 200 unshare -Urm bash session 2>&1)
works "in a user namespace" 0
has "in a user namespace: the log says why the nodes are not group tape's" 'group tape .*no number in this user namespace'
said=$("${namespace[@]}" timeout 200 unshare -Urm ./pseudotape-dev --drive '' --fuse m --control control --group tape 2>&1)
has "a group that was named has to have a number" "group 'tape' .*no number in this user namespace.*--group names one"
