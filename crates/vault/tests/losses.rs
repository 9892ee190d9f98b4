//! VT-08, VT-09, VT-10, VT-11, VT-12: what the report says was lost is what was lost, in thousands of random histories.
//!
//! The oracle knows the whole history, also what nobody can see afterwards, and shares no code with the report. It
//! answers twice: what can be known of each volume, which the report must say exactly; and what is true, which the
//! report must never contradict.

use std::collections::{BTreeMap, BTreeSet};

use pseudotape_image::{Uuid, VolumeId};
use pseudotape_vault::Opening;
use pseudotape_vault::recovery::{
    Copy, DiskImage, Evidence, Fate, Inquiry, Known, Medium, Place, loss_report,
};

const HISTORIES: u64 = 6000;

/// SplitMix64, of this test's own.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What happened, in its order; the index is the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Make(usize),
    Open(usize),
    /// The generation rises by one.
    Close(usize),
    /// A copy as the next tape file of a tape.
    Stack(usize, usize),
    /// The image leaves the disk.
    Evict(usize),
    /// The tape begins anew, with another identity.
    Erase(usize),
    BackUp(usize),
    Wait,
}

/// One end of the world.
#[derive(Debug)]
struct World {
    deeds: Vec<Deed>,
    tapes: usize,
    /// What became of each tape.
    fates: Vec<Medium>,
    /// Tapes whose last file was cut.
    torn: BTreeSet<usize>,
    disk_survives: bool,
    event: u64,
}

/// Deeds that can follow on what was done.
fn history(dice: &mut Dice) -> (Vec<Deed>, usize) {
    let (volumes, tapes) = (1 + dice.roll(5) as usize, 1 + dice.roll(4) as usize);
    let mut deeds = Vec::new();
    for _ in 0..5 + dice.roll(45) {
        let (volume, tape) = (
            dice.roll(volumes as u64) as usize,
            dice.roll(tapes as u64) as usize,
        );
        let now = |deeds: &[Deed]| state_of(deeds, volume);
        let (made, open, generation, on_disk, copied) = now(&deeds);
        let deed = match dice.roll(20) {
            _ if !made => Deed::Make(volume),
            0..=4 if !open && on_disk => Deed::Open(volume),
            0..=8 if open => Deed::Close(volume),
            5..=11 if !open && on_disk && generation > 0 => Deed::Stack(volume, tape),
            12..=13 if !open && on_disk && copied => Deed::Evict(volume),
            14..=17 => Deed::BackUp(tape),
            18 if dice.roll(3) == 0 => Deed::Erase(tape),
            _ => Deed::Wait,
        };
        deeds.push(deed);
    }
    (deeds, tapes)
}

/// Whether a volume is made, open, how often it was closed, whether its image is on the disk, and whether what is on it
/// was copied.
fn state_of(deeds: &[Deed], volume: usize) -> (bool, bool, u64, bool, bool) {
    let (mut made, mut open, mut generation, mut on_disk, mut copied) =
        (false, false, 0, false, false);
    for deed in deeds {
        match *deed {
            Deed::Make(v) if v == volume => (made, on_disk) = (true, true),
            Deed::Open(v) if v == volume => open = true,
            Deed::Close(v) if v == volume => {
                (open, copied, generation) = (false, false, generation + 1)
            }
            Deed::Stack(v, _) if v == volume => copied = true,
            Deed::Evict(v) if v == volume => on_disk = false,
            _ => {}
        }
    }
    (made, open, generation, on_disk, copied)
}

fn world(seed: u64) -> World {
    let mut dice = Dice(seed);
    let (deeds, tapes) = history(&mut dice);
    let fates: Vec<_> = (0..tapes)
        .map(|_| match dice.roll(8) {
            0..=1 => Medium::Absent,
            2 => Medium::Damaged,
            3 => Medium::Present,
            _ => Medium::Scanned,
        })
        .collect();
    let torn = (0..tapes).filter(|_| dice.roll(5) == 0).collect();
    let touched = deeds.iter().rposition(|deed| *deed != Deed::Wait);
    let last = touched.unwrap_or(0) as u64;
    World {
        event: match dice.roll(2) {
            0 => last,
            _ => deeds.len() as u64 + dice.roll(3),
        },
        deeds,
        tapes,
        fates,
        torn,
        disk_survives: dice.roll(4) == 0,
    }
}

