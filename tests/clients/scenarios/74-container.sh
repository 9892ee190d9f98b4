# shellcheck shell=bash
# A daemon with exactly the capabilities that packaging/container/README.md tells to give a container, and with fewer.

if [ "$FRONT" = cuse ]; then
    excluded "a daemon of a container" "its drives are on a FUSE mount"
    return
fi
# A place that belongs to another user, with the programs.
place=$(mktemp -d /tmp/pseudotape-container.XXXXXX)
trap 'clean_up; umount -l "$place/m" 2>/dev/null; rm -rf "$place"' EXIT
cp "$PSEUDOTAPE_BIN/pseudotape" "$PSEUDOTAPE_BIN/pseudotape-dev" "$place"
# Starts a daemon and writes, or says why it can't.
cat >"$place/session" <<'END_OF_SESSION'
PATH=$PWD:$PATH
export PSEUDOTAPE_CONTROL=$PWD/control
rm -f a.ptape ready
pseudotape create a.ptape >create.out && pseudotape verify a.ptape && echo 'images work'
pseudotape-dev --drive a.ptape --fuse m --ready-fd 3 3>ready >out 2>&1 &
daemon=$!
until [ -s ready ]; do
    kill -0 $daemon 2>/dev/null || { wait $daemon; echo "no daemon: $?" && cat out && exit; }
    sleep 0.05
done
cat ready out
echo record >m/npmtm0 && echo 'written'
kill $daemon
wait $daemon
echo "ended: $?"
END_OF_SESSION
within=(env -C "$place" sh session)
limited=(setpriv --inh-caps=-all)

says "as root with SYS_ADMIN and SYS_PTRACE a drive works" 0 'images work.*ready.*written.*ended: 0' \
    "${limited[@]}" --bounding-set=-all,+sys_admin,+sys_ptrace --no-new-privs "${within[@]}"
same "it learns the length of each read" 0 "$(grep -c 'give the daemon CAP_SYS_PTRACE' <<<"$output")"
says "without SYS_PTRACE it works and says what it lacks" 0 'CAP_SYS_PTRACE.*written.*ended: 0' \
    "${limited[@]}" --bounding-set=-all,+sys_admin --no-new-privs "${within[@]}"
says "without SYS_ADMIN images work, and the daemon says that it can't mount" 0 "images work.*no daemon: 1.*can't mount $place/m.*pseudotape doctor" \
    "${limited[@]}" --bounding-set=-all --no-new-privs "${within[@]}"
chown -R 65534:65534 "$place"
user=(--reuid 65534 --regid 65534 --clear-groups)
says "as a user with SYS_ADMIN within the bounding set a drive works" 0 'images work.*ready.*written.*ended: 0' \
    "${limited[@]}" "${user[@]}" --bounding-set=-all,+sys_admin,+setuid,+setgid,+dac_override "${within[@]}"
says "as a user who can get no new rights the daemon says that it can't mount" 0 "images work.*no daemon: 1.*can't mount $place/m.*pseudotape doctor" \
    "${limited[@]}" "${user[@]}" --no-new-privs "${within[@]}"
same "nothing is left mounted" "" "$(grep "$place" /proc/mounts)"
