# shellcheck shell=bash
# Who may do what by the control sockets and the slave end: root, and another user whom the sockets' group lets in.

# A place that another user can reach, and a program that he can start.
place=$(mktemp -d /tmp/pseudotape-authority.XXXXXX)
trap 'clean_up; rm -rf "$place"' EXIT
chmod 755 "$place"
mkdir "$place/lent" "$place/private"
chmod 755 "$place/lent"
chmod 700 "$place/private"
cp "$PSEUDOTAPE_BIN/pseudotape" "$PSEUDOTAPE_BIN/pseudotape-mirror" "$place"
for name in lent/tuesday lent/wednesday private/secret own; do
    check "create $name" pseudotape create "$place/$name.ptape"
done
before=$(sha256sum <"$place/private/secret.ptape")
# what is run here tells
printf '#!/bin/sh\ntouch "%s/ran"\n' "$place" >"$place/program"
chmod 755 "$place/program"

# stranger COMMAND...: as user nobody, who is in the group of the sockets
stranger() {
    (cd / && setpriv --reuid=65534 --regid=users --clear-groups "$place/$1" --control "$SOCKET" "${@:2}")
}
export -f stranger
export SOCKET place

# refused NAME PATTERN COMMAND...: a stranger's command is refused with these words
refused() {
    says "$1" "[12]" "$2" bash -c 'stranger "$@"' - "${@:3}"
}

allowed() {
    says "$1" 0 "$2" bash -c 'stranger "$@"' - "${@:3}"
}

cat >dev.toml <<END
group = "users"
[control]
folders = ["$place/lent"]
END
PSEUDOTAPE_CONTROL=$place/control
SOCKET=$PSEUDOTAPE_CONTROL
export DAEMON_OPTIONS="--config dev.toml"
drive_up "image=$place/own.ptape" "" "slave=$place/slave,slave-wait=10"
same "the control socket has the group and the mode of the nodes" "$(stat -c '%a %G' "$NODE")" \
    "$(stat -c '%a %G' "$SOCKET")"
says "the daemon says who may do what" 0 'control: .*control \(root may name any volume, group users what is lent: .*/lent\)' cat "$WORK/daemon.out"
allowed "a member of the group sees the status" 'drive 1' pseudotape status
refused "he can't load an image from elsewhere" "not lent.*'folders' of \[control\]" pseudotape load 1 "$place/private/secret.ptape"
told=$output
refused "nor one that is not there" "not lent" pseudotape load 1 "$place/private/nothing.ptape"
same "and is not told which of them is there" "${told//secret/}" "${output//nothing/}"
ln -s "$place/private/secret.ptape" "$place/lent/link.ptape"
refused "nor one behind a link" "link" pseudotape load 1 "$place/lent/link.ptape"
refused "nor one behind '..'" "link" pseudotape load 1 "image:$place/lent/../private/secret.ptape"
refused "nor make one elsewhere" "not lent" pseudotape load 1 "image:$place/private/new.ptape,create"
refused "nor have a program run" "'remotes' of \[control\]" pseudotape load 1 "rmt:x:y,rsh=$place/program"
refused "nor use a tape node" "'devices' of \[control\]" pseudotape load 1 "device:$NODE"
refused "nor name a key" "'keys' of \[control\]" pseudotape load 1 "aes=$place/private/key+image:$place/lent/tuesday.ptape"
refused "nor set options of the driver" "as on a node" pseudotape options 1 sili
allowed "he can read them" sili pseudotape options 1
refused "nor make a drive fail" "'faults' for the drive" pseudotape inject 1 hang
allowed "he sees what was injected" 'no faults' pseudotape inject 1
chmod 775 "$place/lent"
refused "a folder that others can write to is not lent" "chmod go-w" pseudotape load 1 "$place/lent/tuesday.ptape"
chmod 755 "$place/lent"
allowed "he loads an image of a lent folder" 'loaded .*tuesday' pseudotape load 1 "$place/lent/tuesday.ptape"
allowed "and takes it out" 'unloaded' pseudotape unload 1
allowed "its name is enough" 'loaded .*lent/tuesday' pseudotape load 1 tuesday.ptape
check "unload" pseudotape unload 1
check "root loads what he likes" pseudotape load 1 "$place/private/secret.ptape"
check "and out" pseudotape unload 1
# More clients than are served, all of them silent and of the group: he can't keep root out.
cat >idle.py <<'END'
import socket, sys, time
clients = []
for number in range(20):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    client.settimeout(200)
    clients.append(client)
# the last ones are refused, which tells that all the others were looked at
for client in clients[16:]:
    assert b"16 clients are being served" in client.recv(1000)
