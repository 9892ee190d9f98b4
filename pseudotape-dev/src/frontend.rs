//! Chooses the frontend, CUSE or FUSE, and makes the nodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pseudotape_chardev::{CharDevice, Reach};
use pseudotape_control::{FILE_NODE_LIMITS, SocketGroup, can_give, find_group, named_group};
use pseudotape_cuse::{IoctlMode, NodeOptions};

use crate::changer_node::ChangerNode;
use crate::config::{self, Config, Group, Modes};
use crate::event::Event;
use crate::fuse::{self, MountOptions, Mounted};
use crate::library::Changers;
use crate::slave_end::SlaveSocket;
use crate::slave_node::SlaveNode;
use crate::tape_drive::TapeDrive;
use crate::tape_node::TapeNode;

/// How long the other nodes may take to go where a call in hand does not end.
const ABANDON_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The nodes of all drives, being served.
pub struct Frontend {
    serving: Serving,
    /// The other way to the slave ends.
    sockets: Vec<SlaveSocket>,
    /// Why this frontend was chosen.
    reason: String,
}

enum Serving {
    Cuse(Vec<pseudotape_cuse::CuseNode>),
    Fuse(Mounted, PathBuf),
}

/// The frontend that is going to serve, before anything is made.
enum Choice {
    Cuse,
    Fuse(PathBuf),
}

/// Makes the nodes of all drives, as configured or as the machine allows.
pub fn start(
    config: &Config,
    drives: &[Arc<TapeDrive>],
    changers: &Changers,
    events: &Sender<Event>,
) -> Result<Frontend> {
    let (choice, reason) = choose(&config.frontend)?;
    warn_of_unknown_lengths();
    let gid = group_id(&config.group)?;
    let nodes = nodes_of(config, drives, &choice);
    let apart = slave_nodes(drives);
    let serving = match choice {
        Choice::Cuse => {
            tell_nodes(config, drives, Path::new("/dev"));
            let nodes = nodes.into_iter().chain(changer_nodes(changers));
            let made = nodes.map(|(name, device)| {
                let ioctls = match apart.contains_key(&name) {
                    true => IoctlMode::Restricted,
                    // SG_IO points to a command, its data and a place for sense data.
                    false => IoctlMode::Unrestricted,
                };
                let (mode, gid) = apart.get(&name).copied().unwrap_or((config.node_mode, gid));
                pseudotape_cuse::CuseNode::create(
                    NodeOptions {
                        name,
                        mode,
                        gid,
                        ioctls,
                    },
                    device,
                    tell_end(events),
                )
            });
            Serving::Cuse(made.collect::<Result<_, _>>()?)
        }
        Choice::Fuse(directory) => {
            tell_nodes(config, drives, &directory);
            let options = MountOptions {
                mode: config.node_mode,
                gid,
                drives: drives.len(),
                apart,
                uring: config.uring,
            };
            let mounted = fuse::mount(&directory, nodes, options, tell_end(events))?;
            Serving::Fuse(mounted, directory)
        }
    };
    let sockets = slave_sockets(drives);
    let frontend = Frontend {
        serving,
        sockets: Vec::new(),
        reason,
    };
    match sockets {
        Ok(sockets) => Ok(Frontend {
            sockets,
            ..frontend
        }),
        Err(error) => {
            if let Err(stop) = frontend.stop() {
                log::warn!("{stop:#}");
            }
            Err(error)
        }
    }
}

