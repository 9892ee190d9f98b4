//! A farm, a link between two threads whose bytes can be meddled with, and a client.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pseudotape_farm::{Existing, Extracted, Root, Title, Told, VolumeName};
use pseudotape_farm_net::{
    AccessList, AddOrder, Client, Commands, Error, HEADER_BYTES, Hook, How, Link, Pipe, Served,
    serve,
};
use tempfile::TempDir;

use crate::shared::{make_tree, order, whole};

/// What is done to the bytes of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    Nothing,
    /// Nothing comes from this byte on.
    Cut(usize),
    /// The lowest bit of this byte is another one.
    Flip(usize),
}

/// A way out that counts the bytes and meddles with them.
pub struct Meddler {
    to: Pipe,
    seen: Arc<Mutex<Vec<u8>>>,
    meddling: Meddling,
}

impl Write for Meddler {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let before = self.seen.lock().unwrap().len();
        let mut sent = bytes.to_vec();
        match self.meddling {
            Meddling::Cut(at) if at < before + bytes.len() => {
                sent.truncate(at.saturating_sub(before));
                self.to.write_all(&sent)?;
                // The way is shut with the last byte.
                self.to.shut()?;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Meddling::Flip(at) if (before..before + bytes.len()).contains(&at) => {
                sent[at - before] ^= 1;
            }
            _ => {}
        }
        self.to.write_all(&sent)?;
        self.seen.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct Farm {
    pub folder: TempDir,
    /// Each host has volumes of its own.
    pub privately: bool,
    /// What clients may have run.
    pub commands: Option<Commands>,
    /// Who hears of what they store.
    pub hook: Option<Arc<dyn Hook>>,
}

/// In memory, where there is such a folder: hundreds of farms are made, and each file of them is committed.
pub fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    match memory.is_dir() {
        true => memory,
        false => std::env::temp_dir(),
    }
}

/// The bytes that went each way.
#[derive(Clone, Default)]
pub struct Ways {
    pub to_server: Arc<Mutex<Vec<u8>>>,
    pub to_client: Arc<Mutex<Vec<u8>>>,
}

pub type Serving = JoinHandle<Result<(), Error>>;

impl Farm {
    pub fn new() -> Self {
        let farm = Farm {
            folder: tempfile::tempdir_in(memory()).unwrap(),
            privately: false,
            commands: None,
            hook: None,
        };
        fs::create_dir(farm.root()).unwrap();
        let person = "ada@depot".parse().unwrap();
        AccessList::change(&farm.root(), |access| access.add(person)).unwrap();
        let tree = farm.path("tree");
        make_tree(&tree);
        fs::write(tree.join("sub/empty"), b"").unwrap();
        std::os::unix::fs::symlink("one", tree.join("link")).unwrap();
        fs::set_permissions(tree.join("one"), fs::Permissions::from_mode(0o640)).unwrap();
        farm
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn root(&self) -> PathBuf {
        self.path("root")
    }

    pub fn local(&self) -> Root {
        Root::open(&self.root()).unwrap()
    }

    pub fn try_reach(
        &self,
        person: &str,
        root: &str,
        ways: &Ways,
        (to_server, to_client): (Meddling, Meddling),
    ) -> (Result<Client, Error>, Serving) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let served = Served {
            roots: vec![self.root()],
            privately: self.privately,
            commands: self.commands.clone(),
            hook: self.hook.clone(),
            way: "test".into(),
            person: person.parse().unwrap(),
        };
        let link = |end: UnixStream, seen: &Arc<Mutex<Vec<u8>>>, meddling| {
            let read = Pipe::new(end).unwrap();
            let to = read.sender().unwrap();
            let seen = Arc::clone(seen);
            (read, Meddler { to, seen, meddling })
        };
        let watched = theirs.try_clone().unwrap();
        let (read, write) = link(theirs, &ways.to_client, to_client);
        let link_there = Link::watching(read, write, watched);
        let serving = std::thread::spawn(move || serve(link_there, &served));
        let (read, write) = link(ours, &ways.to_server, to_server);
        let client = Client::over(Link::new(read, write), "here", root, |_| {});
        (client, serving)
    }

    pub fn reach(&self) -> (Client, Serving) {
        let no = (Meddling::Nothing, Meddling::Nothing);
        let (client, serving) = self.try_reach("ada@depot", "", &Ways::default(), no);
        (client.unwrap(), serving)
    }

    pub fn order(&self, how: How) -> AddOrder {
        order("V", how, &self.path("tree"))
    }

    pub fn add(&self, how: How) -> Result<Vec<String>, Error> {
        let (client, serving) = self.reach();
        let mut told = Vec::new();
        let added = client.add(self.order(how), &mut |what| told.push(words(&what)));
        drop(serving.join().unwrap());
        added.map(|()| told)
    }

    /// Everything in the volume is whole and as it is in the tree, and nothing half is beside it. How many files there
    /// are.
    pub fn check(&self) -> usize {
        let folder = self.root().join("V");
        if !folder.exists() {
            return 0;
        }
        let names = fs::read_dir(&folder).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name()) {
            let name = name.to_str().unwrap().to_owned();
            assert!(!name.ends_with(".tmp"), "{name} is left");
        }
        let entries = whole(&self.root(), "V");
        let volume = self.local().look(&name("V")).unwrap();
        let out = tempfile::tempdir().unwrap();
        for entry in &entries {
            let done = pseudotape_farm::extract(&volume, entry, out.path(), Existing::Kept);
            assert!(matches!(done, Extracted::Done(_)), "{done:?}");
            let path = entry.title.path();
            let inside = path.strip_prefix(self.path("tree").strip_prefix("/").unwrap());
            let source = self.path("tree").join(inside.unwrap());
            same(&source, &out.path().join(&path));
        }
        entries.len()
    }
}

pub fn same(one: &Path, other: &Path) {
    let kind = fs::symlink_metadata(one).unwrap().file_type();
    assert_eq!(kind, fs::symlink_metadata(other).unwrap().file_type());
    match kind.is_symlink() {
        true => assert_eq!(fs::read_link(one).unwrap(), fs::read_link(other).unwrap()),
        false => assert!(
            fs::read(one).unwrap() == fs::read(other).unwrap(),
            "{one:?}"
        ),
    }
}

pub fn name(text: &str) -> VolumeName {
    text.parse().unwrap()
}

pub fn words(told: &Told) -> String {
    match told {
        Told::Added(entry) => format!("added {}", last(&entry.title)),
        Told::Replaced(entry) => format!("replaced {}", last(&entry.title)),
        Told::Present(title) => format!("present {}", last(title)),
        Told::NotBetter(title) => format!("not better {}", last(title)),
        Told::LeftOut(left_out) => format!("left out: {}", left_out.why),
        other => format!("{other:?}"),
    }
}

pub fn last(title: &Title) -> String {
    let path = title.path();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Where each packet begins, and where they end.
pub fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut all = vec![0];
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 12..at + 16].try_into().unwrap());
        at += HEADER_BYTES + length as usize;
        all.push(at);
    }
    all
}

pub fn out_of(command: &mut std::process::Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}
