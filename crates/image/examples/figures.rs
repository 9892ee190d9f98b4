//! Measures what the index promises: opening, going to random objects, spacing over filemarks.
//!
//! `cargo run --release -p pseudotape-image --example figures -- [BLOCKS] [DIR]` (16777216 blocks of 8 bytes, a
//! filemark each 4096 objects, in a directory for temporary files)

use std::error::Error;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Mark, ObjectNumber};

const BLOCK_BYTES: u32 = 8;
const FILE_BLOCKS: u64 = 4095;
const MOTIONS: usize = 2001;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let blocks: u64 = arguments.next().map_or(Ok(1 << 24), |text| text.parse())?;
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join(format!("figures-{}.ptape", std::process::id()));
    let done = measure(&path, blocks);
    std::fs::remove_file(&path)?;
    done
}

fn measure(path: &std::path::Path, blocks: u64) -> Result<(), Box<dyn Error>> {
    let parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    let mut image = Image::create(FileStore::create(path)?, &parameters)?;
    let size = NonZeroU32::new(BLOCK_BYTES).ok_or("a block has a length")?;
    let data = vec![0x5A; usize::try_from(FILE_BLOCKS * u64::from(BLOCK_BYTES))?];
    let started = Instant::now();
    while image.end_of_data().object.0 < blocks {
        image.append_blocks(size, &data)?;
        image.append_marks(Mark::Filemark, 1)?;
    }
    let objects = image.end_of_data().object.0;
    println!("{objects} objects written in {:?}", started.elapsed());
    let payload = image.payload_bytes();
    let overhead = image.host_bytes() - pseudotape_image::RECORDS_OFFSET - payload;
    println!(
        "overhead: {:.2} bytes an object",
        overhead as f64 / objects as f64
    );
    drop(image.finish()?);

    println!("open, finished: {:?}", opening(path)?);
    let mut image = Image::open(FileStore::open(path, Access::ReadWrite)?, Access::ReadWrite)?.0;
    image.to_end_of_data();
    image.append_block(b"behind")?;
    drop(image);
    println!("open, after a crash: {:?}", opening(path)?);

    let mut image = Image::open(FileStore::open(path, Access::ReadOnly)?, Access::ReadOnly)?.0;
    let mut random = 1_u64;
    let mut next = move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ObjectNumber((random >> 33) % objects)
    };
    println!(
        "locate a random object: {:?}",
        median(|| image.locate(next()).map(drop))?
    );
    let mut buffer = [0; 64];
    image.rewind();
    let step = i64::try_from(objects / 4096 / 2)?;
    let mut back = false;
    println!(
        "space over {step} files of {FILE_BLOCKS} blocks, there and back: {:?}",
        median(|| {
            back = !back;
            image
                .space_marks(Mark::Filemark, if back { step } else { -step })
                .map(drop)
        })?
    );
    image.to_end_of_data();
    println!(
        "space back a block: {:?}",
        median(|| image.space_blocks(-1).map(drop))?
    );
    println!(
        "read a block: {:?}",
        median(|| image.read_object(&mut buffer).map(drop))?
    );
    Ok(())
}

fn opening(path: &std::path::Path) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..11 {
        let started = Instant::now();
        let (image, _) = Image::open(FileStore::open(path, Access::ReadOnly)?, Access::ReadOnly)?;
        times.push(started.elapsed());
        drop(image);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn median(
    mut work: impl FnMut() -> Result<(), pseudotape_image::Error>,
) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::with_capacity(MOTIONS);
    for _ in 0..MOTIONS {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
