use std::fmt::Write;
use std::ops::ControlFlow;

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_copy::{
    Copied, Ending, Gap, Object, Options, Progress, Side, Unreadable, compare, copy,
};
use pseudotape_drive::make_volume;
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{Attributes, EraseExtent, ObjectNumber, Sense, Stop, Transfer};
use serde::Serialize;

use super::attributes;
use super::meter::{Meter, rate};
use super::tape::{Tape, ensure_different, explained, name_of};
use crate::Verdict;
use crate::cli::{CopyOptions, Damaged};
use crate::image::create::fresh;

/// Objects in a row that could not be read.
#[derive(Debug, Serialize)]
pub(crate) struct Lost {
    pub first_object: u64,
    pub objects: u64,
}

impl From<&Gap> for Lost {
    fn from(gap: &Gap) -> Self {
        Lost {
            first_object: gap.first.0,
            objects: gap.objects,
        }
    }
}

#[derive(Debug, Serialize)]
struct CopyReport {
    source: String,
    target: String,
    /// Everything was copied.
    complete: bool,
    /// complete, early-warning, physical-end, unreadable, data-missing, or source-incomplete: all that is on the source
    /// was copied, and the source itself is marked as no whole copy.
    ended: &'static str,
    /// The first object that the source says it misses, in its own numbers.
    source_misses_from: Option<u64>,
    /// The target says that it is no whole copy; a tape has no place for that.
    #[serde(skip)]
    is_marked: bool,
    /// What the source lost behind its last object, in words.
    #[serde(skip)]
    lost: String,
    /// Where to continue on another tape.
    first_object_not_copied: Option<u64>,
    /// Objects that were there already, and are the same.
    resumed_behind: Option<u64>,
    blocks: u64,
    bytes: u64,
    filemarks: u64,
    setmarks: u64,
    unreadable: Vec<Lost>,
    seconds: f64,
    bytes_per_second: u64,
}

impl CopyReport {
    fn new(source: &Tape, target: &Tape, copied: &Copied, lost: Option<String>) -> Self {
        let source_misses_from = source.misses_from();
        let (complete, ended) = match (copied.ending, &lost, source_misses_from) {
            (Ending::Complete, None, None) => (true, "complete"),
            (Ending::Complete, Some(_), _) => (false, "data-missing"),
            (Ending::Complete, None, Some(_)) => (false, "source-incomplete"),
            (Ending::EarlyWarning, _, _) => (false, "early-warning"),
            (Ending::PhysicalEnd, _, _) => (false, "physical-end"),
            (Ending::Unreadable, _, _) => (false, "unreadable"),
            (Ending::Cancelled, _, _) => (false, "cancelled"),
        };
        let is_all_copied = matches!(ended, "complete" | "source-incomplete");
        CopyReport {
            source: source.name(),
            target: target.name(),
            complete,
            ended,
            lost: lost.unwrap_or_default(),
            source_misses_from: source_misses_from.map(|object| object.0),
            is_marked: false,
            first_object_not_copied: (!is_all_copied).then_some(copied.next.0),
            resumed_behind: None,
            blocks: copied.blocks,
            bytes: copied.bytes,
            filemarks: copied.filemarks,
            setmarks: copied.setmarks,
            unreadable: copied.unreadable.iter().map(Lost::from).collect(),
            seconds: 0.0,
            bytes_per_second: 0,
        }
    }
}

