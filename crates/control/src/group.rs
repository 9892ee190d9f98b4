//! Whether a daemon can give what it makes to a group.

use nix::unistd::{getegid, geteuid, getgroups};

/// Why a group can't be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGivable {
    /// The kernel has no number for it here: nobody could write to what belongs to it.
    #[error("it has no number in this user namespace")]
    Unmapped,
    /// Only root gives away to groups of others.
    #[error("this user is not in it")]
    NotMember,
}

/// Whether this process can give its files to the group `gid`.
pub fn can_give(gid: u32) -> Result<(), NotGivable> {
    if !is_mapped(gid) {
        return Err(NotGivable::Unmapped);
    }
    let is_member = || {
        let groups = getgroups().unwrap_or_default();
        getegid().as_raw() == gid || groups.iter().any(|group| group.as_raw() == gid)
    };
    if geteuid().is_root() || is_member() {
        Ok(())
    } else {
        Err(NotGivable::NotMember)
    }
}

/// Whether the group has a number in the user namespace of this process.
pub(crate) fn is_mapped(gid: u32) -> bool {
    // A kernel without the file has no user namespaces.
    std::fs::read_to_string("/proc/self/gid_map").map_or(true, |map| maps(&map, gid))
}

/// Whether a table of user_namespaces(7) has a number: each line is `FIRST-INSIDE FIRST-OUTSIDE COUNT`.
fn maps(map: &str, gid: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        match (numbers.next(), numbers.nth(1)) {
            (Some(Ok(first)), Some(Ok(count))) => {
                gid.checked_sub(first).is_some_and(|above| above < count)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_mapped_where_a_line_has_it() {
        let everywhere = "         0          0 4294967295\n";
        assert!(maps(everywhere, 0) && maps(everywhere, 26));
        let rootless = "         0       1000          1\n";
        assert!(maps(rootless, 0) && !maps(rootless, 26) && !maps(rootless, 1000));
        let container = "0 1000 1\n1 100000 65536\n";
        assert!(maps(container, 26) && maps(container, 65536) && !maps(container, 65537));
        assert!(!maps("", 0) && !maps("nonsense\n0 0 x\n", 0));
    }

    #[test]
    fn the_own_group_can_be_given() {
        assert_eq!(can_give(getegid().as_raw()), Ok(()));
    }
}
