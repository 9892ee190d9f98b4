# shellcheck shell=bash
# PT-07, PT-18. A drive that is a mirror of legs in the device daemon: one program, one configuration, no slave end. Two images
# get the same; a leg that fails, a kill, and what the commands of pseudotape-mirror do with such a drive.

bs=10240
pattern 11 $((bs * 40)) >stream
# Nobody is a mirror daemon here: the commands find the drive by themselves.
unset PSEUDOTAPE_MIRROR_CONTROL
export XDG_RUNTIME_DIR=$WORK
tree files 1

# leg NAME KEY: a value of a leg, from the status
leg() {
    pseudotape-mirror status --json 2>/dev/null | sed -n "/\"name\": \"$1\"/,/}/s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p"
}

legs="legs=a=image:$WORK/a.ptape\\,create;b=image:$WORK/b.ptape\\,create\\,class=spare"

wrong() {
    local name=$1 pattern=$2
    shift 2
    says "$name" 2 "$pattern" pseudotape-dev --control "$WORK/other.control" "$@"
}
wrong "a leg that is named twice" 'two legs are named a' --drive 'legs=a=/x;a=/y'
wrong "an image in two legs" 'b: /x is in drive 0, leg a already' --drive 'legs=a=/x;b=/x'
wrong "an image of another drive" 'drive 1, leg a: /x is in drive 0 already' --drive /x --drive 'legs=a=/x;b=/y'
wrong "legs and an image" "'image' does not go with 'legs'" --drive 'legs=a=/x;b=/y,image=/z'

drive_up "$legs"
same "the daemon names its legs" 2 "$(grep -c '^drive 0: leg [ab]: image:' daemon.out)"
check "tar writes a tree" tar cf "$NODE" files
check "dd writes a file" dd if=stream of="$NODE" bs=$bs status=none
says "mt sees a tape" 0 'File number=2, block number=0' mt-st -f "$NODE" status
says "the mirror is in step" 0 'mirror     in step' pseudotape-mirror status
says "it is asked by its number as well" 0 'mirror     in step' pseudotape-mirror status --drive 0 --control "$PSEUDOTAPE_CONTROL"
says "the drive's status has its legs" 0 'leg b +image:.*b.ptape.* \(in step\)' pseudotape status 0
says "no cartridge goes into it" 2 'drive 0 is a mirror of legs' pseudotape load 0 "$WORK/a.ptape"
check "mt rewinds" mt-st -f "$NODE" rewind
check "tar compares" tar df "$NODE"
check "mt goes to the second file" mt-st -f "$NODE" asf 1
check "dd reads it" bash -c "dd if='$NODE' bs=$bs status=none | cmp - stream"

# a spare leg that fails is dropped, and comes back
check "leg b fails" pseudotape-mirror inject b write-error,times=1
check "dd goes on with leg a" dd if=stream of="$NODE" bs=$bs status=none
same "leg b is out of step" out-of-step "$(leg b state)"
says "the mirror is degraded" 1 'to do +pseudotape-mirror --drive 0 resync b' pseudotape-mirror status
says "a resync brings it back" 0 'leg b is in step' pseudotape-mirror resync b
check "the mirror is well" pseudotape-mirror status

# what was answered survives a kill, on both
drive_kill
says "both images are the same after a kill" 0 '^identical: ' pseudotape compare a.ptape b.ptape
drive_up "$legs"
check "the mirror is in step again" pseudotape-mirror status
check "mt goes to the third file" mt-st -f "$NODE" fsf 2
check "which is whole" bash -c "dd if='$NODE' bs=$bs status=none | cmp - stream"

# volumes
check "mt offline" mt-st -f "$NODE" offline
says "pseudotape status says how some come in" 0 'no volumes: .pseudotape-mirror --drive 0 load' pseudotape status 0
says "the volumes are out" 0 'mirror     no volumes' pseudotape-mirror status
says "the two copies are the same" 0 '^identical: ' pseudotape compare a.ptape b.ptape
check "others are loaded" pseudotape-mirror load "a=image:$WORK/a2.ptape,create" "b=image:$WORK/b2.ptape,create"
check "tar writes to them" tar cf "$NODE" files
says "pseudotape unload takes them out" 0 'unloaded' pseudotape unload 0
says "and they are the same" 0 '^identical: ' pseudotape compare a2.ptape b2.ptape
drive_down

# two such drives in one daemon: each command says which one is meant, and so does each advice
drive_up "${legs//.ptape/3.ptape}" "${legs//.ptape/4.ptape}"
says "which drive is meant must be said" 2 'drives 0, 1 of the device daemon are mirrors: say which one by --drive N' \
    pseudotape-mirror status
for order in status "unload" "drop b" "trust a" "resync b" "load a=image:$WORK/x.ptape,create"; do
    # shellcheck disable=SC2086
    says "so must it with the daemon's socket: ${order%% *}" 2 'is the socket of a device daemon: say .* --drive N' \
        pseudotape-mirror --control "$PSEUDOTAPE_CONTROL" $order
done
check "nothing was done" pseudotape-mirror status --drive 1
check "a leg of drive 1 fails" pseudotape-mirror --drive 1 inject b write-error,times=1
check "dd writes with the other one" dd if=stream of="${NODES[1]}" bs=$bs status=none
says "the log names the drive in its advice" 0 "'pseudotape-mirror --drive 1 resync b'" cat daemon.err
says "and so does the status" 1 'to do +pseudotape-mirror --drive 1 resync b' pseudotape-mirror status --drive 1
check "drive 0 is well" pseudotape-mirror status --drive 0
says "a leg that is dropped" 0 "'pseudotape-mirror --drive 1 return b' brings it back" pseudotape-mirror --drive 1 drop b
says "comes back" 0 'leg b is in step' pseudotape-mirror --drive 1 return b
drive_down
