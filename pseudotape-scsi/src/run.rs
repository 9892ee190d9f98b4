//! The daemon's life: devices, drives, hosts, control socket, then wait for the end.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Error, Result};
use pseudotape_control::{DriveStatus, Readiness};
use pseudotape_dev::config::{DriveConfig, HeldConfig};
use pseudotape_dev::ends::Ends;
use pseudotape_dev::library::{Libraries, TakenLibrary, take_libraries};
use pseudotape_dev::listening::{control_in_words, listen_control, listen_for_signals};
use pseudotape_dev::run::{await_event, of_drives};
use pseudotape_dev::slave_sockets;
use pseudotape_dev::tape_drive::TapeDrive;
use pseudotape_dev::vault::Desk;
use pseudotape_human::HumanBytes;
use pseudotape_tcmu::Fabric;

use crate::changer_note::{ChangerNote, MoveInHand};
use crate::config::{Config, MAX_DRIVES};
use crate::event::Event;
use crate::fabrics;
use crate::held::{Held, held_path};
use crate::left::Left;
use crate::note::Note;
use crate::operator::{Devices, Drives};
use crate::served::{Notes, Served, note_path, noted_volume};
use crate::served_changer::{ServedChanger, changer_note_path};
use crate::system::{self, Driver};
use crate::trees::{Taken, Tree, are_there, clean, open_fabrics};

/// Who has loaded a volume, in the catalog of a vault.
const PROGRAM: &str = "pseudotape-scsi";

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Programs were done.
    Done,
    /// A program had written and was not done: its tape file has no end.
    ProgramCut,
}

/// Removes what a killed daemon has left, and says what that was.
pub fn clean_up(config: &Config) -> Result<String> {
    system::prepare(&[])?;
    let mut fabrics = config.fabrics.clone();
    if !fabrics.contains(&Fabric::Loopback) {
        fabrics.push(Fabric::Loopback);
    }
    let left = clean(&config.name, &[], &fabrics)?;
    remove_state(&config.state);
    Ok(match left {
        None => format!("nothing was left of {}", config.name),
        Some(left) => format!("removed {left} of {}", config.name),
    })
}

/// Serves until a signal asks to end; then takes the SCSI devices away, commits, and closes the images.
pub fn run(config: &Config, mut readiness: Readiness) -> Result<Ended> {
    let (events, happened) = channel();
    let ends = Ends::default();
    listen_for_signals(events.clone(), Event::Signal, ends.clone())?;
    system::prepare(&config.fabrics)?;
    make_state(&config.state)?;
    let desk = config.vault.as_deref();
    let desk = desk.map(|folder| Desk::open(folder, PROGRAM)).transpose()?;
    let desk = desk.map(Arc::new);
    let daemon = Daemon {
        config,
        desk: desk.as_ref(),
        asked_to_end: &ends.once,
        events: &events,
    };
    let mut devices = Devices::default();
    let started = start(&daemon, &mut devices);
    let tapes: Vec<_> = devices
        .drives
        .iter()
        .map(|(_, served)| Arc::clone(served.drive()))
        .collect();
    let operator = Arc::new(Drives {
        devices,
        desk,
        lent: config.control.lent.clone(),
    });
    let serving = started
        .and_then(|()| open_fabrics(&config.fabrics))
        .and_then(|()| slave_sockets(&tapes))
        .and_then(|slaves| Ok((slaves, listen_control(&config.control, &operator)?)))
        .and_then(|sockets| announce(config, &operator).map(|()| sockets));
    let has_started = serving.is_ok();
    let reason = match serving {
        Err(error) => Err(error),
        Ok(sockets) => {
            readiness.announce();
            let event = await_event(&happened, &tapes)?;
            drop(sockets);
            match event {
                Event::Signal(signal) => {
                    log::info!("ends: signal {signal}");
                    Ok(())
                }
                Event::RingEnded(why) => Err(anyhow::anyhow!("{why}")),
            }
        }
    };
    ends.once.store(true, Ordering::SeqCst);
    let ended = end(&operator, &ends, has_started);
    if let Some(desk) = &operator.desk {
        desk.settle();
    }
    // What a start that failed has not touched waits for the next one.
    if ended.is_ok() && !are_there(&config.name)? {
        remove_state(&config.state);
    }
    reason.and(ended)
}

