# shellcheck shell=bash
# The daemons with the rights of their systemd units and no more: an ordinary user of group tape, with the
# capabilities that the unit names. On a FUSE mount the device daemon is started otherwise, as the unit has CUSE.

# A place that this user can reach, and programs that he can start.
place=$(mktemp -d /tmp/pseudotape-units.XXXXXX)
trap 'clean_up; rm -rf "$place"' EXIT
for program in pseudotape-dev pseudotape-mirror pseudotape-rmt pseudotape-farm; do cp "$PSEUDOTAPE_BIN/$program" "$place"; done
for name in own far; do check "create $name" pseudotape create "$place/$name.ptape"; done
chown -R nobody:tape "$place"
chmod 750 "$place"

# rights UNIT: the words of setpriv that give what the unit gives
rights() {
    local ambient
    ambient=$(sed -n 's/^AmbientCapabilities=//p' "$PT_ROOT/packaging/systemd/$1.service")
    ambient=$(tr '[:upper:]' '[:lower:]' <<<"$ambient" | sed 's/ /,/g; s/cap_/+/g')
    ambient=-all${ambient:+,$ambient}
    printf '%s ' --reuid=nobody --regid=tape --clear-groups --no-new-privs \
        "--bounding-set=$ambient" "--inh-caps=$ambient" "--ambient-caps=$ambient"
}

for unit in pseudotape pseudotape-mirror pseudotape-rmt pseudotape-farm; do
    same "the unit $unit runs as its user, in group tape" "User=pseudotape Group=tape" \
        "$(grep -E '^(User|Group)=' "$PT_ROOT/packaging/systemd/$unit.service" | sort -r | paste -sd' ')"
done

# how long another process's call is, which User Mode Linux of Debian 12 tells nobody
if [ -e /proc/self/syscall ]; then
    # shellcheck disable=SC2046
    check "the device daemon's rights tell how long root's calls are" setpriv $(rights pseudotape) cat /proc/$$/syscall
    setpriv --reuid=daemon --regid=daemon --clear-groups sleep 1000 &
    sleeper=$!
    until [ "$(ps -o user= -p $sleeper)" = daemon ]; do :; done
    # shellcheck disable=SC2046
    check "and those of another user" setpriv $(rights pseudotape) cat /proc/$sleeper/syscall
    kill $sleeper && wait $sleeper 2>/dev/null
fi

export PSEUDOTAPE_CONTROL=$place/control
slave="slave=$place/slave,slave-wait=10"
cuse=$(stat -c '%u:%g %a' /dev/cuse 2>/dev/null || true)
if [ "$FRONT" = cuse ]; then
    # as the udev rule has it
    chown nobody /dev/cuse && chmod 600 /dev/cuse
    PSEUDOTAPE_BIN=$place
    DAEMON_BEFORE="setpriv $(rights pseudotape)"
    export DAEMON_BEFORE
else
    slave+=,slave-group=tape
fi
export DAEMON_OPTIONS="--group tape"
drive_up "image=$place/own.ptape" "$slave"
unset DAEMON_BEFORE
tree tree 3
check "tar writes" tar -b 128 -cf "$NODE" tree
check "mt rewind" mt-st -f "$NODE" rewind
check "tar compares" tar -b 128 --compare -f "$NODE"
same "the nodes have their group and mode" "660 tape" "$(stat -c '%a %G' "$NODE")"
if [ "$FRONT" = cuse ]; then
    same "the daemon is not root" nobody "$(ps -o user= -p "$DAEMON")"
fi

: >mirror.out
# shellcheck disable=SC2046
setpriv $(rights pseudotape-mirror) "$place/pseudotape-mirror" run --slave "$place/slave" \
    --control "$place/mirror" --leg "a=image:$place/a.ptape,create" --leg "b=image:$place/b.ptape,create" \
    >mirror.out 2>&1 &
