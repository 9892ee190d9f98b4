//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::recovery::BackupDescription;
use crate::recovery::payload::{PayloadError, unpack};
use crate::volume::Digest;

/// More is not unpacked: a small payload can be a large catalog.
const CATALOG_MAX: u64 = 1 << 20;

/// Takes bytes for the payload of a backup, with descriptions that are right, and with some that are not.
///
/// # Panics
///
/// Where more is unpacked than the description says, where something is taken that is not what was described, or where
/// what was described is not taken.
pub fn fuzz_payload(bytes: &[u8]) {
    let described = |catalog_length: u64, catalog: &[u8]| BackupDescription {
        site: pseudotape_image::Uuid::nil(),
        site_name: String::new(),
        sequence: 1,
        written_ms: 1,
        schema: 1,
        volumes: 1,
        length: bytes.len() as u64,
        digest: digest(bytes),
        catalog_length,
        catalog_digest: digest(catalog),
    };
    let (catalog, is_all) = match taken(&described(CATALOG_MAX, b""), bytes) {
        // All was unpacked, and is not the catalog that was described.
        (catalog, Err(PayloadError::Length { found, .. })) => {
            let is_all = found <= CATALOG_MAX;
            (catalog, is_all)
        }
        (catalog, Err(PayloadError::Digest { .. })) => (catalog, true),
        (catalog, Err(_)) => (catalog, false),
        (_, Ok(())) => panic!("a catalog of another digest was taken"),
    };
    let length = catalog.len() as u64;
    let right = described(length, &catalog);
    let (again, result) = taken(&right, bytes);
    if !is_all {
        assert!(result.is_err(), "only a part of it was unpacked");
        return;
    }
    assert_eq!(again, catalog);
    result.expect("it is what was described");
    for wrong in [
        BackupDescription {
            catalog_length: length + 1,
            ..right.clone()
        },
        BackupDescription {
            catalog_length: length.saturating_sub(1),
            ..right.clone()
        },
        BackupDescription {
            length: right.length + 1,
            ..right.clone()
        },
        BackupDescription {
            digest: Digest([0; 32]),
            ..right.clone()
        },
    ] {
        let is_wrong = wrong != right;
        assert!(!is_wrong || taken(&wrong, bytes).1.is_err(), "{wrong:?}");
    }
    // One that is cut off is never whole.
    if let Some((_, cut)) = bytes.split_last() {
        assert!(taken(&right, cut).1.is_err());
    }
}

/// What is unpacked of a payload.
fn taken(description: &BackupDescription, payload: &[u8]) -> (Vec<u8>, Result<(), PayloadError>) {
    let mut catalog = Vec::new();
    let mut told = 0;
    let result = unpack(description, payload, &mut catalog, &mut |bytes| {
        assert!(bytes >= told, "it goes on");
        told = bytes;
    });
    let length = catalog.len() as u64;
    assert!(
        length <= description.catalog_length,
        "more than was described"
    );
    assert_eq!(told, length);
    (catalog, result)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_payloads_are_told_apart() {
        let whole = zstd::encode_all(&b"a catalog"[..], 3).expect("memory");
        let large = zstd::encode_all(&vec![7; 3 << 20][..], 3).expect("memory");
        for payload in [&whole[..], &large, b"", b"no frame", &whole[..5]] {
            fuzz_payload(payload);
        }
        fuzz_payload(&[&whole[..], &whole].concat());
        fuzz_payload(&[&whole[..], b"rest"].concat());
    }
}
