use std::fmt::Write;
use std::path::{Path, PathBuf};

use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_image::{IndexDamage, OpenReport};
use pseudotape_sink::Sink;
use serde::Serialize;

use super::attributes::AreaDamage;
use super::info::Found;
use super::reading::{Damage, Met, Reading};
use super::through::{Named, Through};
use super::{IN_USE, Marked, Opened, look};
use crate::Verdict;
use crate::cli::VerifyOptions;
use crate::progress;

/// Objects between two steps of the progress bar.
const PROGRESS_STEP_OBJECTS: u64 = 256;

#[derive(Debug, Serialize)]
struct Verified {
    image: PathBuf,
    /// Nothing is damaged or missing.
    ok: bool,
    partitions: Vec<Partition>,
    /// Where it is a capsule of a disk farm.
    capsule: Option<Capsule>,
}

/// What a capsule of a disk farm says that it is.
#[derive(Debug, Serialize)]
struct Capsule {
    number: Option<u64>,
    title: Option<String>,
    state: Option<&'static str>,
    /// What is wrong with it beyond the image.
    damage: Option<String>,
}

impl Capsule {
    /// Looks whether an image is one, and reads it to its end as the farm does. What neither reads as one nor has the
    /// name of one is something else.
    fn of(image: &Path) -> Option<Self> {
        let name = image.file_name().and_then(|name| name.to_str());
        let is_called_so = name.and_then(pseudotape_farm::capsule_number).is_some();
        match pseudotape_farm::verify_capsule(image) {
            Ok(entry) => Some(Capsule {
                number: Some(entry.number.0.get()),
                title: Some(entry.title.to_string()),
                state: Some(entry.state.word()),
                damage: None,
            }),
            Err(fault) if is_called_so || fault.is_of_capsule() => Some(Capsule {
                number: None,
                title: None,
                state: None,
                damage: Some(fault.to_string()),
            }),
            Err(_) => None,
        }
    }

