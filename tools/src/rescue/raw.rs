//! EN-15, EN-16. One tape file as bytes, with a map of its holes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest;
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted};
use pseudotape_rescue::{Error, Options, RawFile, raw_file};
use serde::Serialize;

use super::desk::{in_place, rename};
use super::report::LINES;
use crate::Verdict;
use crate::cli::RescueOptions;
use crate::copying::copy::partition;
use crate::copying::tape::{Tape, name_of};

#[derive(Debug, Serialize)]
struct HoleReport {
    offset: u64,
    bytes: u64,
    first_object: u64,
    objects: u64,
    tried: bool,
}

#[derive(Debug, Serialize)]
struct RawReport {
    source: String,
    file: u64,
    /// The name that the file has: the one that was asked for only where it is whole, and the right one.
    output: PathBuf,
    /// The map of its holes, where it has some.
    map: Option<PathBuf>,
    whole: bool,
    bytes: u64,
    blocks: u64,
    holes: Vec<HoleReport>,
    sha256: String,
    /// The digest is the one that was asked for; null where none was.
    sha256_matches: Option<bool>,
    /// Its end was seen.
    #[serde(skip)]
    ended: bool,
}

impl Report for RawReport {
    fn text(&self, screen: &Screen) -> String {
        let lost: u64 = self.holes.iter().map(|hole| hole.bytes).sum();
        let mut text = format!(
            "file {}: {} in {}, SHA-256 {}\n",
            self.file,
            HumanBytes(self.bytes),
            counted(self.blocks, "block"),
            self.sha256
        );
        for hole in self.holes.iter().take(LINES) {
            let length = match self.blocks {
                // No block that could be read says how long the others were.
                0 => "of unknown length".to_owned(),
                _ => format!("about {}", HumanBytes(hole.bytes)),
            };
            text += &format!(
                "{}: {length} from byte {} on (object {})\n",
                screen.paint(Paint::Bad, "hole"),
                hole.offset,
                hole.first_object
            );
        }
        if self.holes.len() > LINES {
            let more = (self.holes.len() - LINES) as u64;
            text += &format!("and {}; the map and --json list all\n", counted_more(more));
        }
        if self.sha256_matches == Some(false) {
            text += &format!(
                "{}: it has another SHA-256 than the one given\n",
                screen.paint(Paint::Bad, "wrong")
            );
        }
        text + &match (&self.map, self.whole) {
            (_, true) if self.sha256_matches != Some(false) => format!(
                "{}: {}\n",
                screen.paint(Paint::Good, "whole"),
                self.output.display()
            ),
            (Some(map), _) => format!(
                "{}: {}, {}: {} says where\n",
                screen.paint(Paint::Bad, "partial"),
                self.output.display(),
                match (lost, self.blocks) {
                    (0, _) => "its end is missing, and how long that was nobody knows".to_owned(),
                    (_, 0) => "how much of it is missing nobody knows".to_owned(),
                    (lost, _) if self.ended => format!("about {} of it missing", HumanBytes(lost)),
                    (lost, _) => format!("about {} of it missing, and its end", HumanBytes(lost)),
                },
                map.display()
            ),
            (None, _) => format!(
                "{}: {}\n",
                screen.paint(Paint::Bad, "partial"),
                self.output.display()
            ),
        }
    }
}

fn counted_more(more: u64) -> String {
    match more {
        1 => "1 more hole".to_owned(),
        more => format!("{more} more holes"),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

pub(crate) fn run(options: &RescueOptions, file: u64, screen: &Screen) -> Result<Verdict> {
    let output = options.output.as_deref().context("name --output")?;
    ensure!(
        output != Path::new("-"),
        "--output - : a file that may turn out to have holes can't go to standard output; name a file ('./-' is one \
         that is called so)"
    );
    ensure!(
        fs::symlink_metadata(output).is_err(),
        "{} exists: choose another name",
        output.display()
    );
    let mut source = Tape::open_source(&options.source)?;
    let partition = partition(&mut source, options.partition)?;
    let options_of_it = Options {
        tries: options.tries,
        lost_its_end: source.end_is_lost(partition)?,
        ..Options::default()
    };
    source.go_to(Some(partition), 0)?;
    let partial = with_ending(output, ".partial");
    let out = File::create(&partial).with_context(|| partial.display().to_string())?;
    let name = name_of(&options.source);
    let read = raw_file(
        &mut source.open,
        file,
        options_of_it,
        &mut |offset, block| out.write_all_at(block, offset),
    );
    if let Err(Error::NoFile { .. }) = &read {
        fs::remove_file(&partial).with_context(|| partial.display().to_string())?;
    }
    let read = read.with_context(|| name.clone())?;
    // Holes stay holes, also at the end.
    out.set_len(read.length)
        .and_then(|()| out.sync_all())
        .with_context(|| partial.display().to_string())?;
    let sha256 = sha256_of(&partial)?;
    let matches = options.sha256.as_ref().map(|wanted| *wanted == sha256);
    let delivered = read.is_whole() && matches != Some(false);
    let map = with_ending(output, ".map");
    if !read.is_whole() {
        in_place(&map, read.ddrescue_map().as_bytes(), None)
            .with_context(|| map.display().to_string())?;
    }
    if delivered {
        rename(&partial, output)?;
    }
    let report = report(
        name,
        file,
        if delivered { output } else { &partial },
        &map,
        &read,
        sha256,
        matches,
    );
    screen.show(&report)?;
    Ok(match delivered {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

fn report(
    source: String,
    file: u64,
    output: &Path,
    map: &Path,
    read: &RawFile,
    sha256: String,
    sha256_matches: Option<bool>,
) -> RawReport {
    RawReport {
        source,
        file,
        output: output.to_owned(),
        map: (!read.is_whole()).then(|| map.to_owned()),
        whole: read.is_whole(),
        bytes: read.length,
        blocks: read.blocks,
        holes: read
            .holes
            .iter()
            .map(|hole| HoleReport {
                offset: hole.offset,
                bytes: hole.bytes,
                first_object: hole.first,
                objects: hole.objects,
                tried: hole.tried,
            })
            .collect(),
        sha256,
        sha256_matches,
        ended: read.ended,
    }
}

fn sha256_of(path: &Path) -> Result<String> {
    let failed = || path.display().to_string();
    let mut file = File::open(path).with_context(failed)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).with_context(failed)?;
        match buffer.get(..length) {
            Some([]) | None => break,
            Some(bytes) => context.update(bytes),
        }
    }
    let digest = context.finish();
    Ok(digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
