# shellcheck shell=bash
# Real tape nodes of the kernel's st driver, inside a guest: an emulated iSCSI tape library (tgt) on the loopback.
#
# To be sourced by a job of a guest (tests/guest/jobs), as root, after tests/lib/check.sh. Needs the Debian packages
# tgt and open-iscsi (installed on the machine that boots the guest) and User Mode Linux: `tests/guest/run --uml-old`.
#
#   real_st_up MIB...    brings up one tape drive with a blank medium for each size in MiB (100 is a good one); returns
#                        when the nodes are there. Non-rewinding nodes: ${REAL_ST[0]}, ${REAL_ST[1]} ... in the order
#                        of the sizes; rewinding nodes: ${REAL_ST_REWINDING[0]} ...
#   real_st_swap N MIB   takes the medium out of drive N (counted from 0) and puts a blank one of this size in
#   real_st_write_protect N on|off
#                        moves the write-protect switch of drive N's medium
#   real_st_reset N      resets drive N, as the kernel does with one that does not answer
#   real_st_online N 0|1 takes drive N's medium out, or puts it back in
#   real_st_down         ends the daemons; what was recorded is gone
#
# It is no real drive: early warning comes at the size of the medium and a physical end never, MTIOCPOS and MTSEEK end in
# EIO, a read at the end of data gives bytes that nobody wrote, with EOT set; a read with a buffer longer than the block
# but shorter than twice the block mixes up the bytes. Blocks have 4 bytes to 1 MiB. See tests/device/known.toml.
# It keeps its files in ${REAL_ST_DIR:-/run/real-st}, in the guest's memory.

# shellcheck disable=SC2034 # for who sources this
{
    REAL_ST=()
    REAL_ST_REWINDING=()
}
: "${REAL_ST_DIR:=/run/real-st}"
real_st_tgtd=
real_st_iscsid=
real_st_name=iqn.2026-11.test.pseudotape:tape

# real_st_wait SECONDS COMMAND...: until the command succeeds
real_st_wait() {
    local tenths=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tenths -= 1)) -gt 0 ] || return 1
        sleep 0.1
    done
}

real_st_die() {
    echo "real_st: $*" >&2
    return 1
}

# real_st_nodes: one line "LUN nstN" for each tape of our target
real_st_nodes() {
    local node
    for node in /sys/class/scsi_tape/nst*[0-9]; do
        [ -e "$node" ] || continue
        # H:C:T:L of the SCSI device
        echo "$(basename "$(readlink -f "$node/device")" | sed 's/.*://') $(basename "$node")"
    done | sort -n
}

real_st_all_there() {
    [ "$(real_st_nodes | wc -l)" = "$1" ] && [ "$(real_st_nodes | while read -r _ node; do ls "/dev/$node"; done | wc -l)" = "$1" ]
}

# real_st_medium N MIB: a new blank medium; prints its file
real_st_medium() {
    local file
    file=$REAL_ST_DIR/medium$1.$(date +%s%N)
    tgtimg --op new --device-type tape --barcode "PT000$1L5" --size "$2" --type data --file "$file" >/dev/null &&
        echo "$file"
}

real_st_login() {
    iscsiadm -m discovery -t sendtargets -p 127.0.0.1 >"$REAL_ST_DIR/iscsiadm.log" 2>&1 &&
        iscsiadm -m node -T "$real_st_name" -p 127.0.0.1 --login >>"$REAL_ST_DIR/iscsiadm.log" 2>&1
}

