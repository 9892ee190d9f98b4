//! A directory with a vault, and what is done to it and to its tapes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pseudotape_image::{FileStore, Image};
use pseudotape_sink::Sink;
use pseudotape_stack::{
    BLOCK_BYTES, Description, Met, Payload, Subject, VolumeDescription, go_to_end, read_archive,
    write_archive,
};
use pseudotape_tape::{Access, Drive, Mark, Stop, Transfer, Volume, WriteMode};
use serde_json::Value;

pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With a vault of two blank volumes, and one with something on it.
    pub(crate) fn new() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ok(&["init", "--name", "mondays", "--labels", "MON###"]);
        place.ok(&["add", "--new", "--count", "2", "--capacity", "4M"]);
        place.written(
            "x.ptape",
            &["add", "x.ptape", "--label", "FULL01", "--digests"],
        );
        place
    }

    /// An image with one tape file, and a command about it.
    pub(crate) fn written(&self, name: &str, command: &[&str]) {
        self.create(name);
        append(&self.path(name), b"payroll");
        self.ok(command);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        command
            .current_dir(self.directory.path())
            .env("PSEUDOTAPE_VAULT", self.path("v"))
            .args(arguments);
        command
    }

    pub(crate) fn create(&self, name: &str) {
        let made = self.command(&["create", name]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["vault"], arguments].concat())
            .output()
            .unwrap()
    }

    pub(crate) fn ended(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ended(0, arguments)
    }

    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ended(code, &[arguments, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The disk of the vault is gone.
    pub(crate) fn lose(&self) {
        fs::remove_dir_all(self.path("v")).unwrap();
    }

    /// Stacked volumes with backups on them, one after the other.
    pub(crate) fn backups(&self, tapes: &[&str]) {
        for tape in tapes {
            if !self.path(tape).exists() {
                self.create(tape);
            }
            self.ok(&["backup", tape]);
        }
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        let list = self.json(0, &["ls"]);
        let volumes = list["volumes"].as_array().unwrap().iter();
        volumes.map(|one| word(&one["label"])).collect()
    }

    /// A copy of a volume as the next tape file of a stacked volume.
    pub(crate) fn stack(&self, tape: &str, volume: &VolumeDescription, payload: &[u8]) {
        let mut open = self.open(tape);
        let description = described_on(&mut open, volume, payload);
        go_to_end(&mut open).unwrap();
        let mut reader = payload;
        write_archive(&mut open, &description, &mut reader).unwrap();
        open.finish().unwrap();
    }

    /// The same, and the writing did not come to its end: the last block and the filemark are missing.
    pub(crate) fn stack_cut(&self, tape: &str, volume: &VolumeDescription, payload: &[u8]) {
        let mut open = self.open(tape);
        let description = described_on(&mut open, volume, payload);
        self.create("whole.ptape");
        let mut whole = self.open("whole.ptape");
        let mut reader = payload;
        write_archive(&mut whole, &description, &mut reader).unwrap();
        whole.rewind().unwrap();
        let mut blocks = Vec::new();
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let done = whole.read(Transfer::Variable, &mut block).unwrap();
            if done.stop == Some(Stop::Filemark) {
                break;
            }
            blocks.push(block[..done.bytes].to_vec());
        }
        fs::remove_file(self.path("whole.ptape")).unwrap();
        assert!(blocks.len() > 1);
        go_to_end(&mut open).unwrap();
        for block in &blocks[..blocks.len() - 1] {
            open.write(Transfer::Variable, block).unwrap();
        }
        open.finish().unwrap();
    }

    /// All tape files of one tape behind those of another one.
    pub(crate) fn append_all(&self, from: &str, to: &str) {
        let (mut from, mut to) = (self.open(from), self.open(to));
        from.rewind().unwrap();
        go_to_end(&mut to).unwrap();
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let done = from.read(Transfer::Variable, &mut block).unwrap();
            match done.stop {
                Some(Stop::Filemark) => {
                    to.write_marks(Mark::Filemark, 1, WriteMode::Commit)
                        .unwrap();
                }
                Some(_) => break,
                None => {
                    to.write(Transfer::Variable, &block[..done.bytes]).unwrap();
                }
            }
        }
        to.finish().unwrap();
    }

    pub(crate) fn open(&self, tape: &str) -> Box<dyn Volume> {
        let sink: Sink = self.path(tape).to_str().unwrap().parse().unwrap();
        sink.open(Access::ReadWrite).unwrap()
    }

    /// What a describing member says of a volume that the vault has, in a generation.
    pub(crate) fn described(&self, label: &str, generation: u64) -> VolumeDescription {
        let shown = self.json(0, &["show", label]);
        VolumeDescription {
            identity: word(&shown["identity"]).parse().unwrap(),
            label: label.to_owned(),
            category: "private".to_owned(),
            generation,
            closed_ms: 4_000_000_000_000 + generation,
            files: Vec::new(),
        }
    }

    /// Label → fate.
    pub(crate) fn fates(&self, code: i32, arguments: &[&str]) -> BTreeMap<String, String> {
        let report = self.json(code, &[&["recover", "--confirm"], arguments].concat());
        let volumes = report["volumes"].as_array().unwrap().iter();
        volumes
            .map(|one| (word(&one["label"]), word(&one["fate"])))
            .collect()
    }
}

pub(crate) fn word(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

pub(crate) fn append(path: &Path, block: &[u8]) {
    let store = FileStore::open(path, Access::ReadWrite).unwrap();
    let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
    image.to_end_of_data();
    image.append_block(block).unwrap();
    image.append_marks(Mark::Filemark, 1).unwrap();
    image.finish().unwrap();
}

/// One bit of what was written last on an image that is found by its text.
pub(crate) fn flip_last(path: &Path, text: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes
        .windows(text.len())
        .rposition(|window| window == text)
        .unwrap();
    bytes[at + text.len() + 600] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The description of a volume on the stacked volume that a tape is.
fn described_on(open: &mut dyn Drive, volume: &VolumeDescription, payload: &[u8]) -> Description {
    open.rewind().unwrap();
    let Met::Archive(reading) = read_archive(open).unwrap() else {
        panic!("it is a stacked volume");
    };
    let beginning = reading.description().clone();
    Description {
        sequence: 1,
        written_ms: volume.closed_ms + 1,
        subject: Subject::Volume {
            volume: volume.clone(),
        },
        payload: Some(Payload {
            name: "volume.ptape".to_owned(),
            length: payload.len() as u64,
            digest: None,
        }),
        ..beginning
    }
}
