# shellcheck shell=bash
# The tests of libiscsi (iscsi-test-cu) that apply to a tape; to be sourced after tests/lib/check.sh. Version 1.19 has none of
# stream commands or changers: what applies are the commands that all devices have, reservations, and iSCSI itself.

# Commands of disks, and tests that use them or that skip what is no disk.
libiscsi_of_disks='CompareAndWrite|ExtendedCopy|GetLBAStatus|Inquiry.BlockLimits|Inquiry.MandatoryVPDSBC|Mandatory|
ModeSense6.Control-D_SENSE|ModeSense6.Control-SWP|MultipathIO|NoMedia|OrWrite|Prefetch10|Prefetch16|PreventAllow|ProutReserve.Access..|
ProutReserve.Access....|Read6|Read10|Read12|Read16|ReadCapacity10|ReadCapacity16|ReadDefectData10|ReadDefectData12|ReadOnly|
ReceiveCopyResults|Sanitize|StartStopUnit|Unmap|Verify10|Verify12|Verify16|Write10|Write12|Write16|WriteAtomic16|WriteSame10|
WriteSame16|WriteVerify10|WriteVerify12|WriteVerify16|iSCSIResiduals|iSCSITMF|iSCSIdatasn'
# What the kernel's target core answers in another way than they want: a reset of the target is not done for one initiator.
libiscsi_of_kernel='Reserve6.TargetColdReset|Reserve6.TargetWarmReset'

# libiscsi_tests URL: runs them against the drive that the URL names; in a directory of its own
libiscsi_tests() {
    local url=$1 name output code disks=0
    gcc -shared -fPIC -O2 -o no-capacity.so "$PT_ROOT/tests/lib/no-capacity.c" -ldl ||
        fail "build tests/lib/no-capacity.c" "gcc ended with $?" || return
    # Where the kernel keeps reservations that outlive it.
    mkdir -p /var/target/pr
    while read -r name; do
        if [[ $name =~ ^ALL\.(${libiscsi_of_disks//$'\n'/})(\.|$) ]]; then
            disks=$((disks + 1))
            continue
        elif [[ $name =~ ^ALL\.(${libiscsi_of_kernel//$'\n'/})$ ]]; then
            excluded "libiscsi's $name" "the kernel's target core does not do it"
            continue
        fi
        code=0
        output=$(LD_PRELOAD=./no-capacity.so timeout 100 iscsi-test-cu --dataloss -t "$name" "$url" 2>&1 </dev/null) || code=$?
        # One line says that READ CAPACITY(16) is not there; another one, that the test itself did nothing.
        if [ $code = 0 ] && [[ $output =~ tests\ +1\ +1\ +1\ +0 ]] && [ "$(grep -c SKIPPED <<<"$output")" = 1 ]; then
            ok "libiscsi's $name"
        else
            fail "libiscsi's $name" "ended with $code: $output"
        fi
    done < <(iscsi-test-cu --list | grep -E '^ALL\.[^.]+\.[^.]+$')
    excluded "libiscsi's $disks tests of disks" "a tape has not their commands"
}