impl Frontend {
    /// `cuse` or `fuse`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.serving {
            Serving::Cuse(_) => "cuse",
            Serving::Fuse(..) => "fuse",
        }
    }

    /// The nodes of changers, by their numbers.
    #[must_use]
    pub fn changer_nodes(&self, changers: &Changers) -> Vec<PathBuf> {
        match self.serving {
            Serving::Cuse(_) => {
                let names = (0..).zip(changers.owners());
                let nodes = names.map(|(number, _)| Path::new("/dev").join(changer_node(number)));
                nodes.collect()
            }
            Serving::Fuse(..) => Vec::new(),
        }
    }

    /// For a person: which frontend serves and why, and to which programs its nodes are no tapes.
    #[must_use]
    pub fn description(&self) -> String {
        match &self.serving {
            Serving::Cuse(_) => format!(
                "frontend: cuse, character devices in /dev ({})",
                self.reason
            ),
            Serving::Fuse(mounted, directory) => {
                let programs: Vec<_> = FILE_NODE_LIMITS.iter().map(|limit| limit.program).collect();
                format!(
                    "frontend: fuse, files in {}, by {} ({})\n\
                     a file is no device to {}: see 'pseudotape doctor'",
                    directory.display(),
                    mounted.way(),
                    self.reason,
                    programs.join(", ")
                )
            }
        }
    }

    /// Lets no more slaves come by the sockets.
    pub fn close_sockets(&mut self) {
        self.sockets.clear();
    }

    /// What closes the files of a drive that programs have closed already, as far as the kernel has not said so yet.
    pub fn settling(&self, drive: &TapeDrive) -> Box<dyn FnOnce() + Send> {
        match &self.serving {
            // Here a close(2) returns only after the daemon has answered, so nothing is on its way.
            Serving::Cuse(_) => Box::new(|| {}),
            Serving::Fuse(mounted, _) => {
                let nodes = drive.nodes(Modes::All).into_iter();
                Box::new(mounted.settling(nodes.map(|(name, _)| name).collect()))
            }
        }
    }

    /// Removes the nodes, after the calls in hand.
    pub fn stop(self) -> Result<()> {
        match self.serving {
            Serving::Cuse(nodes) => {
                nodes.iter().for_each(pseudotape_cuse::CuseNode::stop);
                let mut result = Ok(());
                for node in nodes {
                    result = result.and(node.join().map_err(Into::into));
                }
                result
            }
            Serving::Fuse(mounted, directory) => mounted
                .unmount()
                .with_context(|| format!("can't unmount {}", directory.display())),
        }
    }

    /// The same for a daemon that ends with a call in hand that does not.
    pub fn abandon(self) -> Result<()> {
        match self.serving {
            Serving::Cuse(nodes) => {
                nodes.iter().for_each(pseudotape_cuse::CuseNode::stop);
                abandon(nodes);
                Ok(())
            }
            Serving::Fuse(mounted, directory) => mounted
                .abandon()
                .with_context(|| format!("can't unmount {}", directory.display())),
        }
    }
}

/// Waits until the nodes are gone that can go: one with a call in hand that does not end goes with the process.
fn abandon(nodes: Vec<pseudotape_cuse::CuseNode>) {
    let since = Instant::now();
    while nodes.iter().any(|node| !node.has_ended()) && since.elapsed() < ABANDON_MAX {
        std::thread::sleep(LOOK_EVERY);
    }
    std::mem::forget(nodes);
}

/// Warns of calls that are not exact where `/proc` does not show the callers' tasks.
fn warn_of_unknown_lengths() {
    let reach = Reach::of_this_process();
    if reach.suffices(nix::unistd::geteuid().as_raw()) {
        log::info!("the length of a read or write {reach}");
        return;
    }
    log::warn!(
        "the length of a read or write {reach}. A read of 128 KiB or more (--fuse: 1 MiB) that is shorter than its \
         block then gets no ENOMEM: it gets the block's beginning, and the call after it fails with EIO. To mend it, {}",
        reach.advice()
    );
}

/// The function that a frontend calls when it ends without being asked to.
fn tell_end(events: &Sender<Event>) -> impl FnOnce(String) + Send + 'static {
    let events = events.clone();
    move |why| {
        // Nobody listens any more once the daemon ends by itself.
        if events.send(Event::FrontendEnded(why)).is_err() {
            log::debug!("the frontend ended after the daemon");
        }
    }
}