/// What the devices of this daemon are made with.
struct Daemon<'a> {
    config: &'a Config,
    desk: Option<&'a Arc<Desk>>,
    asked_to_end: &'a Arc<AtomicBool>,
    events: &'a Sender<Event>,
}

/// Takes the devices first: only one daemon can have them, and with them its images.
fn start(daemon: &Daemon<'_>, devices: &mut Devices) -> Result<()> {
    let config = daemon.config;
    let libraries = take_libraries(&config.libraries, config.drives.len(), MAX_DRIVES)?;
    let mut taken = VecDeque::new();
    for tree in trees(config, &libraries) {
        match tree.take(config) {
            Ok(device) => taken.push_back(device),
            Err(error) => {
                give_back(taken);
                return Err(error);
            }
        }
    }
    let started = clean_and_serve(daemon, libraries, &mut taken, devices);
    give_back(taken);
    started
}

/// The devices in their order: the drives by their numbers, then the changers.
fn trees(config: &Config, libraries: &[TakenLibrary]) -> Vec<Tree> {
    let (owner, fabrics) = (&config.name, &config.fabrics);
    let drives = (0..)
        .zip(&config.drives)
        .map(|(number, _)| Tree::drive(owner, number, fabrics));
    let of_libraries = libraries.iter().enumerate().flat_map(|(library, taken)| {
        let units = taken.numbers().zip(1..);
        units.map(move |(number, unit)| Tree::library_drive(owner, number, library, unit, fabrics))
    });
    let changers = (0..libraries.len() + config.changers.len())
        .map(|number| Tree::changer(owner, number, fabrics));
    drives.chain(of_libraries).chain(changers).collect()
}

/// Serves what was taken; leaves there what nothing was done with.
fn clean_and_serve(
    daemon: &Daemon<'_>,
    libraries: Vec<TakenLibrary>,
    taken: &mut VecDeque<Taken>,
    devices: &mut Devices,
) -> Result<()> {
    let config = daemon.config;
    let names: Vec<&str> = taken.iter().map(|t| t.tree.backstore.name()).collect();
    if let Some(left) = clean(&config.name, &names, &[Fabric::Loopback])? {
        log::info!("removed {left} of an earlier run");
    }
    for (number, drive) in (0..).zip(&config.drives) {
        serve_one(taken, devices, |taken_one| {
            serve(daemon, number, drive, taken_one)
        })
        .with_context(|| format!("drive {number}"))?;
    }
    let mut own = Vec::new();
    for library in libraries {
        let drives = library.make_drives(|number, drive| daemon.make_drive(number, drive))?;
        own.push(library.start(drives)?);
    }
    devices.libraries = Libraries::new(own, &config.changers);
    let own: Vec<_> = devices.libraries.own().to_vec();
    for drive in own.iter().flat_map(|library| library.drives()) {
        let number = drive.number();
        let is_whose = devices
            .libraries
            .of_drive(number)
            .map(|library| library.name());
        let is_whose = Held::named(format!(
            "a drive of the library {}",
            is_whose.unwrap_or_default()
        ));
        serve_one(taken, devices, |mut taken_one| {
            let left = Left::of_drive(&config.state, number, &mut taken_one, is_whose)?;
            serve_drive(daemon, Arc::clone(drive), taken_one, left)
        })
        .with_context(|| format!("drive {number}"))?;
    }
    let changers: Vec<_> = devices.libraries.changers().named().collect();
    for (number, (name, owner)) in changers.into_iter().enumerate() {
        let is_whose = changer_held(config, number);
        let path = changer_note_path(&config.state, number);
        serve_one(taken, devices, |mut taken_one| {
            let forget = || {
                ChangerNote::open(&path)?.set(MoveInHand::Nothing);
                Ok(())
            };
            let left = Left::by(&path, &mut taken_one, is_whose, forget)?;
            let Taken { tree, device } = taken_one;
            let events = daemon.events.clone();
            let is_strange = tree.was_there && !left.is_same;
            ServedChanger::start(name.clone(), owner, device, &path, is_strange, events)
        })
        .with_context(|| format!("changer {name}"))?;
    }
    show(devices)
}