impl Report for CopyReport {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line =
            |words: String| writeln!(text, "{words}").expect("a String takes everything");
        if let Some(objects) = self.resumed_behind {
            line(format!(
                "{} of {} already the same",
                counted(objects, "object"),
                self.target
            ));
        }
        for lost in &self.unreadable {
            line(format!(
                "{} from object {} on: {} could not be read",
                screen.paint(Paint::Bad, "damage"),
                lost.first_object,
                counted(lost.objects, "object")
            ));
        }
        line(format!(
            "copied {}, {} and {} ({}, {}/s)",
            counted(self.blocks, "block"),
            counted(self.filemarks, "filemark"),
            counted(self.setmarks, "setmark"),
            HumanBytes(self.bytes),
            HumanBytes(self.bytes_per_second)
        ));
        if let Some(object) = self.first_object_not_copied {
            let (why, way_out) = match self.ended {
                "unreadable" => (
                    "it can't be read".to_owned(),
                    "'--damaged record' records it as unreadable, '--damaged skip' leaves it out; both with --resume or --force".to_owned(),
                ),
                "data-missing" => (
                    format!("{}: {}", self.source, self.lost),
                    self.marking(),
                ),
                "early-warning" => (
                    format!("{} has reached early warning", self.target),
                    format!("for the rest: pseudotape copy {} OTHER --continue {object}", self.source),
                ),
                _ => (
                    format!("{} is full", self.target),
                    format!("for the rest: pseudotape copy {} OTHER --continue {object}", self.source),
                ),
            };
            line(format!(
                "{}: the first object not copied is {object}: {why}; {way_out}",
                screen.paint(Paint::Bad, "incomplete")
            ));
        }
        if let Some(object) = self.source_misses_from {
            line(format!(
                "{}: {} is marked as no whole copy: what it misses begins with object {object}; {}",
                screen.paint(Paint::Bad, "incomplete"),
                self.source,
                self.marking()
            ));
        }
        text
    }
}

impl CopyReport {
    fn marking(&self) -> String {
        match self.is_marked {
            true => format!("{} is marked as a copy that is not whole", self.target),
            false => format!("{} has no place for a mark that says so", self.target),
        }
    }
}

