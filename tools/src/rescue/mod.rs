//! `pseudotape rescue`: reads a damaged tape object by object, as often as it takes.

mod desk;
mod failure;
mod hook;
mod lock;
mod raw;
mod report;

use std::fs::{self, File};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_copy::Side;
use pseudotape_human::Screen;
use pseudotape_rescue::{
    Assembled, BadObject, Error, Events, Holes, Map, Options, Outcome, Picture, Progress,
    SourceName, rescue,
};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{EraseExtent, ObjectNumber};

pub(crate) use self::desk::in_place;
use self::desk::{Desk, passed};
use self::failure::explained;
pub(crate) use self::lock::Lock;
use self::report::RescueReport;
use crate::Verdict;
use crate::cli::RescueOptions;
use crate::copying::copy::{is_blank, make_missing, partition};
use crate::copying::meter::Meter;
use crate::copying::tape::{Tape, ensure_different, name_of};

pub(crate) fn run(options: &RescueOptions, screen: &Screen) -> Result<Verdict> {
    if let Some(file) = options.raw_file {
        return raw::run(options, file, screen);
    }
    let report = work(options, screen)?;
    screen.show(&report)?;
    Ok(match report.whole {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

fn work(options: &RescueOptions, screen: &Screen) -> Result<RescueReport> {
    work_telling(options, screen, &mut |_| Ok(()))
}

/// The same; `bad` is told of each bad object at once, when the map on the disk says so. Its failure ends the rescue.
pub(crate) fn work_telling(
    options: &RescueOptions,
    screen: &Screen,
    bad: &mut dyn FnMut(&BadObject) -> Result<()>,
) -> Result<RescueReport> {
    let target = options.target.as_ref().context("name DST")?;
    ensure_different(&options.source, target)?;
    let mut source = Tape::open_source(&options.source)?;
    let partition = partition(&mut source, options.partition)?;
    let desk = Desk::find(target, options.map.as_deref())?;
    for tape in [
        Some(desk.base_path()),
        options.source.image_path(),
        target.image_path(),
    ] {
        ensure!(
            tape.is_none_or(|tape| !same_file(tape, &desk.map)),
            "--map {}: that is a tape of this rescue: give the map another name",
            desk.map.display()
        );
    }
    ensure_for_tape(options, desk.is_direct())?;
    let _lock = Lock::take(desk.lock_path(), desk.base_path())?;
    let map = desk.load()?;
    let mut base = open_base(&desk, map.is_some(), &mut source)?;
    let mut map = match map {
        Some(map) => map,
        None => new_map(&mut base, &desk, partition)?,
    };
    ensure!(
        map.partition == partition,
        "{} is of partition {} of the tape: another one needs another DST",
        desk.map.display(),
        map.partition
    );
    let mut hearer = Hearer { screen, bad };
    let done = all(
        options,
        target,
        Tapes { source, base },
        &mut map,
        &desk,
        &mut hearer,
    )?;
    let Done {
        outcome,
        time,
        assembled,
    } = done;
    if let Some(file) = options.picture.as_deref() {
        draw(
            &Picture::of_map(&map),
            &desk.map.display().to_string(),
            file,
            screen,
        )?;
    }
    Ok(RescueReport::new(
        options, target, &desk, &map, outcome, assembled, time,
    ))
}

/// Whether two names are those of one file, whether it is there or not.
fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    if let (Some(one), Some(other)) = (identity(one), identity(other)) {
        return one == other;
    }
    // One that is not there yet: by its folder, whatever that is called.
    let place = |path: &Path| {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        Some((fs::canonicalize(folder).ok()?, path.file_name()?.to_owned()))
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// How a picture that was written before begins.
const SVG: [u8; 4] = *b"<svg";

/// Shows a picture on the screen, or writes it as SVG: into a new file, or in the place of such a picture. A slip of
/// the fingers (`--picture=IMAGE`) must not cost a tape.
pub(crate) fn draw(picture: &Picture, title: &str, file: &Path, screen: &Screen) -> Result<()> {
    if file != Path::new("-") {
        if fs::metadata(file).is_ok_and(|there| there.is_file() && there.len() > 0) {
            let mut before = [0; SVG.len()];
            let read = File::open(file).and_then(|mut there| there.read_exact(&mut before));
            ensure!(
                read.is_ok() && before == SVG,
                "{} is there and is no picture: give the picture another name",
                file.display()
            );
        }
        let svg = picture.svg(title);
        return in_place(file, svg.as_bytes(), None)
            .with_context(|| format!("can't write the picture {}", file.display()));
    }
    // A report as JSON stays one.
    if !screen.is_json() {
        screen.print(picture.text().as_bytes())?;
    }
    Ok(())
}

/// Opens the image of what is rescued, or makes it.
fn open_base(desk: &Desk, has_map: bool, source: &mut Tape) -> Result<Tape> {
    let base = desk.base();
    ensure!(
        desk.base_path().exists() || !has_map,
        "{} is a map of what lies in {}, and that is not there: bring it back, or remove the map to begin anew",
        desk.map.display(),
        desk.base_path().display()
    );
    desk.clear_leftovers()?;
    if !desk.base_path().exists() {
        let making = desk.making();
        make_missing(&Sink::from(Location::Path(making.clone())), source)?;
        desk::rename(&making, desk.base_path())?;
    }
    Tape::open(&base, Access::ReadWrite, Side::Second)
}

fn new_map(base: &mut Tape, desk: &Desk, partition: u8) -> Result<Map> {
    base.go_to(Some(0), 0)?;
    ensure!(
        is_blank(base)?,
        "{} is not blank, and {}, the map of what was rescued into it, is not there: bring the map back (--map says \
         where it lies), or name another DST",
        base.name(),
        desk.map.display()
    );
    let id = base.open.volume_identity().id;
    let id = id.with_context(|| format!("{}: it is no image", base.name()))?;
    Ok(Map::new(id, partition))
}

/// How often what was kept is read from the tape again, where its image can't be read when it is put together.
const ROUNDS: u32 = 3;

/// Who hears of a rescue while it is at work.
struct Hearer<'a> {
    screen: &'a Screen,
    bad: &'a mut dyn FnMut(&BadObject) -> Result<()>,
}

/// Both tapes of a rescue.
struct Tapes {
    source: Tape,
    base: Tape,
}

/// What a command did.
struct Done {
    outcome: Outcome,
    time: std::time::Duration,
    assembled: Option<Assembled>,
}

/// Reads what is missing, and brings what is kept to where it is wanted.
fn all(
    options: &RescueOptions,
    target: &Sink,
    tapes: Tapes,
    map: &mut Map,
    desk: &Desk,
    hearer: &mut Hearer<'_>,
) -> Result<Done> {
    let Tapes {
        mut source,
        mut base,
    } = tapes;
    let partition = map.partition;
    let lost_its_end = source.end_is_lost(partition)?;
    let mut before = Progress::default();
    let mut time = std::time::Duration::ZERO;
    let mut round = 1;
    loop {
        source.go_to(Some(partition), 0)?;
        let options_now = Options {
            tries: options.tries,
            same_tape: options.same_tape,
            lost_its_end,
            reread_lost: options.reread_lost && round == 1,
        };
        let run = read(
            options,
            &mut source,
            &mut base,
            map,
            desk,
            options_now,
            hearer,
        )?;
        mark(&mut base, map.unfinished_from())?;
        time += run.time;
        before.objects += run.outcome.read.objects;
        before.bytes += run.outcome.read.bytes;
        match settle(options, target, desk, base, map, hearer.screen) {
            // The map says by now what is to be read once more.
            Err(error) if is_lost(&error) && round < ROUNDS => {
                round += 1;
                base = Tape::open(&desk.base(), Access::ReadWrite, Side::Second)?;
            }
            settled => {
                return Ok(Done {
                    outcome: Outcome {
                        read: before,
                        ..run.outcome
                    },
                    time,
                    assembled: settled?,
                });
            }
        }
    }
}

fn is_lost(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Lost { .. }))
}

/// Marks the image as no whole copy from an object on, or (`None`) as one.
fn mark(base: &mut Tape, missing: Option<ObjectNumber>) -> Result<()> {
    let name = base.name();
    let marked = base.open.note_not_mirrored(missing);
    marked.map(drop).with_context(|| name)
}

struct Run {
    outcome: Outcome,
    time: std::time::Duration,
}

fn read(
    options: &RescueOptions,
    source: &mut Tape,
    base: &mut Tape,
    map: &mut Map,
    desk: &Desk,
    options_now: Options,
    hearer: &mut Hearer<'_>,
) -> Result<Run> {
    let name = source_name(source);
    let known = source.known_bytes()?.filter(|_| map.frontier() == 0);
    // A kill at any moment leaves the image marked, until the end of the tape was seen.
    mark(
        base,
        map.unfinished_from()
            .or(Some(ObjectNumber(0)).filter(|_| map.frontier() == 0)),
    )?;
    let mut told = Told {
        meter: Meter::new("rescued", known, hearer.screen),
        options,
        desk,
        bad: &mut *hearer.bad,
        warned: false,
    };
    let mut place = desk.clone();
    let read = rescue(
        &mut source.open,
        &name,
        &mut base.open,
        map,
        &mut place,
        options_now,
        &mut told,
    );
    let time = told.meter.finish();
    match read {
        Ok(outcome) => Ok(Run { outcome, time }),
        Err(error) => Err(explained(error, source, base, desk)),
    }
}

fn source_name(source: &mut Tape) -> SourceName {
    let identity = source.open.volume_identity();
    let drive = source.drive().identity();
    let words = [drive.vendor, drive.product, drive.serial];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    SourceName {
        volume: identity.id,
        label: identity.label,
        generation: identity.generation,
        drive: match identity.id {
            // An image has no drive but ours.
            Some(_) => name_of(&source.sink),
            None => format!("{} ({})", name_of(&source.sink), words.join(" ")),
        },
    }
}

struct Told<'a> {
    meter: Meter,
    options: &'a RescueOptions,
    desk: &'a Desk,
    bad: &'a mut dyn FnMut(&BadObject) -> Result<()>,
    warned: bool,
}

