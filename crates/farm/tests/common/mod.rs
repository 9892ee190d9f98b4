//! What the tests of the farm share.
#![allow(dead_code, reason = "each test uses its own part")]

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use pseudotape_farm::{Adding, Entry, Error, Keeping, Root, Title, Told, Verb, Volume, VolumeName};
use pseudotape_image::{Access, FileStore, Image, Object};

/// A folder with a root and a place for files.
pub struct Place {
    folder: tempfile::TempDir,
}

/// Where files can have extended attributes, which not every file system gives them.
fn folder() -> tempfile::TempDir {
    let places = [
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
        std::env::temp_dir(),
        "/dev/shm".into(),
    ];
    let tried = places.iter().find_map(|place| {
        let folder = tempfile::tempdir_in(place).ok()?;
        let file = File::create_new(folder.path().join("try")).ok()?;
        rustix::fs::fsetxattr(&file, "user.try", b"x", rustix::fs::XattrFlags::empty()).ok()?;
        fs::remove_file(folder.path().join("try")).ok()?;
        Some(folder)
    });
    tried.unwrap_or_else(|| panic!("none of {places:?} has extended attributes"))
}

impl Place {
    pub fn new() -> Self {
        Self::of(folder())
    }

    /// In memory, where that is a folder: for tests that commit hundreds of times, where no power fails.
    pub fn in_memory() -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        Self::of(memory.or_else(|_| tempfile::tempdir()).expect("a folder"))
    }

    fn of(folder: tempfile::TempDir) -> Self {
        fs::create_dir(folder.path().join("farm")).expect("a root");
        fs::create_dir(folder.path().join("src")).expect("a folder");
        Place { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn root(&self) -> Root {
        Root::open(&self.path("farm")).expect("a root")
    }

    /// A file to be added.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("src").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// The title that a file of `file` gets.
    pub fn title(&self, name: &str) -> Title {
        Title::of_path(&self.path("src").join(name)).expect("a title")
    }

    pub fn capsules(&self, volume: &str) -> Vec<String> {
        let names = fs::read_dir(self.path("farm").join(volume)).expect("a volume");
        let mut names: Vec<String> = names
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    /// All bytes of a volume.
    pub fn bytes(&self, volume: &str) -> Vec<(String, Vec<u8>)> {
        let names = self.capsules(volume).into_iter();
        let folder = self.path("farm").join(volume);
        names
            .map(|name| (name.clone(), fs::read(folder.join(name)).expect("a file")))
            .collect()
    }
}

pub fn name(text: &str) -> VolumeName {
    text.parse().expect("a name")
}

/// Opens a volume. A `tar` that another test starts holds the lock of this test for a moment, until it is `tar`.
pub fn opened(root: &Root, volume: &str) -> Result<Volume, Error> {
    let volume = name(volume);
    for _ in 0..200 {
        match root.open_or_create(&volume) {
            Err(Error::Busy { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
            opened => return opened,
        }
    }
    root.open_or_create(&volume)
}

/// Adds, and says what became of each file.
pub fn add(root: &Root, volume: &str, verb: Verb, paths: &[&Path]) -> Result<Vec<Told>, Error> {
    let mut told = Vec::new();
    let mut tell = |one| told.push(one);
    let mut volume = opened(root, volume)?;
    let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell);
    for path in paths {
        adding.path(path)?;
    }
    adding.finish()?;
    Ok(told)
}

pub fn entries(root: &Root, volume: &str) -> Vec<Entry> {
    root.look(&name(volume))
        .expect("a volume")
        .directory()
        .entries()
        .to_vec()
}

/// The bytes of tape file 0 of a capsule: what `tar` reads from a drive with it.
pub fn archive_of(capsule: &Path) -> Vec<u8> {
    let store = FileStore::open(capsule, Access::ReadOnly).expect("a capsule");
    let (mut image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    let mut bytes = Vec::new();
    let mut block = vec![0; 10240];
    loop {
        match image.read_object(&mut block).expect("a whole capsule") {
            Object::Block { length, copied } => {
                assert_eq!(
                    (length, copied),
                    (10240, 10240),
                    "each block is what tar reads"
                );
                bytes.extend_from_slice(&block);
            }
            Object::Filemark => return bytes,
            other => panic!("no filemark behind the archive: {other:?}"),
        }
    }
}

/// Extracts a capsule by GNU tar.
pub fn tar(capsule: &Path, into: &Path, options: &[&str]) {
    fs::create_dir_all(into).expect("a folder");
    let archive = into.with_extension("tar");
    fs::write(&archive, archive_of(capsule)).expect("an archive");
    let output = Command::new("tar")
        .env("LC_ALL", "C")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(into)
        .args(options)
        .output()
        .expect("GNU tar is there");
    assert!(output.status.success(), "{output:?}");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What two files have to have in common, as far as they can: access lists are extended attributes here.
pub fn attributes(path: &Path) -> String {
    let found = fs::symlink_metadata(path).expect("a file");
    let kind = found.file_type();
    let (mut contents, mut extended) = (format!("fifo {}", kind.is_fifo()), Vec::new());
    if kind.is_symlink() {
        contents = format!("{:?}", fs::read_link(path).expect("a link"));
    }
    if kind.is_file() {
        contents = format!("{:?}", blake3::hash(&fs::read(path).expect("a file")));
        extended = extended_of(&File::open(path).expect("a file"));
    }
    format!(
        "{:o} {}:{} {}.{} {} {contents} {extended:?}",
        found.mode(),
        found.uid(),
        found.gid(),
        found.mtime(),
        found.mtime_nsec(),
        found.len(),
    )
}

fn extended_of(file: &File) -> Vec<(String, Vec<u8>)> {
    let mut names = vec![0; 4096];
    let length = rustix::fs::flistxattr(file, &mut names[..]).expect("names");
    let mut extended = Vec::new();
    for name in names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 4096];
        let length = rustix::fs::fgetxattr(file, name, &mut value[..]).expect("a value");
        value.truncate(length);
        extended.push((String::from_utf8_lossy(name).into_owned(), value));
    }
    extended.sort();
    extended
}

/// Gives a file an extended attribute.
pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    let file = File::open(path).expect("a file");
    rustix::fs::fsetxattr(&file, name, value, rustix::fs::XattrFlags::empty())
        .expect("a file system with extended attributes");
}

pub fn set_times(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(seconds, 123_456_789);
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    File::options()
        .read(true)
        .open(path)
        .expect("a file")
        .set_times(times)
        .expect("times");
}

pub fn make_fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).expect("a FIFO");
}
