//! Makes a volume whose directory has many files, without their capsules: what `ls` takes can be measured with it.
//!
//! `cargo run --profile measure -p pseudotape-farm --example many -- ROOT VOLUME FILES`

use std::error::Error;
use std::num::NonZeroU64;
use std::path::Path;

use pseudotape_farm::{
    DIRECTORY_NAME, Digest, Directory, Entry, FileKind, Number, Root, Stamp, State, Time, Title,
    annotate,
};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, volume, files] = &arguments[..] else {
        return Err("the arguments are ROOT VOLUME FILES".into());
    };
    let files: u64 = files.parse()?;
    let mut directory = Directory::default();
    directory.put((1..=files).filter_map(entry));
    let folder = Path::new(root).join(volume);
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join(DIRECTORY_NAME), directory.encode())?;
    // As any other change of the volume it makes the index.
    let first = directory.entries().first().ok_or("no files")?;
    annotate(
        &Root::open(Path::new(root))?,
        &volume.parse()?,
        &first.title,
        None,
    )?;
    Ok(())
}

/// One whose number has nothing to do with the place of its title among the others.
fn entry(number: u64) -> Option<Entry> {
    let digest = blake3_of(number);
    let title = format!(
        "srv/data/{:03}/{:03}/file-{number:07}.dat",
        digest[0], digest[1]
    );
    Some(Entry {
        number: Number(NonZeroU64::new(number)?),
        capsule: Uuid::from_u128(u128::from(number) << 64 | 0x7000_8000_0000_0000_0000),
        title: Title::new(title.as_bytes())?,
        kind: FileKind::File,
        state: State::Ok,
        length: 4096,
        stamp: Stamp {
            modified: Time {
                seconds: 1_700_000_000,
                nanoseconds: 123_456_789,
            },
            created: Some(Time {
                seconds: 1_700_000_000,
                nanoseconds: 123_456_789,
            }),
            ..Stamp::default()
        },
        digest: Some(Digest(digest)),
        stored: None,
        added_ms: 1_700_000_000_000,
        why: None,
        note: None,
    })
}

fn blake3_of(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}