impl Events for Told<'_> {
    fn now(&mut self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    }

    fn bad(&mut self, bad: &BadObject) -> Result<(), Error> {
        (self.bad)(bad).map_err(|error| Error::Keeping(format!("{error:#}")))?;
        let Some(command) = &self.options.on_bad else {
            return Ok(());
        };
        if let Err(error) = hook::tell(command, self.options, self.desk, bad)
            && !std::mem::replace(&mut self.warned, true)
        {
            // A message that can't be delivered is no reason to leave a tape unread.
            eprintln!("pseudotape: --on-bad: {error:#}");
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        self.meter.at(progress.bytes);
        ControlFlow::Continue(())
    }
}

/// Brings what is kept to where it is wanted.
fn settle(
    options: &RescueOptions,
    target: &Sink,
    desk: &Desk,
    mut base: Tape,
    map: &mut Map,
    screen: &Screen,
) -> Result<Option<Assembled>> {
    let whole = map.is_whole();
    if map.needs_found() && (whole || options.finish) {
        base = merge(desk, base, map, screen)?;
    } else if !map.needs_found() && desk.found_path().exists() {
        clear_found(desk, map)?;
    }
    let written = match desk.is_direct() {
        true => None,
        false if whole || options.leave_out => {
            Some(write_tape(options, target, desk, &mut base, map, screen)?)
        }
        false => None,
    };
    base.finish()?;
    Ok(written)
}