/// A tape file: what is on it, the generation of it, and when it was written.
#[derive(Clone, Copy, Debug)]
struct OnTape {
    deed: Deed,
    generation: u64,
    at: u64,
}

impl World {
    /// When a tape began anew the last time before a moment, so often.
    fn lives(&self, tape: usize, before: usize) -> usize {
        let erased = self.deeds[..before]
            .iter()
            .filter(|deed| **deed == Deed::Erase(tape));
        erased.count()
    }

    fn identity(&self, tape: usize, before: usize) -> String {
        format!("tape-{tape}-{}", self.lives(tape, before))
    }

    /// What is on a tape after so many deeds, cut or not.
    fn files(&self, tape: usize, before: usize) -> Vec<OnTape> {
        let begin = self.deeds[..before]
            .iter()
            .rposition(|deed| *deed == Deed::Erase(tape));
        let mut files = Vec::new();
        for at in begin.unwrap_or(0)..before {
            match self.deeds[at] {
                deed @ Deed::Stack(volume, on) if on == tape => files.push(OnTape {
                    deed,
                    generation: state_of(&self.deeds[..at], volume).2,
                    at: at as u64,
                }),
                deed @ Deed::BackUp(on) if on == tape => files.push(OnTape {
                    deed,
                    generation: 0,
                    at: at as u64,
                }),
                _ => {}
            }
        }
        files
    }

    fn is_whole(&self, tape: usize, file: usize) -> bool {
        let count = self.files(tape, self.deeds.len()).len();
        !(self.torn.contains(&tape) && file + 1 == count)
    }

    /// When a generation of a volume was closed.
    fn closed_at(&self, volume: usize, generation: u64) -> u64 {
        let closes = (0..self.deeds.len()).filter(|at| self.deeds[*at] == Deed::Close(volume));
        closes
            .map(|at| at as u64)
            .nth(generation as usize - 1)
            .expect("closed so often")
    }

    /// The newest backup on what can be read.
    fn backup(&self) -> Option<usize> {
        let tapes = (0..self.tapes)
            .filter(|tape| matches!(self.fates[*tape], Medium::Present | Medium::Scanned));
        let backups = tapes.flat_map(|tape| {
            let files = self.files(tape, self.deeds.len()).into_iter().enumerate();
            let whole = files.filter(move |(at, _)| self.is_whole(tape, *at));
            whole.filter_map(|(_, file)| matches!(file.deed, Deed::BackUp(_)).then_some(file.at))
        });
        backups.max().map(|at| at as usize)
    }

    /// The catalog as it was after so many deeds.
    fn catalog(&self, before: usize) -> Vec<Known> {
        let made = (0..5).filter(|volume| state_of(&self.deeds[..before], *volume).0);
        made.map(|volume| {
            let (_, open, generation, on_disk, _) = state_of(&self.deeds[..before], volume);
            let mut copies = Vec::new();
            if on_disk {
                copies.push(Copy {
                    place: Place::Disk,
                    generation,
                    closed_ms: if generation == 0 {
                        0
                    } else {
                        self.closed_at(volume, generation)
                    },
                });
            }
            for tape in 0..self.tapes {
                for (file, on_tape) in self.files(tape, before).iter().enumerate() {
                    if matches!(on_tape.deed, Deed::Stack(of, _) if of == volume) {
                        copies.push(Copy {
                            place: Place::Stacked {
                                stacked: self.identity(tape, before),
                                file: file as u64,
                            },
                            generation: on_tape.generation,
                            closed_ms: self.closed_at(volume, on_tape.generation),
                        });
                    }
                }
            }
            Known {
                identity: identity(volume),
                label: format!("V{volume:05}").parse().expect("a label"),
                generation,
                opening: if open { Opening::Open } else { Opening::Closed },
                copies,
            }
        })
        .collect()
    }

