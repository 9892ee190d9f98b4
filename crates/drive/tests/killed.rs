//! A program that makes partitions is killed at any moment, again and again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pseudotape_drive::{Cartridge, FileMedium, ImageDrive, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{Drive, Mark, Partitioning, Transfer, Volume, WriteMode};

const IMAGE: &str = "PSEUDOTAPE_TEST_IMAGE";
const ROUNDS: u64 = 40;

fn drive(path: &Path) -> ImageDrive<FileMedium> {
    let opened = Cartridge::open(FileMedium::new(path, Access::ReadWrite));
    let (cartridge, _) = opened.unwrap_or_else(|error| panic!("{error}"));
    let personality = Personality {
        max_partitions: 4,
        ..Personality::default()
    };
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

/// What the killed program does: records a block, says so, and makes partitions, for ever.
#[test]
#[ignore = "is the program that the other test kills"]
fn makes_partitions_until_it_is_killed() {
    let Some(path) = std::env::var_os(IMAGE) else {
        return;
    };
    let mut drive = drive(Path::new(&path));
    for round in 0_u32.. {
        drive
            .write(Transfer::Variable, &[7; 1000])
            .expect("takes a block");
        drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .expect("takes a mark");
        println!("recorded");
        let partitioning = match round % 3 {
            0 | 1 => Partitioning::SecondOf(1),
            _ => Partitioning::Single,
        };
        drive.make_partitions(partitioning).expect("makes them");
    }
}

#[test]
fn a_cartridge_whose_partitioning_was_killed_can_be_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(9)), 0);
    parameters.header.capacity_bytes = Some(8 << 20);
    let medium = FileMedium::new(&path, Access::ReadWrite);
    let cartridge = Cartridge::create(medium, &parameters).expect("a new image");
    cartridge.finish().expect("closes");
    let mut seed: u64 = 0x5EED;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("makes_partitions_until_it_is_killed")
            .env(IMAGE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("runs itself");
        let output = child.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(output).lines();
        let recorded = lines.any(|line| line.is_ok_and(|line| line.ends_with("recorded")));
        assert!(recorded, "round {round}: it ended by itself");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(seed >> 32 & 0x3FFF));
        child.kill().expect("it lives");
        child.wait().expect("it ends");
        // The tape as it was before or after, and it can be used.
        let mut drive = drive(&path);
        let mut buffer = [0; 1000];
        let read = drive.read(Transfer::Variable, &mut buffer);
        let read = read.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        assert!(read.bytes == 0 || buffer == [7; 1000], "round {round}");
        Box::new(drive).finish().expect("closes");
    }
    let mut drive = drive(&path);
    drive.make_partitions(Partitioning::Single).expect("blank");
    Box::new(drive).finish().expect("closes");
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["a.ptape"]);
}
