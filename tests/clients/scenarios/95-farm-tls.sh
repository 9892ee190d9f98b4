# shellcheck shell=bash
# CW-06, CW-55, CW-58, CW-59, CW-60, CW-61, CW-65, CW-67: a farm of another host over TLS, with the certificates that docs/FARM.md shows how to make.

if [ "$FRONT" != fuse ]; then
    excluded "a farm over TLS" "no node is in it: it is the same everywhere"
    return
fi
. "$PT_ROOT/tests/lib/farm.sh"
mkdir -p farm tree/sub
seq 100000 >tree/long && seq 10 >tree/sub/short && ln -s long tree/link
new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365)
by=(-CA ca.pem -CAkey ca.key -addext "basicConstraints=critical,CA:FALSE")
{
    "${new[@]}" -subj "/CN=The farm's authority" -keyout ca.key -out ca.pem
    "${new[@]}" "${by[@]}" -subj /CN=nas -addext subjectAltName=DNS:nas,DNS:localhost,IP:127.0.0.1 -keyout nas.key -out nas.pem
    "${new[@]}" "${by[@]}" -subj /CN=ada@depot -keyout ada.key -out ada.pem
} 2>openssl.log || fail "make certificates" "$(cat openssl.log)"
for key in cert:ada.pem key:ada.key ca:ca.pem; do
    echo "tls-${key%%:*} = \"$WORK/${key##*:}\""
done >farm.toml
echo "script-user = \"$(id -un)\"" >>farm.toml

printf '#!/bin/sh\nexec cat >/dev/null\n' >hear
chmod 755 hear
mkdir -m 755 commands
cat >commands/hello <<'END'
#!/bin/sh
[ "$1" != --fail ] || exit "$2"
echo "<$1> for $PSEUDOTAPE_FARM_PERSON"
END
printf '#!/bin/sh\nexec sleep 1000\n' >commands/slow
chmod 755 commands/hello commands/slow
: >serve.log
RUST_LOG=info pseudotape-farm serve --listen 127.0.0.1:0 --cert nas.pem --key nas.key --client-ca ca.pem --root farm \
    --commands commands --commands-user "$(id -un)" \
    --script "$WORK/hear" --script-user "$(id -un)" --script-seconds 2 \
    2>serve.log &
server=$!
trap 'kill $server 2>/dev/null; clean_up' EXIT
until grep -q 'served on 127.0.0.1:' serve.log || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
port=$(sed -n 's/.*served on 127.0.0.1://p' serve.log)
far=(pseudotape farm --config farm.toml --root "tls:127.0.0.1:$port:")
says "nobody comes in before somebody is on the list" 2 'ada@depot may not use this farm' "${far[@]}" ls
check "ada comes in, however her host is spelt" pseudotape farm acl add ada@Depot --root farm
check "the server's name has no case" pseudotape farm --config farm.toml --root "tls:LocalHost:$port:" ls
says "a root with a colon too many is named" 2 "':' is no path" pseudotape farm --config farm.toml --root "tls:localhost:$port::" ls
check "copy" "${far[@]}" copy V tree
says "add finds all present" 0 'V: 0 files added, .* present' "${far[@]}" add V tree
same "both hosts list the same" "$(pseudotape farm --root farm ls V)" "$("${far[@]}" ls V)"
says "verify" 0 '; 0 findings' "${far[@]}" verify V
mkdir out
check "extract" "${far[@]}" extract V --all -C out
check "everything is back" diff -r --no-dereference tree out/tree
far_farm_in_order
far_farm_lends
far_farm_hears
# CW-66: commands of the farm's host, of one folder
says "a command answers" 0 "<a b> for ada@depot" "${far[@]}" remote hello 'a b'
says "its exit status is told" 1 'pseudotape: hello ended with exit status 7' "${far[@]}" remote hello --fail 7
says "a path is none" 2 "there is no such command '../hello' here" "${far[@]}" remote ../hello
says "nor is what is not there" 2 "there is no such command 'rm' here" "${far[@]}" remote rm
says "the server has it in its log" 0 'ada@depot: hello ended with exit status 7' cat serve.log
"${far[@]}" remote slow >slow.out 2>&1 &
slow=$!
until grep -q 'ada@depot: runs slow' serve.log || ! kill -0 $slow 2>/dev/null; do sleep 0.05; done
kill -KILL $slow
{ wait $slow; } 2>/dev/null
for _ in $(seq 2000); do ! grep -q 'slow was ended' serve.log || break; sleep 0.05; done
says "a client that is killed takes its command with it" 0 'ada@depot: slow was ended, since its client is gone' cat serve.log
same "and the log says it in plain words" 0 "$(grep -c ExitStatus serve.log)"
says "a farm of this host has none" 2 "'farm remote' is for a farm of another host" pseudotape farm --root farm remote hello

check "a tape of this host is written" pseudotape farm --root farm write V --all --to "$WORK/tape.ptape"
says "its files go to the other one" 0 'T: 3 files added' "${far[@]}" add T --from "$WORK/tape.ptape"
same "all of them" "$(pseudotape farm --root farm ls V | sed 1d)" "$(pseudotape farm --root farm ls T | sed 1d)"

# A session that waits for an archive is listed, and ended by its number.
mkfifo road
"${far[@]}" add W --tar road >cut.out 2>&1 &
add=$!
exec 8<>road
until [ -n "$(ls farm/.sessions)" ] || ! kill -0 $add 2>/dev/null; do sleep 0.05; done
says "the session is listed" 0 'ada@depot +tls 127.0.0.1:' pseudotape-farm sessions --root farm
check "and ended" pseudotape-farm end "$(ls farm/.sessions)" --root farm
exec 8>&-
code=0
wait $add || code=$?
same "its command notices" 2 $code
says "nobody is in any more" 0 'nobody uses farm' pseudotape-farm sessions --root farm

doctor=(env "PSEUDOTAPE_FARM=tls:127.0.0.1:$port:" pseudotape doctor)
says "a doctor names what is missing" 1 'MISSING farm +.*tls: needs the certificate of this client' "${doctor[@]}"
chmod 644 ada.key
says "a key that others can read is not taken" 2 'ada.key: others may use this key' "${far[@]}" ls
chmod 600 ada.key
sed -i '/tls-ca/d' farm.toml
says "what is not said is named" 2 'write tls-ca = "FILE" into farm.toml' "${far[@]}" ls
echo "tls-ca = \"$WORK/ca.pem\"" >>farm.toml
kill $server && wait $server
says "where no service runs, the exit code says so" 4 "no service is running at 127.0.0.1:$port: start it there" "${far[@]}" ls