    fn evidence(&self) -> Vec<Evidence> {
        let end = self.deeds.len();
        let mut evidence = Vec::new();
        for tape in (0..self.tapes).filter(|tape| self.fates[*tape] == Medium::Scanned) {
            for (file, on_tape) in self.files(tape, end).iter().enumerate() {
                if let Deed::Stack(volume, _) = on_tape.deed {
                    evidence.push(Evidence {
                        identity: identity(volume),
                        label: format!("V{volume:05}").parse().expect("a label"),
                        generation: on_tape.generation,
                        closed_ms: self.closed_at(volume, on_tape.generation),
                        stacked: self.identity(tape, end),
                        file: file as u64,
                        whole: self.is_whole(tape, file),
                    });
                }
            }
        }
        evidence
    }

    /// What a person finds in the directory.
    fn on_disk(&self, backup: usize) -> BTreeMap<Uuid, DiskImage> {
        let survivors =
            (0..5).filter(|volume| self.disk_survives && state_of(&self.deeds, *volume).3);
        let image = |volume: usize| {
            let since = &self.deeds[backup..];
            match since.contains(&Deed::Open(volume)) || since.contains(&Deed::Close(volume)) {
                true => DiskImage::Written,
                false => DiskImage::Unchanged,
            }
        };
        survivors
            .map(|volume| (identity(volume).0, image(volume)))
            .collect()
    }
}

fn identity(volume: usize) -> VolumeId {
    VolumeId(Uuid::from_u128(volume as u128 + 1))
}

/// What can be known of a volume, told from the history by its last sign of life that is left.
///
/// Signs are deeds that were before the backup, or that a scanned tape still shows.
fn knowable(world: &World, backup: usize, volume: usize) -> Option<Fate> {
    let end = world.deeds.len();
    let made = state_of(&world.deeds[..backup], volume).0;
    // Deeds that a scanned tape shows, as generations: whole ones can be read.
    let mut shown: Vec<(u64, bool)> = Vec::new();
    for tape in (0..world.tapes).filter(|tape| world.fates[*tape] == Medium::Scanned) {
        let files = world.files(tape, end);
        for (at, file) in files.iter().enumerate() {
            if file.deed == Deed::Stack(volume, tape) {
                shown.push((file.generation, world.is_whole(tape, at)));
            }
        }
    }
    if !made && shown.is_empty() {
        return None;
    }
    let (_, was_open, catalogued, ..) = state_of(&world.deeds[..backup], volume);
    let newest_shown = shown
        .iter()
        .map(|(generation, _)| *generation)
        .max()
        .unwrap_or(0);
    if was_open && newest_shown <= catalogued {
        return Some(Fate::LostUnclosed);
    }
    let last = newest_shown.max(catalogued);
    // What the catalog promises of tapes that nobody scanned.
    let promised = (0..world.tapes)
        .filter(|tape| world.fates[*tape] == Medium::Present)
        .filter(|tape| world.lives(*tape, backup) == world.lives(*tape, end))
        .flat_map(|tape| world.files(tape, backup))
        .filter(|file| matches!(file.deed, Deed::Stack(of, _) if of == volume))
        .map(|file| file.generation);
    let read_back = shown
        .iter()
        .filter(|(_, whole)| *whole)
        .map(|(generation, _)| *generation);
    let mut best = promised.chain(read_back).max();
    let mut silent_since = match (made, newest_shown == last && last > 0) {
        (true, false) => backup as u64,
        (true, true) => (backup as u64).max(world.closed_at(volume, last)),
        (false, _) => world.closed_at(volume, last),
    };
    let mut written_since = false;
    match (made, world.on_disk(backup).get(&identity(volume).0)) {
        (true, Some(DiskImage::Unchanged)) => {
            best = best.max(Some(catalogued));
            if last == catalogued {
                silent_since = silent_since.max(world.event);
            }
        }
        // Nobody knows what is on it: only that it is not the last that is known.
        (true, Some(DiskImage::Written)) => written_since = last == catalogued,
        (_, _) => {}
    }
    if !written_since && (last == 0 || best == Some(last)) {
        return Some(match silent_since >= world.event {
            true => Fate::Current,
            false => Fate::UnknownInterval {
                since_ms: silent_since,
            },
        });
    }
    if let Some(older) = best {
        return Some(Fate::Stale {
            date_ms: world.closed_at(volume, older),
        });
    }
    // Nothing can be read: was a place of the last one ever known?
    let in_catalog = catalogued == last
        && (state_of(&world.deeds[..backup], volume).3
            || (0..world.tapes).any(|tape| {
                let files = world.files(tape, backup);
                let mut files = files.iter();
                files.any(|f| f.deed == Deed::Stack(volume, tape) && f.generation == last)
            }));
    Some(match in_catalog {
        true => Fate::LostMedium,
        false => Fate::LostUnrecorded,
    })
}