/// Writes the image anew, with what was found later in its places, and puts it in the place of the old one.
///
/// | a kill | is left |
/// |---|---|
/// | before the new image has the name | the old one, the map, what was found; the new one is cleared away |
/// | before the map is saved | the new one; the map still names what was found, which is there |
/// | behind that | the new one and its map; what was found is cleared away |
fn merge(desk: &Desk, mut base: Tape, map: &mut Map, screen: &Screen) -> Result<Tape> {
    let making = desk.making();
    desk.make_like_base(&making)?;
    passed("made");
    let mut whole = Tape::open(
        &Sink::from(Location::Path(making.clone())),
        Access::ReadWrite,
        Side::Second,
    )?;
    let mut found = desk.open_found()?;
    let mut meter = Meter::new("put together", None, screen);
    let done = pseudotape_rescue::assemble(
        map,
        &mut base.open,
        Some(&mut found),
        &mut whole.open,
        Holes::Noted,
        &mut |bytes| meter.at(bytes),
    );
    meter.finish();
    if let Err(error) = done {
        desk.save_map(map)?;
        return Err(explained(error, &mut whole, &mut base, desk));
    }
    passed("put together");
    mark(&mut whole, map.unfinished_from())?;
    passed("marked");
    whole.finish()?;
    passed("closed");
    desk::rename(&making, desk.base_path())?;
    drop(base);
    found
        .finish()
        .map_err(|error| anyhow!("{}: {error}", desk.found_path().display()))?;
    map.settle();
    desk.save_map(map)?;
    clear_found(desk, map)?;
    Tape::open(&desk.base(), Access::ReadWrite, Side::Second)
}