/// Which changer has this number: a library of this daemon, or one of elsewhere.
fn changer_held(config: &Config, number: usize) -> Held {
    let libraries = config.libraries.iter();
    let libraries = libraries.map(|library| library.folder.display().to_string());
    let changers = config.changers.iter().map(ToString::to_string);
    Held::named(libraries.chain(changers).nth(number).unwrap_or_default())
}

/// Serves the next device, which the kernel does not have before [`show`].
fn serve_one<S>(
    taken: &mut VecDeque<Taken>,
    devices: &mut Devices,
    serve: impl FnOnce(Taken) -> Result<S>,
) -> Result<()>
where
    Devices: Extend<(Tree, S)>,
{
    let next = taken.pop_front().context("no device is left")?;
    let tree = next.tree.clone();
    match serve(next) {
        Ok(served) => {
            devices.extend([(tree, served)]);
            Ok(())
        }
        Err(error) => {
            // What waits in the ring of an earlier run can still be done by the next one.
            if !tree.was_there
                && let Err(error) = tree.remove()
            {
                log::warn!("{error:#}");
            }
            Err(error)
        }
    }
}

/// Lets the kernel have all devices, since each is served. What an earlier daemon had in other places leaves these
/// first: with another configuration one's place can be another's.
fn show(devices: &Devices) -> Result<()> {
    let drives = devices.drives.iter().map(|(tree, _)| tree);
    let changers = devices.changers.iter().map(|(tree, _)| tree);
    let trees: Vec<_> = drives.chain(changers).collect();
    let told = |tree: &Tree, done: Result<()>| done.with_context(|| tree.name().to_owned());
    for tree in &trees {
        told(tree, tree.leave_old_places())?;
    }
    for tree in &trees {
        told(tree, tree.show())?;
    }
    Ok(())
}

/// Removes devices that nothing was done with. Those of an earlier run stay for the next one.
fn give_back(taken: impl IntoIterator<Item = Taken>) {
    for Taken { tree, device } in taken {
        drop(device);
        if !tree.was_there
            && let Err(error) = tree.remove()
        {
            log::warn!("{error:#}");
        }
    }
}

impl Daemon<'_> {
    fn make_drive(&self, number: u32, drive: &DriveConfig) -> Result<TapeDrive> {
        let ends = Arc::clone(self.asked_to_end);
        TapeDrive::with_vault(number, drive, ends, of_drives(self.desk))
    }
}

fn serve(
    daemon: &Daemon<'_>,
    number: u32,
    drive: &DriveConfig,
    mut taken: Taken,
) -> Result<Served> {
    let left = Left::of_drive(
        &daemon.config.state,
        number,
        &mut taken,
        Held::of_drive(drive),
    )?;
    let (note, is_found) = note_of(daemon.config, number)?;
    let mut drive = drive.clone();
    if left.is_same && is_found {
        left.held.put_into(&mut drive)?;
        if let HeldConfig::Image(image) = &mut drive.held {
            // An operator may have put in another one since.
            image.image = noted_volume(&note).map(PathBuf::from);
        }
    }
    let drive = daemon.make_drive(number, &drive)?;
    serve_drive(daemon, Arc::new(drive), taken, left)
}

/// Serves a drive that holds what it has to.
fn serve_drive(
    daemon: &Daemon<'_>,
    drive: Arc<TapeDrive>,
    taken: Taken,
    left: Left,
) -> Result<Served> {
    let number = drive.number();
    let (note, is_found) = note_of(daemon.config, number)?;
    let Left {
        is_same,
        held,
        note: held_note,
    } = left;
    if is_same {
        log::info!("drive {number}: goes on where a daemon that was killed has stopped");
    }
    let notes = Notes {
        note,
        held,
        held_note,
    };
    let events = daemon.events.clone();
    Served::start(drive, taken.device, is_same && is_found, notes, events)
}

