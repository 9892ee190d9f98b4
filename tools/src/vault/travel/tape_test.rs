//! A drive that can't go to the end of its tape, as one with a hole in it.

use pseudotape_fault::{Faults, Faulty};
use pseudotape_sink::{Access, Sink};

use super::*;

/// The digest of nothing.
const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

fn catalog() -> Description {
    let digest: pseudotape_stack::Digest = EMPTY.parse().unwrap();
    Description {
        written_by: "a test".to_owned(),
        written_ms: 1,
        site: Site {
            identity: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
            name: "mondays".to_owned(),
        },
        stacked_volume: StackedVolume {
            identity: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
            label: "a".to_owned(),
            pool: String::new(),
        },
        sequence: 1,
        subject: Subject::Catalog {
            catalog: CatalogDescription {
                schema: 3,
                volumes: 1,
                unpacked_bytes: 0,
                unpacked_digest: digest,
            },
        },
        payload: Some(Payload {
            name: PAYLOAD.to_owned(),
            length: 0,
            digest: Some(digest),
        }),
    }
}

/// VT-03: what is behind the hole may have been a newer backup; what lies before it is found.
#[test]
fn a_backup_before_a_hole_is_found_and_the_hole_is_told() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.ptape");
    let sink = format!("image:{},create,capacity=4M", path.display());
    let sink: Sink = sink.parse().unwrap();
    let mut volume = sink.open(Access::ReadWrite).unwrap();
    write_archive(&mut volume, &catalog(), &mut std::io::empty()).unwrap();
    // The way back is the first motion, the way to the end the second one.
    for (fault, found) in [
        (None, 1),
        (Some("hardware-error,on=motion,every=2,times=1"), 2),
    ] {
        let faults = Faults::default();
        let fault = fault.map(|fault| fault.parse().unwrap());
        faults.inject(fault.into_iter().collect()).unwrap();
        let mut drive = Faulty::with(volume, faults);
        let looked = look(&mut drive, Depth::Digest, &[], None).unwrap();
        volume = drive.into_behind();
        assert_eq!(looked.backups.len(), found, "{looked:?}");
        let mut backups = looked.backups.iter().rev().map(|met| &met.found);
        assert!(
            matches!(backups.next(), Some(Found::Backup(_))),
            "{looked:?}"
        );
        let is_told = match backups.next() {
            None => true,
            Some(Found::Damaged { cause, .. }) => cause.contains("can't go to its end"),
            Some(_) => false,
        };
        assert!(is_told, "{looked:?}");
    }
}