pub(crate) fn run(options: &CopyOptions, screen: &Screen) -> Result<Verdict> {
    ensure_different(&options.source, &options.target)?;
    ensure!(
        !(options.resume && options.damaged == Damaged::Skip),
        "--resume can't tell what '--damaged skip' left out: use --force to begin anew"
    );
    let mut source = Tape::open_source(&options.source)?;
    let partition = partition(&mut source, options.partition)?;
    let lost = source.lost_end(partition)?;
    make_missing(&options.target, &mut source)?;
    let mut target = Tape::open(&options.target, Access::ReadWrite, Side::Second)?;
    source.go_to(Some(partition), options.from)?;
    target.go_to(Some(0), 0)?;

    let known_bytes = remaining(&mut source, options.from)?;
    ensure_room(&source, &mut target, known_bytes, options)?;
    let already = match (options.resume, options.force) {
        (true, _) => Some(verify(
            &mut source,
            &mut target,
            options,
            screen,
            known_bytes,
        )?),
        (false, true) => None,
        (false, false) => {
            ensure_blank(&mut target)?;
            None
        }
    };
    let begin = already.map_or(0, |already| already.objects);
    source.go_to(Some(partition), options.from + begin)?;
    target.go_to(Some(0), begin)?;

    // From here on the target is no whole copy, until it is one. A kill at any moment leaves it marked.
    mark(&mut target, Some(ObjectNumber(begin)))?;
    // What programs kept beside what was there is not about what comes.
    attributes::keep(&mut target, &Attributes::new())?;
    let left = known_bytes.map(|bytes| bytes.saturating_sub(already.map_or(0, |a| a.bytes)));
    let mut meter = Meter::new("copied", left, screen);
    let copied = copy(
        &mut source.open,
        &mut target.open,
        Options {
            unreadable: match options.damaged {
                Damaged::Stop => Unreadable::Stop,
                Damaged::Record => Unreadable::Record,
                Damaged::Skip => Unreadable::Skip,
            },
        },
        &mut |progress: Progress| {
            meter.at(progress.bytes);
            ControlFlow::Continue(())
        },
    )
    .map_err(|error| explained(error, &mut source, &mut target))?;
    if options.force && copied.target.object == ObjectNumber(0) {
        // Nothing written drops nothing.
        let name = target.name();
        let erased = target.drive().erase(EraseExtent::Short);
        erased.map_err(|failed| anyhow!("{name}: can't erase what is on it: {failed}"))?;
    }
    let missing = first_missing(&source, options, &copied, lost.as_deref());
    if missing.is_none() && is_whole(options, &copied) {
        attributes::carry(&mut source, partition, &mut target)?;
    }
    let has_mark = mark(&mut target, missing)?;
    let mut report = CopyReport::new(&source, &target, &copied, lost);
    report.is_marked = has_mark && missing.is_some();
    target.finish()?;
    let time = meter.finish();
    report.resumed_behind = already.map(|already| already.objects);
    report.seconds = time.as_secs_f64();
    report.bytes_per_second = rate(report.bytes, time);
    screen.show(&report)?;
    Ok(match report.complete && report.unreadable.is_empty() {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// Whether the copy holds what the source holds, object by object.
fn is_whole(options: &CopyOptions, copied: &Copied) -> bool {
    options.from == 0 && copied.ending == Ending::Complete && copied.unreadable.is_empty()
}

/// Marks the target as a copy that is not whole, or (`None`) as one that is. What was written before is committed
/// first. `false` where the target has no place for such a mark.
fn mark(target: &mut Tape, missing: Option<ObjectNumber>) -> Result<bool> {
    let name = target.name();
    let marked = target.open.note_not_mirrored(missing);
    marked.with_context(|| name)
}

/// The first object that the copy misses. One tape of several (`--part`, `--continue`) is a whole one; a copy of what
/// is no whole copy is none, and neither is one of an image that lost its end.
fn first_missing(
    source: &Tape,
    options: &CopyOptions,
    copied: &Copied,
    lost: Option<&str>,
) -> Option<ObjectNumber> {
    // Its objects have other numbers on a copy that begins later.
    let of_source = source.misses_from();
    let of_source = of_source.map(|object| ObjectNumber(object.0.saturating_sub(options.from)));
    match copied.ending {
        Ending::Complete => {
            let end = lost.map(|_| copied.target.object);
            of_source.into_iter().chain(end).min()
        }
        Ending::EarlyWarning | Ending::PhysicalEnd if options.part => of_source,
        Ending::EarlyWarning | Ending::PhysicalEnd | Ending::Unreadable | Ending::Cancelled => {
            Some(copied.target.object)
        }
    }
}

/// The partition that is meant: the one that is named, or the only one.
pub(crate) fn partition(source: &mut Tape, wanted: Option<u8>) -> Result<u8> {
    let count = source.partitions()?;
    match wanted {
        Some(partition) if partition < count => Ok(partition),
        None if count == 1 => Ok(0),
        Some(partition) => bail!(
            "{}: no partition {partition} on this volume: it has {}, counted from 0",
            source.name(),
            counted(count.into(), "partition")
        ),
        None => bail!(
            "{} has {}: name one with --partition; each is copied to a tape of its own",
            source.name(),
            counted(count.into(), "partition")
        ),
    }
}

/// Makes the target where its name says that it is an image: as large as the source, where that is one.
pub(crate) fn make_missing(target: &Sink, source: &mut Tape) -> Result<()> {
    let Location::Path(path) = &target.place else {
        return Ok(());
    };
    if path.exists() || path.extension() != Some("ptape".as_ref()) {
        return Ok(());
    }
    let mut parameters = fresh()?;
    let identity = source.open.volume_identity();
    if identity.id.is_some() {
        // Of a filtered volume the lengths of blocks are not those that are copied.
        if !(source.sink.is_filtered() || target.is_filtered()) {
            let capacity = source.capacity()?;
            parameters.header.block_limits = source.drive().block_limits();
            parameters.header.capacity_bytes = capacity.total_bytes;
            parameters.header.early_warning_bytes = capacity.early_warning_bytes;
        }
        parameters.label = identity.label;
    }
    Ok(make_volume(path, &parameters)?)
}

/// Bytes of blocks from where the source is, where that is known.
fn remaining(source: &mut Tape, from: u64) -> Result<Option<u64>> {
    let Some(used) = source.known_bytes()? else {
        return Ok(None);
    };
    if from == 0 {
        return Ok(Some(used));
    }
    // What lies before counts as used on the way to the physical end, where there is one.
    let capacity = source.capacity()?;
    Ok(match (capacity.total_bytes, capacity.room_bytes) {
        (Some(total), Some(room)) => Some(used.saturating_sub(total.saturating_sub(room))),
        _ => None,
    })
}

fn ensure_room(
    source: &Tape,
    target: &mut Tape,
    known_bytes: Option<u64>,
    options: &CopyOptions,
) -> Result<()> {
    let capacity = target.capacity()?;
    // How much compressed blocks need is not known before they are.
    if let (Some(bytes), Some(total)) = (known_bytes, capacity.total_bytes)
        && options.target.compression.is_none()
        && !options.part
    {
        let fits = total.saturating_sub(capacity.early_warning_bytes);
        ensure!(
            bytes <= fits,
            "{} holds {} to copy, and {} takes {} before its early warning: use a larger one, or --part to copy what fits and --continue for the rest",
            source.name(),
            HumanBytes(bytes),
            target.name(),
            HumanBytes(fits)
        );
    }
    Ok(())
}

/// Refuses a tape on which something is recorded; it is at its beginning.
fn ensure_blank(target: &mut Tape) -> Result<()> {
    if !is_blank(target)? {
        let name = target.name();
        bail!(
            "{name} is not blank: --resume goes on with a copy that was interrupted, --force writes over what is there"
        );
    }
    Ok(())
}

/// Whether nothing is recorded on a tape, which is at its beginning.
pub(crate) fn is_blank(target: &mut Tape) -> Result<bool> {
    let name = target.name();
    let met = target.drive().read(Transfer::Variable, &mut [0]);
    match met {
        Ok(done) => Ok(done.stop == Some(Stop::EndOfData)),
        // A block that can't be read is one, too.
        Err(failed) if failed.sense == Sense::MediumError => Ok(false),
        Err(failed) => Err(anyhow!("{name}: {failed}")),
    }
}

/// What is on the target already.
#[derive(Clone, Copy)]
struct Already {
    objects: u64,
    bytes: u64,
}

/// Compares what is on the target with the source: it has to be a beginning of it.
fn verify(
    source: &mut Tape,
    target: &mut Tape,
    options: &CopyOptions,
    screen: &Screen,
    known_bytes: Option<u64>,
) -> Result<Already> {
    let recorded = target.known_bytes()?;
    let total = recorded.into_iter().chain(known_bytes).min();
    let mut meter = Meter::new("compared", total, screen);
    let compared = compare(&mut source.open, &mut target.open, &mut |progress| {
        meter.at(progress.bytes);
        ControlFlow::Continue(())
    })
    .map_err(|error| explained(error, source, target))?;
    meter.finish();
    let already = Already {
        objects: compared.objects,
        bytes: compared.bytes,
    };
    let difference = match compared.difference {
        None => return Ok(already),
        Some(difference) if difference.second == Object::EndOfData => return Ok(already),
        Some(difference) => difference,
    };
    // Where a program or a server died behind a node, its driver has written a filemark at close.
    if difference.second == Object::Filemark && ends_behind(target, compared.objects + 1)? {
        return Ok(already);
    }
    let there = options.from + compared.objects;
    bail!(
        "{} is no copy of {} that was interrupted: object {there} is {} there, and {} here: compare them with 'pseudotape compare', or --force to write over it",
        target.name(),
        name_of(&options.source),
        difference.first,
        difference.second
    )
}

/// Whether nothing is recorded from this object on.
fn ends_behind(tape: &mut Tape, object: u64) -> Result<bool> {
    tape.go_to(Some(0), object)?;
    let met = tape.drive().read(Transfer::Variable, &mut [0]);
    Ok(met.is_ok_and(|done| done.stop == Some(Stop::EndOfData)))
}
