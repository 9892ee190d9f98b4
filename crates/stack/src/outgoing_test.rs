//! Archives that are too long to be written in a test, as GNU tar sees them: files with a hole in place of the payload.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use super::*;
use crate::description::{Site, StackedVolume};
use crate::source::{Next, Source};
use crate::unpacking::{Opened, Unpacking};

fn description(length: u64) -> Description {
    Description {
        written_by: "test".into(),
        written_ms: 1_732_147_200_000,
        site: Site {
            identity: uuid::Uuid::nil(),
            name: "site".into(),
        },
        stacked_volume: StackedVolume {
            identity: uuid::Uuid::nil(),
            label: "STK001".into(),
            pool: "primary".into(),
        },
        sequence: 1,
        subject: Subject::StackedVolume,
        payload: Some(Payload {
            name: "LONG.ptape".into(),
            length,
            digest: None,
        }),
    }
}

/// The first block, and nothing behind it.
struct FirstBlock(Option<Vec<u8>>);

impl Source for FirstBlock {
    fn next_block(&mut self, block: &mut Vec<u8>) -> Result<Next, Error> {
        match self.0.take() {
            Some(first) => {
                *block = first;
                Ok(Next::Block)
            }
            None => Ok(Next::EndOfData),
        }
    }

    fn pass_file(&mut self) -> Result<bool, Error> {
        Ok(false)
    }
}

#[test]
fn a_payload_of_more_than_eight_gib_is_listed_and_read_with_its_length() {
    for length in [(8 << 30) - 1, 8 << 30, (1 << 40) + 5] {
        let description = description(length);
        let head = head(&description);
        let payload = description.payload.as_ref().unwrap();
        let tail = tail(payload, Digest([7; 32]), 0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let file = File::create(&path).unwrap();
        file.write_all_at(&head, 0).unwrap();
        file.write_all_at(&tail, head.len() as u64 + length)
            .unwrap();
        let listed = Command::new("tar")
            .args(["-tvf".as_ref(), path.as_os_str()])
            .output();
        let listed = listed.expect("GNU tar is there");
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(
            listed.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&listed.stderr)
        );
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let member = |at: usize| (words[at][2].parse(), words[at].last().copied());
        assert_eq!(words.len(), 3, "{text}");
        assert_eq!(member(1), (Ok(length), Some("LONG.ptape")), "{text}");
        assert_eq!(member(2), (Ok(77_u64), Some("LONG.ptape.b3")), "{text}");

        let blocks = archive_bytes(&description) / BLOCK_BYTES as u64;
        assert_eq!(
            blocks,
            (head.len() as u64 + length + tail.len() as u64).div_ceil(1 << 18)
        );
        let mut first = head;
        first.resize(BLOCK_BYTES, 0);
        let Ok(Opened::Archive(opened)) = Unpacking::open(FirstBlock(Some(first))) else {
            panic!("no archive");
        };
        let (read, mut unpacking) = *opened;
        assert_eq!((&read, unpacking.blocks), (&description, blocks));
        let mut out = vec![0; BLOCK_BYTES];
        assert!(unpacking.some(&mut out).unwrap() > 0);
        assert!(matches!(unpacking.some(&mut out), Err(Error::CutOff)));
    }
}
