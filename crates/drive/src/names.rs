//! The names of a volume's files.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use pseudotape_image::{Uuid, VolumeId};

/// The file of a partition: the image itself, or what lies beside it.
pub(crate) fn of_partition(image: &OsStr, number: u8) -> OsString {
    match number {
        0 => image.to_owned(),
        _ => with_suffix(image, &format!(".p{number}")),
    }
}

/// A partition of a volume that has not taken its place yet.
///
/// Of the first partition also the one that was replaced: the two change their names at one stroke.
pub(crate) fn staged(image: &OsStr, number: u8, volume: VolumeId) -> OsString {
    with_suffix(image, &format!(".p{number}.{}.new", volume.0.simple()))
}

/// A partition of a volume that is being replaced.
pub(crate) fn parked(image: &OsStr, number: u8, volume: VolumeId) -> OsString {
    with_suffix(image, &format!(".p{number}.{}.old", volume.0.simple()))
}

/// The volume of which this is the staged first partition.
pub(crate) fn staged_first(image: &OsStr, entry: &OsStr) -> Option<VolumeId> {
    let rest = entry.as_bytes().strip_prefix(image.as_bytes())?;
    let id = rest.strip_prefix(b".p0.")?.strip_suffix(b".new")?;
    Some(VolumeId(Uuid::try_parse_ascii(id).ok()?))
}

fn with_suffix(image: &OsStr, suffix: &str) -> OsString {
    let mut name = image.to_owned();
    name.push(suffix);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_first_partition_is_known_by_its_name() {
        let (image, volume) = (OsStr::new("a.ptape"), VolumeId(Uuid::from_u128(7)));
        assert_eq!(of_partition(image, 0), "a.ptape");
        assert_eq!(of_partition(image, 12), "a.ptape.p12");
        assert_eq!(staged_first(image, &staged(image, 0, volume)), Some(volume));
        for other in [
            staged(image, 1, volume),
            parked(image, 0, volume),
            staged(OsStr::new("b.ptape"), 0, volume),
            "a.ptape.p0.x.new".into(),
            "a.ptape".into(),
        ] {
            assert_eq!(staged_first(image, &other), None, "{}", other.display());
        }
    }
}
