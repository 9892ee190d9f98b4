//! A drive over an image in a file, without any kernel between, against plain `pwrite` and `pread`.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use pseudotape_drive::{Cartridge, FileMedium, ImageDrive, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{Address, Drive, Mark, ObjectNumber, SpaceUnit, Transfer, WriteMode};

use crate::report::{Report, mib_per_second};

/// Bytes moved in one run.
const TOTAL: u64 = 256 << 20;
const SIZES: [(usize, &str, f64); 3] = [
    (10 << 10, "10 KiB", 0.6),
    (64 << 10, "64 KiB", 0.8),
    (256 << 10, "256 KiB", 0.8),
];

/// A drive with a new cartridge at that place. The image of an earlier run is removed first, since a
/// medium never replaces a file.
pub fn new_drive(path: &Path) -> Result<ImageDrive<FileMedium>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("can't remove {}", path.display()));
        }
        _ => {}
    }
    let volume = VolumeId(Uuid::now_v7());
    let parameters = CreateParameters::new(volume, 0);
    let cartridge = Cartridge::create(FileMedium::new(path, Access::ReadWrite), &parameters)?;
    Ok(loaded(cartridge))
}

/// A drive with the cartridge at that place.
pub fn open_drive(path: &Path) -> Result<ImageDrive<FileMedium>> {
    let (cartridge, _) = Cartridge::open(FileMedium::new(path, Access::ReadWrite))?;
    Ok(loaded(cartridge))
}

fn loaded(cartridge: Cartridge<FileMedium>) -> ImageDrive<FileMedium> {
    let mut drive = ImageDrive::new(Personality::default(), "BENCH".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

fn write(drive: &mut dyn Drive, data: &[u8]) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..TOTAL / data.len() as u64 {
        drive.write(Transfer::Variable, black_box(data))?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
}

fn read(drive: &mut dyn Drive, buffer: &mut [u8]) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..TOTAL / buffer.len() as u64 {
        drive.read(Transfer::Variable, black_box(buffer))?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
}

fn plain_write(path: &Path, data: &[u8]) -> Result<f64> {
    let file = File::create(path)?;
    let start = Instant::now();
    for number in 0..TOTAL / data.len() as u64 {
        file.write_all_at(black_box(data), number * data.len() as u64)?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
}

fn plain_read(path: &Path, buffer: &mut [u8]) -> Result<f64> {
    let (file, size) = (File::open(path)?, buffer.len() as u64);
    let start = Instant::now();
    for number in 0..TOTAL / size {
        file.read_exact_at(black_box(&mut *buffer), number * size)?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
}

/// Sequential writing and reading at each size.
pub fn run(report: &mut Report, scratch: &Path) -> Result<()> {
    let (image, plain) = (
        scratch.join("in-process.ptape"),
        scratch.join("in-process.plain"),
    );
    let must = |rate: Result<f64>| rate.expect("the scratch directory takes files");
    for (size, name, goal) in SIZES {
        let data = vec![0xa5; size];
        report.pair(
            &format!("in process, write {name}"),
            goal,
            || must(new_drive(&image).and_then(|mut drive| write(&mut drive, &data))),
            || must(plain_write(&plain, &data)),
        );
        let (mut buffer, mut other) = (vec![0; size], vec![0; size]);
        report.pair(
            &format!("in process, read {name}"),
            goal,
            || {
                let mut drive = open_drive(&image).expect("the image is there");
                drive.rewind().expect("the image rewinds");
                must(read(&mut drive, &mut buffer))
            },
            || must(plain_read(&plain, &mut other)),
        );
    }
    Ok(())
}

/// Blocks of the large image, and filemarks among them.
const MANY_BLOCKS: u64 = 16 << 20;
const BLOCKS_A_FILE: u64 = 1 << 20;
/// What a filemark takes of the capacity (docs/FORMAT.md).
const MARK_BYTES: u64 = 64;

/// Opening an image of 16 million blocks, going to objects, spacing over files.
pub fn run_index(report: &mut Report, scratch: &Path) -> Result<()> {
    let path = scratch.join("many.ptape");
    make_many(&path).context("an image of 16 million blocks")?;
    let (mut opens, mut locates, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..9 {
        let start = Instant::now();
        let drive = open_drive(&path)?;
        opens.push(start.elapsed().as_secs_f64() * 1e3);
        drop(drive);
    }
    let mut drive = open_drive(&path)?;
    anyhow::ensure!(
        drive.capacity()?.used_bytes == MANY_BLOCKS * 16 + MANY_BLOCKS / BLOCKS_A_FILE * MARK_BYTES,
        "the image has not the blocks that were written"
    );
    let mut target = 12_345_u64;
    for _ in 0..2000 {
        target = target
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let object = (target >> 20) % MANY_BLOCKS;
        let start = Instant::now();
        drive.locate(Address {
            partition: None,
            object: ObjectNumber(object),
        })?;
        locates.push(start.elapsed().as_secs_f64() * 1e3);
    }
    drive.rewind()?;
    for count in [1, 5, -3, 10, -1, 2, -9, 4] {
        let start = Instant::now();
        drive.space(SpaceUnit::Filemarks, count)?;
        files.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report.at_most("open an image of 16 million blocks", "ms", 50.0, opens);
    report.at_most("MTSEEK to a random object of it", "ms", 1.0, locates);
    report.at_most(
        "MTFSF, MTBSF over files of a million blocks",
        "ms",
        1.0,
        files,
    );
    std::fs::remove_file(&path)?;
    Ok(())
}

fn make_many(path: &Path) -> Result<()> {
    const BATCH: usize = 4096;
    let size = std::num::NonZeroU32::new(16).expect("not 0");
    let mut drive = new_drive(path)?;
    let data = vec![0x11; BATCH * 16];
    for number in 0..MANY_BLOCKS / BATCH as u64 {
        drive.write(Transfer::Fixed(size), &data)?;
        if ((number + 1) * BATCH as u64).is_multiple_of(BLOCKS_A_FILE) {
            drive.write_marks(Mark::Filemark, 1, WriteMode::Immediate)?;
        }
    }
    let cartridge = drive.eject().context("a cartridge")?;
    cartridge.finish()?;
    Ok(())
}