print("all are there", flush=True)
time.sleep(600)
END
cp idle.py "$place/idle.py"
setpriv --reuid=65534 --regid=users --clear-groups /usr/bin/python3 "$place/idle.py" "$SOCKET" >idle.out 2>idle.err &
idle=$!
tenths=0
until grep -q 'all are there' idle.out || [ $tenths -gt 600 ] || ! kill -0 $idle 2>/dev/null; do
    sleep 0.1
    tenths=$((tenths + 1))
done
says "one client more than the limit is told why" 0 'all are there' cat idle.out idle.err
refused "another one of the group too" '16 clients are being served' pseudotape status
says "root is served all the same" 0 'drive 1' pseudotape status
kill $idle
wait $idle 2>/dev/null

says "a name that is nowhere" 2 "no volume 'nothing.ptape'.*folders" pseudotape load 1 nothing.ptape
same "the secret image is what it was" "$before" "$(sha256sum <"$place/private/secret.ptape")"

says "a member of the group can't be the slave" 1 'ermission denied' \
    setpriv --reuid=65534 --regid=users --clear-groups /usr/bin/python3 -c '
import socket, sys
socket.socket(socket.AF_UNIX).connect(sys.argv[1])' "$place/slave"
says "nor by the node" 1 'ermission denied' \
    setpriv --reuid=65534 --regid=users --clear-groups /usr/bin/python3 -c 'open(__import__("sys").argv[1], "r+b")' "$NODE_DIR/pmts2"
drive_down
drive_up "slave=$place/slave,slave-group=users,slave-wait=10" ""
same "unless its group is named" "660 users" "$(stat -c '%a %G' "$place/slave")"
same "then the node is open to the group too" "660 users" "$(stat -c '%a %G' "$NODE_DIR/pmts0")"

# the mirror
cat >mirror.toml <<END
slave = "$place/slave"
[control]
group = "users"
folders = ["$place/lent"]
[[leg]]
name = "a"
END
export PSEUDOTAPE_MIRROR_CONTROL=$place/mirror
"$PSEUDOTAPE_BIN/pseudotape-mirror" run --config mirror.toml >mirror.out 2>>mirror.err </dev/null &
# shellcheck disable=SC2034 # the functions of tests/lib/mirror.sh look at it
MIRROR=$!
mirror_attached
SOCKET=$PSEUDOTAPE_MIRROR_CONTROL
same "the mirror's control socket has its group" "660 users" "$(stat -c '%a %G' "$SOCKET")"
refused "nobody else makes a leg fail" "'faults' for the leg" pseudotape-mirror inject a hang
refused "no program runs by the mirror" "'remotes' of \[control\]" pseudotape-mirror load "a=rmt:x:y,rsh=$place/program"
refused "no image from elsewhere goes in" "'folders' of \[control\]" pseudotape-mirror load "a=$place/private/secret.ptape"
refused "none is made elsewhere" "'folders' of \[control\]" pseudotape-mirror load "a=image:$place/private/new.ptape,create"
allowed "one of a lent folder goes in" 'loaded: a' pseudotape-mirror load "a=$place/lent/tuesday.ptape"
refused "nor by return" "'folders' of \[control\]" pseudotape-mirror return "a=$place/private/secret.ptape"
allowed "and out" unloaded pseudotape-mirror unload
allowed "a new one is made in a lent folder" 'loaded: a' pseudotape-mirror load "a=image:$place/lent/new.ptape,create"
allowed "out again" unloaded pseudotape-mirror unload
allowed "a name is enough" 'loaded: a' pseudotape-mirror load a=wednesday.ptape
same "no program ran" no "$([ -e "$place/ran" ] && echo yes || echo no)"
same "nothing was made in the private folder" secret.ptape "$(ls "$place/private")"
same "the secret image is still what it was" "$before" "$(sha256sum <"$place/private/secret.ptape")"

# a second mirror says once that the slave end is taken
for end in "$place/slave" "$NODE_DIR/pmts0"; do
    : >second.err
    : >"$WORK/daemon.err"
    "$PSEUDOTAPE_BIN/pseudotape-mirror" --control "$place/second" run --slave "$end" --leg b=null >second.out 2>second.err &
    second=$!
    tenths=0
    until grep -q 'is taken' second.err || [ $tenths -gt 600 ]; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    # long enough for it to try again several times: its pauses are 50, 100, 200 … ms
    sleep 2
    same "a second mirror says once that $(basename "$end") is taken" 1 "$(wc -l <second.err)"
    says "with the way to see by whom" 0 "is taken: another slave.*'pseudotape status'" cat second.err
    same "the device daemon says it at most once ($(basename "$end"))" yes \
        "$([ "$(grep -c "can't be its slave" "$WORK/daemon.err")" -le 1 ] && echo yes || cat "$WORK/daemon.err")"
    kill $second
    wait $second 2>/dev/null
done
