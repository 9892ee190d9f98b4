//! What the farm's own files are called, beside capsules, and what others call theirs.

use crate::capsule::capsule_number;

/// The name of a volume's directory.
pub const DIRECTORY_NAME: &str = "FILE000.dir";
/// The name of its index. No folder of a structured volume has it: none begins with a dot.
pub const INDEX_NAME: &str = ".FILE000.idx";
/// What a damaged directory is called that a new one was made beside; further ones have a number behind it.
pub(crate) const DAMAGED_NAME: &str = "FILE000.dir.damaged";
/// What is being made has this behind its name; what is left over of it is nothing.
pub(crate) const TEMPORARY: &str = ".tmp";
/// A folder that a file system makes in its top folder.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

/// Folders that file systems, operating systems and disks of the network make in the top folder of a disk.
const MADE_BY_OTHERS: [&str; 9] = [
    LOST_AND_FOUND,
    "LOST.DIR",
    "System Volume Information",
    "$RECYCLE.BIN",
    "RECYCLER",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "#snapshot",
];

/// Whether others make folders of this name: then one in a root is no volume. Most of them mind no capital letters.
pub(crate) fn is_made_by_others(name: &str) -> bool {
    let others = MADE_BY_OTHERS.iter();
    // What a check of a disk found on Windows: FOUND.000 and so on.
    let is_found = || {
        let (stem, number) = name.split_once('.').unwrap_or_default();
        let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        stem.eq_ignore_ascii_case("FOUND") && is_number
    };
    others
        .into_iter()
        .any(|other| name.eq_ignore_ascii_case(other))
        || is_found()
}

/// Whether a file is a damaged directory that was kept.
pub(crate) fn is_damaged_directory(name: &str) -> bool {
    let behind = name.strip_prefix(DAMAGED_NAME);
    behind.is_some_and(|behind| {
        let number = behind.strip_prefix('.').unwrap_or_default();
        behind.is_empty() || !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a farm gives this name to files of its own.
pub(crate) fn is_of_farm(name: &str) -> bool {
    let made = name.strip_suffix(TEMPORARY).unwrap_or(name);
    matches!(made, DIRECTORY_NAME | INDEX_NAME)
        || is_damaged_directory(made)
        || capsule_number(made).is_some()
}