real_st_up() {
    local size number=0 module file
    command -v tgtd iscsid >/dev/null || {
        real_st_die "tgtd or iscsid is missing: apt-get install tgt open-iscsi"
        return 1
    }
    mkdir -p "$REAL_ST_DIR" /run/lock/iscsi /etc/iscsi
    # iscsi_tcp of kernels before 6.15 asks for this one by name; later ones have it within.
    ${PT_BUSYBOX:+"$PT_BUSYBOX"} modprobe crc32c_generic 2>/dev/null
    for module in st sg iscsi_tcp; do
        ${PT_BUSYBOX:+"$PT_BUSYBOX"} modprobe "$module" || real_st_die "the kernel $(uname -r) has no module $module" || return 1
    done
    tgtd -f >"$REAL_ST_DIR/tgtd.log" 2>&1 </dev/null &
    real_st_tgtd=$!
    real_st_wait 10 tgtadm --lld iscsi --mode target --op show ||
        real_st_die "tgtd does not answer: $(cat "$REAL_ST_DIR/tgtd.log")" || return 1
    tgtadm --lld iscsi --mode target --op new --tid 1 --targetname "$real_st_name" || return 1
    for size in "$@"; do
        file=$(real_st_medium $number "$size") || return 1
        number=$((number + 1))
        tgtadm --lld iscsi --mode logicalunit --op new --tid 1 --lun $number -b "$file" \
            --device-type=tape --bstype=ssc || return 1
    done
    tgtadm --lld iscsi --mode target --op bind --tid 1 -I ALL || return 1
    echo "InitiatorName=iqn.2026-11.test.pseudotape:host" >/etc/iscsi/initiatorname.iscsi
    grep -qs '^iscsid.startup' /etc/iscsi/iscsid.conf || echo "iscsid.startup = /bin/true" >>/etc/iscsi/iscsid.conf
    # Its end is one of its whole process group.
    setsid iscsid -f >"$REAL_ST_DIR/iscsid.log" 2>&1 </dev/null &
    real_st_iscsid=$!
    real_st_wait 10 real_st_login ||
        real_st_die "no login: $(cat "$REAL_ST_DIR/iscsiadm.log" "$REAL_ST_DIR/iscsid.log")" || return 1
    real_st_wait 20 real_st_all_there $# ||
        real_st_die "not all of $# tapes came: $(real_st_nodes)" || return 1
    # shellcheck disable=SC2034
    mapfile -t REAL_ST < <(real_st_nodes | sed 's|.* |/dev/|')
    # shellcheck disable=SC2034
    mapfile -t REAL_ST_REWINDING < <(real_st_nodes | sed 's|.* n|/dev/|')
}

real_st_swap() {
    local file old=("$REAL_ST_DIR/medium$1".*)
    file=$(real_st_medium "$1" "$2") &&
        tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun $(($1 + 1)) --params online=0 &&
        tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun $(($1 + 1)) --params path="$file" &&
        tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun $(($1 + 1)) --params online=1 &&
        rm -f "${old[@]}"
}

real_st_write_protect() {
    local readonly=1
    [ "$2" = on ] || readonly=0
    tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun $(($1 + 1)) --params readonly=$readonly
}

real_st_reset() {
    local sg
    sg=$(for name in /sys/class/scsi_tape/nst*[0-9]/device; do
        [[ $(readlink -f "$name") != *:$(($1 + 1)) ]] || ls "$name/scsi_generic"
    done)
    # SG_SCSI_RESET, SG_SCSI_RESET_DEVICE
    python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK), 0x2284, struct.pack("i", 1))' "/dev/$sg"
}

real_st_online() {
    tgtadm --lld iscsi --mode logicalunit --op update --tid 1 --lun $(($1 + 1)) --params online=$2
}

real_st_down() {
    iscsiadm -m node -T "$real_st_name" --logout >/dev/null 2>&1 || true
    [ -z "$real_st_iscsid" ] || kill "$real_st_iscsid" 2>/dev/null || true
    [ -z "$real_st_tgtd" ] || {
        kill -KILL "$real_st_tgtd" 2>/dev/null
        wait "$real_st_tgtd" 2>/dev/null
    } || true
    # shellcheck disable=SC2034
    REAL_ST=() REAL_ST_REWINDING=()
}
