//! How much the host's disk still takes.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::sink::{Location, Sink};

/// Bytes that the host's disk still takes for an image: what is free for its user, and what is held for it already.
/// `None` where that can't be learned, or where there is no such file.
///
/// Others write to that disk too, and the image needs a little beside its blocks: this is the most that fits.
#[must_use]
pub fn host_room_bytes(image: &Path) -> Option<u64> {
    /// What the host counts blocks of a file in.
    const BLOCK_BYTES: u64 = 512;
    let metadata = std::fs::metadata(image)
        .ok()
        .filter(|found| found.is_file())?;
    let system = statvfs(image).ok()?;
    let free = system
        .blocks_available()
        .saturating_mul(system.fragment_size());
    let taken = metadata.blocks().saturating_mul(BLOCK_BYTES);
    Some(free.saturating_add(taken.saturating_sub(metadata.len())))
}

impl Sink {
    /// The same for what the specification names; `None` where that is no image.
    #[must_use]
    pub fn host_room_bytes(&self) -> Option<u64> {
        match &self.place {
            Location::Path(path) => host_room_bytes(path),
            Location::Image(image) => host_room_bytes(&image.path),
            Location::Device(_) | Location::Rmt(_) | Location::Null(_) => None,
        }
    }
}

/// The room that is said to be left: what the medium takes, and no more than the host's disk. `None`: not known.
#[must_use]
pub fn left_on_both(medium_bytes: Option<u64>, host_bytes: Option<u64>) -> Option<u64> {
    match (medium_bytes, host_bytes) {
        (Some(medium), Some(host)) => Some(medium.min(host)),
        (medium, host) => medium.or(host),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn the_less_of_both_is_left() {
        assert_eq!(left_on_both(Some(9), Some(4)), Some(4));
        assert_eq!(left_on_both(Some(4), Some(9)), Some(4));
        assert_eq!(left_on_both(None, Some(9)), Some(9));
        assert_eq!(left_on_both(Some(4), None), Some(4));
        assert_eq!(left_on_both(None, None), None);
    }

    #[test]
    fn the_room_of_a_file_is_that_of_its_file_system() {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let path = directory.path().join("a b,c");
        assert_eq!(host_room_bytes(&path), None, "nothing is there");
        fs::write(&path, b"image").expect("a file");
        let system = statvfs(directory.path()).expect("its file system");
        let all = system.blocks().saturating_mul(system.fragment_size());
        let room = host_room_bytes(&path).expect("a number");
        assert!(room > 0 && room < all, "{room} of {all}");
        // A hole takes nothing and is nothing that is held.
        let file = File::options().write(true).open(&path);
        let file = file.expect("the file");
        file.set_len(1 << 30).expect("a hole");
        assert!(host_room_bytes(&path).expect("a number") < all);
        assert_eq!(host_room_bytes(directory.path()), None);
        assert_eq!(host_room_bytes(Path::new("/dev/null")), None);
        let null: Sink = "null".parse().expect("nowhere");
        assert_eq!(null.host_room_bytes(), None);
        let image: Sink = format!("aes=k+image:{}/a b\\,c", directory.path().display())
            .parse()
            .expect("an image");
        assert!(image.host_room_bytes().is_some());
    }
}