    fn text(&self, screen: &Screen) -> String {
        match (&self.damage, self.number, &self.title, self.state) {
            (None, Some(number), Some(title), Some(state)) => {
                let words = match state {
                    "ok" => screen.paint(Paint::Good, "its file is whole"),
                    "changed" => "its file is as it was read, and changed meanwhile".to_owned(),
                    state => format!("it has no file: {state}"),
                };
                format!("capsule {number} of a disk farm: {title}: {words}\n")
            }
            (damage, ..) => {
                let why = damage.as_deref().unwrap_or_default();
                let what = screen.paint(Paint::Bad, "damage");
                format!("capsule of a disk farm: {what}: {}\n", printable(why))
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: u8,
    files: u64,
    blocks: u64,
    bytes: u64,
    damage: Vec<Damage>,
    /// Damaged parts of the index: they cost time, no data.
    index_damage: Vec<DamagedPart>,
    /// Damaged places of the attributes of programs.
    attribute_damage: AreaDamage,
    #[serde(flatten)]
    marked: Marked,
    opened: Found,
    /// A drive has the image: this is what was committed.
    in_use: bool,
}

/// A part of the index that fails its check.
#[derive(Debug, Serialize)]
struct DamagedPart {
    first_object: u64,
    objects: u64,
    /// Where it should be, where that is known.
    offset: Option<u64>,
}

impl From<&IndexDamage> for DamagedPart {
    fn from(part: &IndexDamage) -> Self {
        DamagedPart {
            first_object: part.first_object,
            objects: part.objects,
            offset: Some(part.offset).filter(|offset| *offset != 0),
        }
    }
}

impl Partition {
    fn is_ok(&self) -> bool {
        self.is_undamaged() && self.marked.incomplete_from.is_none()
    }

    fn is_undamaged(&self) -> bool {
        self.damaged_places() == 0 && !self.opened.damaged
    }

    fn damaged_places(&self) -> u64 {
        let attributes = self.attribute_damage.offsets.len();
        (self.damage.len() + self.index_damage.len() + attributes) as u64
    }

    /// Reads what comes out of a filter before the image, instead of what is stored.
    fn read_through(&mut self, sink: &Sink, screen: &Screen) -> anyhow::Result<()> {
        let bar = progress::bar_without_end(screen);
        let mut through = Through::open(sink, self.partition)?;
        (self.files, self.blocks, self.bytes) = (0, 0, 0);
        self.damage.clear();
        let mut in_file = false;
        let mut row = Row::default();
        loop {
            match through.next()? {
                Met::EndOfData => break,
                Met::Filemark => {
                    self.files += 1;
                    in_file = false;
                    continue;
                }
                Met::Setmark => {}
                Met::Damage(damage) => row.add(&mut self.damage, damage),
                Met::Block(length) => {
                    row.end(&mut self.damage);
                    self.blocks += 1;
                    self.bytes += u64::from(length);
                    bar.set_position(self.bytes);
                }
            }
            in_file = true;
        }
        row.end(&mut self.damage);
        bar.finish_and_clear();
        self.files += u64::from(in_file);
        Ok(())
    }

    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line =
            |words: String| writeln!(text, "{words}").expect("a String takes everything");
        for damage in &self.damage {
            line(format!(
                "{}: {}",
                screen.paint(Paint::Bad, "damage"),
                printable(&damage.cause)
            ));
        }
        for part in &self.index_damage {
            line(format!(
                "{} in the index of {} from object {} on: their frames serve instead, no data is lost",
                screen.paint(Paint::Bad, "damage"),
                counted(part.objects, "object"),
                part.first_object
            ));
        }
        if !self.opened.clean {
            line(format!(
                "{} when it was opened: {}",
                screen.paint(Paint::Notice, "found"),
                printable(&self.opened.words)
            ));
        }
        if let Some(words) = self.marked.words() {
            line(screen.paint(Paint::Bad, &words));
        }
        for offset in &self.attribute_damage.offsets {
            let words = self.attribute_damage.words(*offset);
            line(format!("{} {words}", screen.paint(Paint::Bad, "damage")));
        }
        let verdict = match (self.is_undamaged(), self.damaged_places()) {
            (true, _) => screen.paint(Paint::Good, "no damage"),
            (false, 0) => screen.paint(Paint::Bad, "damage, see above"),
            (false, count) => screen.paint(Paint::Bad, &counted(count, "damaged place")),
        };
        if self.in_use {
            line(screen.paint(Paint::Notice, IN_USE));
        }
        line(format!(
            "partition {}: {}, {}, {}: {verdict}",
            self.partition,
            counted(self.files, "file"),
            counted(self.blocks, "block"),
            HumanBytes(self.bytes)
        ));
        text
    }
}

/// Blocks that a filter gives nothing for, one behind the other with nothing but marks between. With a key for a tape
/// that is not encrypted, that is all of them: each reason is told once.
#[derive(Default)]
struct Row {
    /// How many were met behind the first one; `None` where none was met.
    again: Option<u64>,
}

impl Row {
    fn add(&mut self, met: &mut Vec<Damage>, damage: Damage) {
        let objects = damage.objects;
        match (met.last_mut(), &mut self.again) {
            (Some(last), Some(again)) if Row::reason(last) == Row::reason(&damage) => {
                last.objects += objects;
                *again += objects;
            }
            _ => {
                self.end(met);
                met.push(damage);
                self.again = Some(0);
            }
        }
    }

    /// Says how many there were.
    fn end(&mut self, met: &mut [Damage]) {
        if let (Some(again @ 1..), Some(last)) = (self.again.take(), met.last_mut()) {
            let blocks = counted(again, "block");
            last.cause = format!("{}; the same holds for {blocks} behind it", last.cause);
        }
    }

    /// Why a block gives nothing, without the number of its object.
    fn reason(damage: &Damage) -> &str {
        let cause = damage.cause.as_str();
        let behind = cause
            .strip_prefix("object ")
            .and_then(|cause| cause.split_once(": "));
        behind.map_or(cause, |(_, reason)| reason)
    }
}

impl Report for Verified {
    fn text(&self, screen: &Screen) -> String {
        let mut text = printable(&self.image.display().to_string()) + "\n";
        for partition in &self.partitions {
            text += &partition.text(screen);
        }
        text += &self
            .capsule
            .as_ref()
            .map_or_else(String::new, |capsule| capsule.text(screen));
        text
    }
}

pub(crate) fn run(options: &VerifyOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let named = Named::new(&options.image)?;
    let path = &named.image;
    let partitions: Vec<u8> = match options.partition {
        Some(partition) => vec![partition],
        None => {
            let header = Opened::for_reading(path, 0)?.image.header().clone();
            match header.partition.0 {
                0 => (0..header.partition_count).collect(),
                // The file of a later partition by itself.
                _ => vec![0],
            }
        }
    };
    let check = |partition| {
        let mut verified = look(path, partition, |reading, report| {
            verify(reading, report, screen)
        })?;
        if let Some(sink) = &named.filtered {
            verified.read_through(sink, screen)?;
        }
        anyhow::Ok(verified)
    };
    // One that can't be opened hides nothing of the others.
    let (mut checked, mut failed) = (Vec::new(), None);
    for partition in partitions {
        match check(partition) {
            Ok(partition) => checked.push(partition),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    // A capsule has one partition and no filter, and no drive writes one.
    let capsule = match &checked[..] {
        [one] if named.filtered.is_none() && !one.in_use => Capsule::of(path),
        _ => None,
    };
    let is_well = |capsule: &Capsule| capsule.damage.is_none();
    let verified = Verified {
        image: options.image.clone(),
        ok: failed.is_none()
            && checked.iter().all(Partition::is_ok)
            && capsule.as_ref().is_none_or(is_well),
        partitions: checked,
        capsule,
    };
    if !verified.partitions.is_empty() {
        screen.show(&verified)?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    Ok(match verified.ok {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

fn verify(
    reading: &mut Reading,
    report: &OpenReport,
    screen: &Screen,
) -> anyhow::Result<Partition> {
    let image = reading.image_mut();
    let bar = progress::bar(screen, image.payload_bytes());
    let mut verified = Partition {
        partition: image.header().partition.0,
        files: 0,
        blocks: 0,
        bytes: 0,
        damage: Vec::new(),
        index_damage: image.check_index()?.iter().map(DamagedPart::from).collect(),
        attribute_damage: AreaDamage::of(&image.check_attributes()),
        marked: Marked::on(image),
        opened: Found::new(report),
        in_use: image.is_in_use(),
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
    Ok(verified)
}