/// The newest generation that can really be read, by the whole history. An image counts where it is known.
fn really_readable(world: &World, volume: usize, has_image: bool) -> Option<u64> {
    let end = world.deeds.len();
    let mut best = None;
    for tape in 0..world.tapes {
        if matches!(world.fates[tape], Medium::Present | Medium::Scanned) {
            for (at, file) in world.files(tape, end).iter().enumerate() {
                if file.deed == Deed::Stack(volume, tape) && world.is_whole(tape, at) {
                    best = best.max(Some(file.generation));
                }
            }
        }
    }
    let (_, _, generation, ..) = state_of(&world.deeds, volume);
    if has_image {
        best = Some(generation);
    }
    best
}

/// Nothing that the report says is untrue.
fn expect_true(world: &World, backup: usize, volume: usize, fate: Fate, seed: u64) {
    let (_, open, generation, ..) = state_of(&world.deeds, volume);
    let image = world.on_disk(backup).remove(&identity(volume).0);
    let has_image = image == Some(DiskImage::Unchanged);
    let really = really_readable(world, volume, has_image);
    let told = format!("seed {seed}, volume {volume}: {fate:?} {world:?}");
    match fate {
        Fate::Current => {
            assert!(generation == 0 || really == Some(generation), "{told}");
            assert!(!open || has_image, "{told}");
        }
        Fate::Stale { date_ms } => {
            let readable = really.expect(&told);
            // A drive that still has it has written.
            assert!(readable < generation || open, "{told}");
            assert_eq!(world.closed_at(volume, readable), date_ms, "{told}");
        }
        Fate::LostMedium | Fate::LostUnrecorded => {
            assert!(really.is_none() && (generation > 0 || open), "{told}");
        }
        Fate::UnknownInterval { since_ms } => assert!(since_ms < world.event, "{told}"),
        Fate::LostUnclosed => {}
    }
}

/// VT-12.
#[test]
fn the_report_is_what_an_oracle_says_in_thousands_of_histories() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut reports = 0;
    for seed in 0..HISTORIES {
        let world = world(seed);
        let Some(backup) = world.backup() else {
            continue;
        };
        reports += 1;
        let known = world.catalog(backup);
        let media = (0..world.tapes)
            .map(|tape| (world.identity(tape, world.deeds.len()), world.fates[tape]))
            .collect();
        let evidence = world.evidence();
        let report = loss_report(&Inquiry {
            known: &known,
            backup_ms: backup as u64,
            event_ms: world.event,
            on_disk: &world.on_disk(backup),
            media: &media,
            evidence: &evidence,
        });
        let mut found: BTreeMap<Uuid, Fate> = BTreeMap::new();
        for loss in &report.volumes {
            let twice = found.insert(loss.identity.0, loss.fate);
            assert_eq!(twice, None, "seed {seed}: {} has one fate", loss.label);
            *counts.entry(loss.fate.word()).or_default() += 1;
        }
        for volume in 0..5 {
            let fate = found.remove(&identity(volume).0);
            let expected = knowable(&world, backup, volume);
            assert_eq!(fate, expected, "seed {seed}, volume {volume}: {world:?}");
            // What nobody scanned is promised, and not seen.
            let is_all_seen = !world.fates.contains(&Medium::Present);
            if let (Some(fate), true) = (fate, is_all_seen) {
                expect_true(&world, backup, volume, fate, seed);
            }
        }
        assert!(found.is_empty(), "seed {seed}: {found:?} never were");
        let is_all_current = report.volumes.iter().all(|loss| loss.fate == Fate::Current);
        assert_eq!(report.is_all_current(), is_all_current, "seed {seed}");
    }
    println!("{reports} reports: {counts:?}");
    assert!(reports > HISTORIES / 3, "{reports}");
    assert_eq!(counts.len(), 6, "each fate was met: {counts:?}");
    assert!(counts.values().all(|count| *count > 100), "{counts:?}");
}