/// Removes what was found later, which lies in its place now. A kill may have left it.
fn clear_found(desk: &Desk, map: &Map) -> Result<()> {
    // The map before this one must not name what goes now.
    desk.save_map(map)?;
    desk.remove_found()
}

/// Writes a tape that can't be written in its middle.
fn write_tape(
    options: &RescueOptions,
    target: &Sink,
    desk: &Desk,
    base: &mut Tape,
    map: &mut Map,
    screen: &Screen,
) -> Result<Assembled> {
    let mut to = Tape::open(target, Access::ReadWrite, Side::Second)?;
    to.go_to(Some(0), 0)?;
    if !options.force {
        ensure!(
            is_blank(&mut to)?,
            "{} is not blank: --force writes over what is there (what was rescued lies in {}, and waits)",
            to.name(),
            desk.base_path().display()
        );
        to.go_to(Some(0), 0)?;
    }
    let mut found = match map.needs_found() {
        true => Some(desk.open_found()?),
        false => None,
    };
    let mut meter = Meter::new("written", None, screen);
    let holes = Holes::LeftOut;
    let found = found
        .as_mut()
        .map(|found| found as &mut dyn pseudotape_tape::Volume);
    let done = pseudotape_rescue::assemble(
        map,
        &mut base.open,
        found,
        &mut to.open,
        holes,
        &mut |bytes| {
            meter.at(bytes);
        },
    );
    meter.finish();
    let assembled = match done {
        Ok(assembled) => assembled,
        Err(error) => {
            desk.save_map(map)?;
            return Err(explained(error, &mut to, base, desk));
        }
    };
    if assembled.moved.is_empty() && options.force {
        let name = to.name();
        let erased = to.drive().erase(EraseExtent::Short);
        erased.map_err(|failed| anyhow!("{name}: can't erase what is on it: {failed}"))?;
    }
    to.finish()?;
    Ok(assembled)
}

/// A rescue into an image that a command looks at.
pub(crate) fn map_of(image: &Path) -> Result<Option<Map>> {
    let desk = Desk::of_image(image, None);
    match desk.map.exists() {
        true => desk.load(),
        false => Ok(None),
    }
}

/// Refuses what makes no sense for an image.
fn ensure_for_tape(options: &RescueOptions, direct: bool) -> Result<()> {
    if direct && (options.leave_out || options.force) {
        bail!(
            "--leave-out and --force are for a DST that is no image: an image keeps what can't be read as errors"
        );
    }
    Ok(())
}

#[cfg(test)]
#[path = "merge_test.rs"]
mod merge_test;
