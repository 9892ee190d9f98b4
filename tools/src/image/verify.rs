use std::fmt::Write;
use std::path::PathBuf;

use pseudotape_control::HumanBytes;
use serde::Serialize;

use super::Opened;
use super::info::Found;
use super::reading::{Damage, Met, Reading};
use crate::Verdict;
use crate::cli::ImageOptions;
use crate::screen::{Paint, Report, Screen, counted, printable};

/// Objects between two steps of the progress bar.
const PROGRESS_STEP_OBJECTS: u64 = 256;

#[derive(Debug, Serialize)]
struct Verified {
    image: PathBuf,
    /// Nothing was lost.
    ok: bool,
    files: u64,
    blocks: u64,
    bytes: u64,
    damage: Vec<Damage>,
    opened: Found,
}

impl Report for Verified {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line =
            |words: String| writeln!(text, "{words}").expect("a String takes everything");
        for damage in &self.damage {
            line(format!(
                "{} in file {}: {}",
                screen.paint(Paint::Bad, "damage"),
                damage.file,
                printable(&damage.cause)
            ));
        }
        if !self.opened.clean {
            line(format!(
                "{} when it was opened: {}",
                screen.paint(Paint::Notice, "found"),
                printable(&self.opened.words)
            ));
        }
        let verdict = match (self.ok, self.damage.len() as u64) {
            (true, _) => screen.paint(Paint::Good, "no damage"),
            (false, 0) => screen.paint(Paint::Bad, "damage, see above"),
            (false, count) => screen.paint(Paint::Bad, &counted(count, "damaged place")),
        };
        line(format!(
            "{}: {}, {}, {}: {verdict}",
            self.image.display(),
            counted(self.files, "file"),
            counted(self.blocks, "block"),
            HumanBytes(self.bytes)
        ));
        text
    }
}

pub(crate) fn run(options: &ImageOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let Opened { image, report } = Opened::for_reading(&options.image)?;
    let bar = screen.progress(image.payload_bytes());
    let mut reading = Reading::new(image);
    let mut verified = Verified {
        image: options.image.clone(),
        ok: true,
        files: 0,
        blocks: 0,
        bytes: 0,
        damage: Vec::new(),
        opened: Found::new(&report),
    };
    let mut in_file = false;
    loop {
        match reading.next()? {
            Met::EndOfData => break,
            Met::Filemark => {
                verified.files += 1;
                in_file = false;
                continue;
            }
            Met::Setmark => {}
            Met::Damage(damage) => verified.damage.push(damage),
            Met::Block(length) => {
                verified.blocks += 1;
                verified.bytes += u64::from(length);
                if verified.blocks.is_multiple_of(PROGRESS_STEP_OBJECTS) {
                    bar.set_position(verified.bytes);
                }
            }
        }
        in_file = true;
    }
    bar.finish_and_clear();
    verified.files += u64::from(in_file);
    verified.ok = verified.damage.is_empty() && !verified.opened.damaged;
    screen.show(&verified)?;
    Ok(match verified.ok {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}