mirror=$!
until grep -q 'is the drive at' mirror.out || ! kill -0 $mirror 2>/dev/null; do sleep 0.05; done
check "tar writes through the mirror" tar -b 20 -cf "${NODES[1]}" tree
check "mt offline" mt-st -f "${NODES[1]}" offline
kill $mirror && wait $mirror
same "the mirror ended well" 0 $?
check "both copies are the same" pseudotape compare "$place/a.ptape" "$place/b.ptape"

: >server.out
# shellcheck disable=SC2046
setpriv $(rights pseudotape-rmt) "$place/pseudotape-rmt" --listen "$place/socket" --allow "tape=$place/far.ptape" \
    >server.out 2>server.err &
server=$!
until grep -q '^listening' server.out || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
printf '#!/bin/sh\nexec pseudotape-rmt --via %s/socket\n' "$place" >rsh
chmod +x rsh
check "a remote tape takes a copy" pseudotape copy "$place/a.ptape" "rmt:vault:tape,rsh=$WORK/rsh"
check "and has it" pseudotape compare "$place/a.ptape" "rmt:vault:tape,rsh=$WORK/rsh"
kill $server && wait $server 2>/dev/null
drive_down

# A farm is served by its user, in a root of that user's.
mkdir "$place/served" few && seq 1000 >few/one && seq 10 >few/two
new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365)
by=(-CA "$place/ca.pem" -CAkey ca.key -addext "basicConstraints=critical,CA:FALSE")
{
    "${new[@]}" -subj "/CN=An authority" -keyout ca.key -out "$place/ca.pem"
    "${new[@]}" "${by[@]}" -subj /CN=nas -addext subjectAltName=IP:127.0.0.1 -keyout "$place/nas.key" -out "$place/nas.pem"
    "${new[@]}" "${by[@]}" -subj /CN=ada@depot -keyout ada.key -out ada.pem
} 2>openssl.log || fail "make certificates" "$(cat openssl.log)"
printf 'tls-cert = "%s"\ntls-key = "%s"\ntls-ca = "%s"\n' "$WORK/ada.pem" "$WORK/ada.key" "$place/ca.pem" >farm.toml
chown -R nobody:tape "$place/served" "$place"/nas.* "$place/ca.pem"
: >farm.err
# shellcheck disable=SC2046
(umask 077 && RUST_LOG=info exec setpriv $(rights pseudotape-farm) "$place/pseudotape-farm" serve --listen 127.0.0.1:0 \
    --cert "$place/nas.pem" --key "$place/nas.key" --client-ca "$place/ca.pem" --root "$place/served") 2>farm.err &
server=$!
until grep -q 'served on 127.0.0.1:' farm.err || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
far=(pseudotape farm --config farm.toml --root "tls:127.0.0.1:$(sed -n 's/.*served on 127.0.0.1://p' farm.err):")
check "ada comes in" pseudotape farm acl add ada@depot --root "$place/served"
check "the service adds" "${far[@]}" add V few
same "as its user" nobody "$(stat -c %U "$place/served/V")"
says "lists" 0 'few/' "${far[@]}" ls V
mkdir out
check "gives back" "${far[@]}" extract V --all -C out
check "all of it" diff -r --no-dereference few out/few
rm "$place/served/V/FILE000.dir"
check "and repairs" "${far[@]}" repair V --yes
says "so that all is well" 0 '; 0 findings' "${far[@]}" verify V
says "root hears that the service can't change what root makes" 0 'belongs to nobody, who can.t change a volume that root makes' \
    pseudotape farm copy R few --root "$place/served"
seq 5 >few/three
says "nor can it" 2 "R belongs to root, and this is nobody: .*chown -R nobody $place/served/R" "${far[@]}" add R few
check "the way out" chown -R nobody "$place/served/R"
says "is one" 0 '1 file added' "${far[@]}" add R few
kill $server && wait $server 2>/dev/null
if [ "$FRONT" = cuse ]; then
    chown "${cuse% *}" /dev/cuse && chmod "${cuse#* }" /dev/cuse
fi