/// The note of a drive, and whether there is anything in it.
fn note_of(config: &Config, number: u32) -> Result<(Note, bool)> {
    let path = note_path(&config.state, number);
    Note::open(&path).with_context(|| format!("{}", path.display()))
}

fn make_state(state: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(state);
    made.with_context(|| format!("can't make {}", state.display()))
}

/// Only what this daemon has put there.
fn remove_state(state: &Path) {
    let drives = (0..)
        .take(MAX_DRIVES)
        .map(|number| note_path(state, number));
    let changers = (0..MAX_DRIVES).map(|number| changer_note_path(state, number));
    for note in drives.chain(changers) {
        // Most are not there.
        drop(fs::remove_file(held_path(&note)));
        drop(fs::remove_file(note));
    }
    if let Err(error) = fs::remove_dir(state) {
        log::debug!("{}: {error}", state.display());
    }
}

/// Takes the SCSI devices away while they are still served, then closes the volumes. A failure stops none of these
/// steps; the first one is told. Where the daemon has not started, what an earlier one has made stays for the next one:
/// programs wait for it.
fn end(operator: &Arc<Drives>, ends: &Ends, has_started: bool) -> Result<Ended> {
    let stays = move |tree: &Tree| tree.was_there && !has_started;
    let mut result = Ok(Ended::Done);
    let Devices {
        drives,
        changers,
        libraries,
    } = &operator.devices;
    // A move in hand goes on to its end.
    libraries.settle();
    for (tree, served) in changers {
        let steps = match stays(tree) {
            true => vec![served.stop()],
            false => vec![tree.hide(), served.stop(), tree.remove()],
        };
        for step in steps {
            if let Err(error) = step {
                let name = served.name();
                log::error!("changer {name}: {error:#}");
                result = result.and(Err(error.context(format!("changer {name}"))));
            }
        }
    }
    // Beside each other: one that is waited for keeps no other from its end. But drives can share a target, and the
    // kernel's tree is changed by one at a time.
    let tree_lock = Arc::new(Mutex::new(()));
    let ended: Vec<_> = std::thread::scope(|scope| {
        let threads = drives.iter().enumerate().map(|(place, (_, served))| {
            let (operator, tree_lock) = (Arc::clone(operator), Arc::clone(&tree_lock));
            let end = move || {
                let served = operator.devices.drives.get(place);
                served.map(|(tree, served)| end_drive(tree, served, &tree_lock, stays(tree)))
            };
            scope.spawn(move || served.drive().within_end_wait(ends, end))
        });
        let threads: Vec<_> = threads.collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.collect()
    });
    for ((_, served), ended) in drives.iter().zip(ended) {
        let number = served.drive().number();
        let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (steps, is_cut) = match ended {
            Ok(ended) => ended.unwrap_or_default(),
            // It has told what it left. Its device stays as after a kill: to take it away would wait for its command.
            Err(error) => {
                result = result.and(Err(Error::new(error).context(format!("drive {number}"))));
                continue;
            }
        };
        if is_cut {
            log::error!(
                "drive {number}: a program had written and was not done: its tape file has no filemark at its end, and \
                 whatever the program had still to write is not on the tape"
            );
            result = result.map(|_| Ended::ProgramCut);
        }
        for error in steps {
            log::error!("drive {number}: {error:#}");
            result = result.and(Err(error.context(format!("drive {number}"))));
        }
    }
    result
}