fn choose(wish: &config::Frontend) -> Result<(Choice, String)> {
    match wish {
        config::Frontend::Cuse => Ok((Choice::Cuse, "as asked".into())),
        config::Frontend::Fuse(directory) => {
            Ok((Choice::Fuse(directory.clone()), "as asked".into()))
        }
        config::Frontend::Auto(_) if pseudotape_cuse::is_available() => {
            Ok((Choice::Cuse, "this machine has /dev/cuse".into()))
        }
        config::Frontend::Auto(Some(directory)) => Ok((
            Choice::Fuse(directory.clone()),
            "this machine has no /dev/cuse".into(),
        )),
        config::Frontend::Auto(None) => bail!(
            "/dev/cuse not found: try 'modprobe cuse', or --fuse DIR for the same nodes as files in a directory"
        ),
    }
}

/// The group of the nodes. Warns where the usual group can't be given.
fn group_id(group: &Group) -> Result<Option<u32>> {
    if let (Group::Default, Some(gid)) = (group, find_group(group.name())?)
        && let Err(why) = can_give(gid)
    {
        log::warn!(
            "the nodes and the control socket have this daemon's own group: group {} can't be theirs ({why})",
            group.name()
        );
    }
    Ok(match socket_group(group, "--group")? {
        SocketGroup::Needed(gid) | SocketGroup::Wanted(gid) => Some(gid),
        SocketGroup::Own => None,
    })
}

/// The group of a socket. Where no group was named, and the default one does not exist or can't be given away, the
/// socket has the daemon's own.
pub fn socket_group(group: &Group, option: &'static str) -> Result<SocketGroup> {
    Ok(match group {
        Group::Named(name) => named_group(name, option)?,
        Group::Default => find_group(group.name())?
            .filter(|gid| can_give(*gid).is_ok())
            .map_or(SocketGroup::Own, SocketGroup::Wanted),
    })
}

/// Listens for the slaves of each drive that has a slave end.
pub fn slave_sockets(drives: &[Arc<TapeDrive>]) -> Result<Vec<SlaveSocket>> {
    let sides = drives.iter().filter_map(|drive| drive.slave_side());
    sides.map(SlaveSocket::start).collect()
}

/// Permissions and groups of the nodes of slave ends, by their names.
fn slave_nodes(drives: &[Arc<TapeDrive>]) -> BTreeMap<String, (u32, Option<u32>)> {
    let sides = drives.iter().filter_map(|drive| drive.slave_side());
    sides
        .map(|side| (side.node_name(), side.rights()))
        .collect()
}

/// The name of a changer's node.
fn changer_node(number: u32) -> String {
    format!("pmch{number}")
}

/// The nodes of changers: `pmch0` and so on. Only CUSE can carry the requests that programs send to a changer.
fn changer_nodes(changers: &Changers) -> impl Iterator<Item = (String, Arc<dyn CharDevice>)> {
    (0..).zip(changers.owners()).map(|(number, changer)| {
        let name = changer_node(number);
        let node = ChangerNode::new(name.clone(), number, Arc::clone(changer));
        let node: Arc<dyn CharDevice> = Arc::new(node);
        (name, node)
    })
}

fn nodes_of(
    config: &Config,
    drives: &[Arc<TapeDrive>],
    choice: &Choice,
) -> Vec<(String, Arc<dyn CharDevice>)> {
    let mut nodes: Vec<(String, Arc<dyn CharDevice>)> = Vec::new();
    for drive in drives {
        for (name, node) in drive.nodes(config.modes) {
            let device = TapeNode::new(Arc::clone(drive), name.clone(), node, config.open_wait);
            let device = match choice {
                Choice::Cuse => device.with_commands(),
                Choice::Fuse(_) => device,
            };
            nodes.push((name, Arc::new(device)));
        }
        if let Some(side) = drive.slave_side() {
            let name = side.node_name();
            let device = SlaveNode::new(name.clone(), Arc::clone(side));
            nodes.push((name, Arc::new(device)));
        }
    }
    nodes
}

fn tell_nodes(config: &Config, drives: &[Arc<TapeDrive>], directory: &Path) {
    for drive in drives {
        let names = drive.nodes(config.modes).into_iter();
        drive.set_nodes(names.map(|(name, _)| directory.join(name)).collect());
        if let Some(side) = drive.slave_side() {
            side.set_node(directory.join(side.node_name()));
        }
    }
}
