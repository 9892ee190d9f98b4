# shellcheck shell=bash
# The kernel's target core in a guest, for jobs that start pseudotape-scsi: to be sourced after tests/lib/check.sh.

TARGET=/sys/kernel/config/target
export TARGET

# target_core_up: its modules and its tree
target_core_up() {
    local module
    for module in target_core_user tcm_loop sg st; do
        "$PT_BUSYBOX" modprobe "$module" 2>/dev/null || {
            fail "the module $module" "it does not load on $(uname -r)"
            return 1
        }
    done
    [ -d $TARGET ] || mount -t configfs none /sys/kernel/config
    [ -d $TARGET ] || {
        fail "the kernel's tree of targets" "$TARGET is not there"
        return 1
    }
}