/// Takes the SCSI device of a drive away unless it stays, and closes its volume. Says what failed, and whether a
/// program was not done.
fn end_drive(
    tree: &Tree,
    served: &Served,
    tree_lock: &Mutex<()>,
    stays: bool,
) -> (Vec<Error>, bool) {
    let drive = served.drive();
    // What ends meets no fault, and waits for none.
    drive.end_faults();
    if stays {
        let steps = [served.leave(), drive.end().map(drop)];
        return (steps.into_iter().filter_map(Result::err).collect(), false);
    }
    // The kernel waits for the command in hand before it takes a device away, and nothing wakes it. So legs are closed
    // first, which is given up when they do nothing; commands that come later are told that the drive is not ready.
    let legs = drive.is_mirror().then(|| drive.end());
    let changes = tree_lock.lock().unwrap_or_else(PoisonError::into_inner);
    let hidden = drive.while_parting(|| tree.hide());
    let stopped = served.stop();
    let removed = tree.remove();
    drop(changes);
    let closed = legs.unwrap_or_else(|| drive.end());
    let is_cut = matches!(stopped, Ok(true));
    let steps = [hidden, stopped.map(drop), removed, closed.map(drop)];
    (steps.into_iter().filter_map(Result::err).collect(), is_cut)
}

/// Where the slave of a drive comes to, and its legs; a line each.
fn what_is_behind(status: &DriveStatus) -> String {
    let number = status.drive;
    let slave = status.slave.iter().map(|slave| {
        let socket = slave.socket.display();
        format!("drive {number}: its slave comes to {socket}\n")
    });
    let legs = status.mirror.iter().flat_map(|mirror| &mirror.legs);
    let legs = legs.map(|leg| {
        let sink = leg.sink.as_deref().unwrap_or("nothing in it yet");
        format!("drive {number}: leg {}: {sink}\n", leg.name)
    });
    slave.chain(legs).collect()
}

/// What serves, and where other hosts and guests find it.
fn frontend(fabrics: &[Fabric]) -> String {
    let modules = fabrics.iter().map(|fabric| fabric.kind().module());
    let modules: Vec<_> = ["target_core_user"].into_iter().chain(modules).collect();
    let whose = match fabrics.contains(&Fabric::Loopback) {
        true => "scsi, devices of this machine",
        false => "scsi",
    };
    let mut text = format!("frontend: {whose} ({})\n", modules.join(", "));
    for fabric in fabrics {
        if let Some(line) = fabrics::in_words(fabric) {
            text.push_str(&format!("{line}\n"));
        }
        if let Fabric::Iscsi(iscsi) = fabric
            && let Some(warning) = fabrics::exposure(iscsi)
        {
            log::warn!("{warning}");
        }
    }
    text
}

/// Prints where the drives are.
fn announce(config: &Config, operator: &Drives) -> Result<()> {
    let mut text = frontend(&config.fabrics);
    for (tree, served) in &operator.devices.drives {
        let places = tree.places(Driver::St)?;
        let status = operator.status(tree, served);
        write!(text, "drive {}: {}", status.drive, places.join(" "))?;
        match (&status.medium, &status.capacity) {
            (Some(medium), Some(capacity)) => {
                write!(text, ", {}", medium.image.display())?;
                write!(text, ", {} used", HumanBytes(capacity.used_bytes))?;
                if let Some(left) = capacity.left_bytes.map(HumanBytes) {
                    write!(text, ", {left} left")?;
                }
                match &medium.read_only {
                    Some(why) => write!(text, ", read only ({why})")?,
                    None if medium.write_protected => text.push_str(", write protected"),
                    None => {}
                }
            }
            (Some(medium), None) => write!(text, ", {}", medium.image.display())?,
            _ if status.slave.is_some() || status.mirror.is_some() => {}
            (None, _) => text.push_str(", no cartridge"),
        }
        text.push('\n');
        text.push_str(&what_is_behind(&status));
    }
    if let Some(desk) = &operator.desk {
        let (vault, troubles) = desk.greeting();
        writeln!(text, "vault: {vault}")?;
        for trouble in troubles {
            log::warn!("vault: {trouble}");
        }
    }
    for (tree, served) in &operator.devices.changers {
        writeln!(text, "{}", operator.changer_in_words(tree, served)?)?;
    }
    writeln!(text, "{}", control_in_words(&config.control)?)?;
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        log::warn!("can't print where the drives are: {error}");
    }
    Ok(())
}
