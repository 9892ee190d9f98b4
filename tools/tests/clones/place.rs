//! A vault with a volume that is to be cloned, and what is done to its tapes.

use std::fs;
use std::os::unix::fs::FileExt;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::Mark;
use serde_json::Value;

/// Held while the command is started and while an image is written: until its exec is over a child has a copy of every
/// descriptor, and with it of the lock on an image that another test closes just then.
pub(crate) static START_OR_CLOSE: Mutex<()> = Mutex::new(());

pub(crate) const BLOCK: usize = 700;
pub(crate) const BLOCKS: u32 = 4;

pub(crate) fn block(file: u32, number: u32) -> Vec<u8> {
    let words =
        (0..BLOCK as u32 / 4).map(|word| (file * 7_001 + number * 1_013 + word * 3).to_le_bytes());
    words.flatten().collect()
}

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// A vault in `v` with MON001, which has so many tape files, and the blank MON002.
    pub(crate) fn new(files: u32) -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ends(0, &["vault", "init", "--labels", "MON###"]);
        place.ends(0, &["create", "tape.ptape"]);
        place.write("tape.ptape", files, true);
        place.ends(0, &["copy", "tape.ptape", "copy.ptape"]);
        place.ends(
            0,
            &[
                "vault",
                "add",
                "tape.ptape",
                "--digests",
                "--label",
                "MON001",
            ],
        );
        place.ends(0, &["vault", "add", "--new", "--label", "MON002"]);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.path("v/images/MON001.ptape")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let child = {
            let _starting = START_OR_CLOSE
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Command::new(env!("CARGO_BIN_EXE_pseudotape"))
                .current_dir(self.directory.path())
                .env("PSEUDOTAPE_VAULT", self.path("v"))
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary was built for this test")
        };
        child.wait_with_output().unwrap()
    }

    /// Runs what has to end with this code; returns what it prints.
    pub(crate) fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        let text = if code == 2 {
            output.stderr
        } else {
            output.stdout
        };
        String::from_utf8(text).unwrap()
    }

    pub(crate) fn clones(&self, code: i32, more: &[&str]) -> String {
        let words = ["vault", "clone", "MON001", "--to", "MON002"];
        self.ends(code, &[&words, more].concat())
    }

    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ends(code, &[arguments, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn states(&self, label: &str) -> Vec<String> {
        let list = self.json(0, &["vault", "ls", label]);
        let files = list["files"].as_array().unwrap();
        files
            .iter()
            .map(|file| file["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The same tape files, but for one block of file 1, which is another one here, with a good checksum.
    pub(crate) fn write_other(&self, name: &str, files: u32) {
        let _closing = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let store = FileStore::open(&self.path(name), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        for file in 0..files {
            for number in 0..BLOCKS {
                let other = (file, number) == (1, 1);
                image
                    .append_block(&block(if other { 50 } else { file }, number))
                    .unwrap();
            }
            image.append_marks(Mark::Filemark, 1).unwrap();
        }
        image.finish().unwrap();
    }

    pub(crate) fn write(&self, name: &str, files: u32, ended: bool) {
        let _closing = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let store = FileStore::open(&self.path(name), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        image.to_end_of_data();
        for file in 0..files {
            for number in 0..BLOCKS {
                image.append_block(&block(file, number)).unwrap();
            }
            if ended || file + 1 < files {
                image.append_marks(Mark::Filemark, 1).unwrap();
            }
        }
        image.finish().unwrap();
    }

    /// What was told by a hook that does `cat >>NAME`, line by line.
    pub(crate) fn told(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn availability(&self, label: &str) -> String {
        let shown = self.json(0, &["vault", "show", label]);
        shown["availability"].as_str().unwrap().to_owned()
    }
}

/// Damages the second block of these tape files.
pub(crate) fn damage(path: &Path, files: &[u32]) {
    let bytes = fs::read(path).unwrap();
    let image = fs::OpenOptions::new().write(true).open(path).unwrap();
    for file in files {
        let wanted = block(*file, 1);
        let at = bytes.windows(BLOCK).position(|part| part == wanted);
        image
            .write_all_at(b"DAMAGE", at.expect("it is on the tape") as u64 + 300)
            .unwrap();
    }
}

pub(crate) fn numbers(list: &Value, field: &str) -> Vec<u64> {
    let entries = list.as_array().unwrap().iter();
    entries
        .map(|entry| entry[field].as_u64().unwrap())
        .collect()
}

/// The bytes of a tape file of the volume.
pub(crate) fn bytes_of(file: u32) -> Vec<u8> {
    (0..BLOCKS).flat_map(|number| block(file, number)).collect()
}
