//! How fast a large catalog is:
//! `cargo run --release -p pseudotape-vault --example catalog_speed [VOLUMES [FILES [DIRECTORY]]]`.
//!
//! Fills the catalog of a vault in a temporary directory, past its rules, and measures through them. With a directory
//! the vault is made there, and stays: to measure commands with it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pseudotape_tape::Access;
use pseudotape_vault::recovery::{Inquiry, Restoring, loss_report, restore};
use pseudotape_vault::{
    Contents, Depth, Digest, FileState, Label, Order, Surroundings, TapeFile, Vault,
};

const ROUNDS: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: u64| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (volumes, files) = (number(100_000)?, number(100)?);
    let folder = match arguments.next() {
        Some(directory) => Folder::Kept(directory.into()),
        None => Folder::Temporary(tempfile::tempdir_in(".")?),
    };
    let order = Order::person("speed", "");
    let surroundings = Surroundings::seeded(1, 0);
    drop(Vault::create(
        folder.path(),
        "speed",
        None,
        &order,
        surroundings,
    )?);
    let began = Instant::now();
    fill(&folder.path().join("catalog.sqlite"), volumes, files)?;
    told("filling it", began.elapsed());
    let bytes = std::fs::metadata(folder.path().join("catalog.sqlite"))?.len();
    println!("{:<40} {:>9} MiB", "its size", bytes >> 20);

    let label = |at: u64| -> Result<Label, Box<dyn Error>> {
        Ok(format!("V{:06}", at * 7919 % volumes).parse()?)
    };
    middle("open the vault, list the files of one", |at| {
        let found = Vault::look(folder.path())?.files(&label(at)?)?;
        assert_eq!(found.len() as u64, files);
        Ok(())
    })?;
    middle("open the vault, show one with its events", |at| {
        let vault = Vault::look(folder.path())?;
        vault.volume(&label(at)?)?;
        vault.events(Some(&label(at)?), 20)?;
        Ok(())
    })?;
    let mut vault = Vault::open(folder.path(), "speed", Surroundings::seeded(2, 0))?;
    let mut opening = Vec::new();
    let mut closing = Vec::new();
    for at in 0..ROUNDS {
        let began = Instant::now();
        let (listed, _) = vault.open_volume(&label(at)?, Access::ReadWrite, &order)?;
        opening.push(began.elapsed());
        let contents = Contents {
            identity: listed.volume.identity,
            generation: listed.volume.image_generation.unwrap_or(0) + 1,
            label: String::new(),
            barcode: String::new(),
            partitions: 1,
            bytes: 0,
            files: (0..files).map(|number| file(number, 2)).collect(),
            missing_from: None,
            end_is_lost: false,
            in_use: false,
        };
        let began = Instant::now();
        vault.close_volume(&label(at)?, &contents, &order)?;
        closing.push(began.elapsed());
    }
    told("open a volume", median(opening));
    told("close it, with all its files anew", median(closing));
    let began = Instant::now();
    assert_eq!(vault.volumes()?.len() as u64, volumes);
    told("list all volumes", began.elapsed());
    let began = Instant::now();
    // No volume has an image here: what is measured is the catalog's part.
    let found = vault.inspect(Depth::Frames, &mut |_| {})?.findings.len() as u64;
    assert_eq!(found, volumes);
    told("compare catalog and directory", began.elapsed());
    drop(vault);
    travel(folder.path(), &order)?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("VmHWM: unknown"));
    Ok(())
}

/// Where the vault is.
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Folder::Temporary(directory) => directory.path(),
            Folder::Kept(directory) => directory,
        }
    }
}

/// A backup into a file, and the recovery from it on an empty machine.
fn travel(home: &Path, order: &Order) -> Result<(), Box<dyn Error>> {
    let mut vault = Vault::open(home, "speed", Surroundings::seeded(3, 0))?;
    let began = Instant::now();
    let mut backup = vault.back_up()?;
    told("back up the catalog", began.elapsed());
    println!(
        "{:<40} {:>9} MiB",
        "its size",
        backup.description.length >> 20
    );
    let other = tempfile::tempdir_in(".")?;
    let restoring = Restoring {
        description: &backup.description,
        highest: backup.description.sequence,
        replace: false,
        order,
    };
    let began = Instant::now();
    let mut surroundings = Surroundings::seeded(4, 0);
    restore(
        other.path(),
        &restoring,
        &mut backup.payload,
        &mut surroundings,
        &mut |_| {},
    )?;
    told("restore it into an empty directory", began.elapsed());
    let began = Instant::now();
    let known = Vault::look(other.path())?.known()?;
    let report = loss_report(&Inquiry {
        known: &known,
        backup_ms: backup.description.written_ms,
        event_ms: backup.description.written_ms,
        on_disk: &BTreeMap::new(),
        media: &BTreeMap::new(),
        evidence: &[],
    });
    assert_eq!(report.volumes.len() as u64, backup.description.volumes);
    told("say of each volume what was lost", began.elapsed());
    Ok(())
}

fn file(number: u64, seed: u8) -> TapeFile {
    TapeFile {
        number,
        first_object: number * 1000,
        blocks: 999,
        bytes: 999 << 16,
        digest: Some(Digest([seed; 32])),
        state: FileState::Ok,
    }
}

fn fill(catalog: &Path, volumes: u64, files: u64) -> Result<(), Box<dyn Error>> {
    let connection = rusqlite::Connection::open(catalog)?;
    connection.execute_batch(&format!(
        "BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {volumes})
         INSERT INTO volume SELECT i + 1, printf('V%06d', i), printf('00000000-0000-7000-8000-%012x', i), 'private',
            'ok', NULL, NULL, NULL, 'closed', 1, printf('V%06d.ptape', i), 1, 0 FROM n;
         INSERT INTO event (at_ms, volume, label, subject, old, new, who, why)
            SELECT 0, id, label, 'volume', NULL, 'private', 'speed', '' FROM volume;
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {files})
         INSERT INTO tape_file SELECT id, i, i * 1000, 999, 999 << 16, randomblob(32), 'ok' FROM volume, n;
         COMMIT;
         PRAGMA wal_checkpoint(TRUNCATE)"
    ))?;
    Ok(())
}

fn middle(
    what: &str,
    mut one: impl FnMut(u64) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for at in 0..ROUNDS {
        let began = Instant::now();
        one(at)?;
        times.push(began.elapsed());
    }
    told(what, median(times));
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn told(what: &str, time: Duration) {
    println!("{what:<40} {:>9.2} ms", time.as_secs_f64() * 1000.0);
}
