//! What the commands print with `--json` is what docs/JSON.md has, and so are their errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::thread;

use pseudotape_control::{
    CapacityStatus, DriveLegStatus, DriveMirrorStatus, DriveStatus, ElementStatus, FaultStatus,
    FaultsStatus, HolderStatus, LibraryStatus, MediumStatus, OpenStatus, OptionStatus,
    OptionsStatus, PositionStatus, Request, Response, SlaveStatus, SlaveWay, SpanStatus, Status,
    TransferStatus, VaultStatus, receive, send,
};
use pseudotape_human::offered::leaves;
use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Attribute, AttributeFormat, Attributes, Mark};
use serde_json::Value;

/// Held while a command runs and while an image is closed: until its exec is over a child has a copy of every
/// descriptor, and with it of the lock on an image that another test closes just then.
static RUN_OR_CLOSE: Mutex<()> = Mutex::new(());

/// Path → kinds.
type Fields = BTreeMap<String, BTreeSet<String>>;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        let _running = RUN_OR_CLOSE.lock().unwrap_or_else(PoisonError::into_inner);
        Command::new(env!("CARGO_BIN_EXE_pseudotape"))
            .current_dir(self.directory.path())
            .env("PSEUDOTAPE_CONTROL", self.path("control"))
            .env_remove("PSEUDOTAPE_VAULT")
            .args(words)
            .output()
            .expect("the binary was built for this test")
    }

    /// Runs a command of words that are separated by spaces, with `--json`; its exit code is `code`.
    fn json(&self, code: i32, line: &str) -> Value {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.push("--json");
        let output = self.run(&words);
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"))
    }

    /// An image with two tape files of text.
    fn image(&self, name: &str) {
        let output = self.run(&["create", name, "--capacity", "10M", "--label", "monday"]);
        assert!(output.status.success(), "{output:?}");
        let mut image = open(&self.path(name));
        for text in [b"the first file", b"the other file"] {
            image.append_block(text).unwrap();
            image.append_marks(Mark::Filemark, 1).unwrap();
        }
        finish(image);
    }

    /// The same, with what programs keep beside the data: text, and bytes that are none and have no name.
    fn with_attributes(&self, name: &str) {
        self.image(name);
        let attribute = |format, value: &[u8]| Attribute {
            format,
            value: value.to_vec(),
        };
        let attributes: Attributes = [
            (0x0803, attribute(AttributeFormat::Text, b"monday")),
            (0x1400, attribute(AttributeFormat::Binary, &[7; 9])),
        ]
        .into_iter()
        .collect();
        let mut image = open(&self.path(name));
        image.set_attributes(&attributes).unwrap();
        finish(image);
    }

    /// The first of two partitions, without the second one.
    fn half(&self, name: &str) {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        parameters.header.partition_count = 2;
        let store = FileStore::create(&self.path(name)).unwrap();
        finish(Image::create(store, &parameters).unwrap());
    }

    /// The image of `image`, with a block that can't be read.
    fn damaged(&self, name: &str) {
        self.image(name);
        let mut bytes = fs::read(self.path(name)).unwrap();
        let at = bytes.windows(9).position(|window| window == b"the other");
        bytes[at.expect("it was written")] ^= 1;
        fs::write(self.path(name), bytes).unwrap();
    }
}

fn open(path: &Path) -> Image<FileStore> {
    let store = FileStore::open(path, Access::ReadWrite).unwrap();
    Image::open(store, Access::ReadWrite).unwrap().0
}

fn finish(image: Image<FileStore>) {
    let _closing = RUN_OR_CLOSE.lock().unwrap_or_else(PoisonError::into_inner);
    image.finish().unwrap();
}

/// A daemon that answers everything, with all that it can say; and the same where nothing is known.
fn serve_daemon(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let Ok(Some(request)) = receive::<Request>(&mut reader) else {
                continue;
            };
            let answer = match request {
                Request::Status => Response::Status(Box::new(status())),
                Request::Options { .. } => Response::Options(OptionsStatus {
                    drive: 0,
                    mode: 0,
                    defined: true,
                    options: vec![OptionStatus {
                        name: "sili".to_owned(),
                        value: "on".to_owned(),
                    }],
                }),
                Request::Inject { .. } => Response::Faults(FaultsStatus {
                    drive: 0,
                    faults: faults(),
                }),
                Request::Libraries { .. } => Response::Libraries {
                    libraries: vec![library(None), library(Some(1 << 30))],
                },
                Request::Library { library: None, .. } => Response::Error {
                    message: "which?".to_owned(),
                },
                _ => Response::Done {
                    message: "done".to_owned(),
                },
            };
            // The client may have gone.
            send(&mut stream, &answer).ok();
        }
    });
}

fn faults() -> Vec<FaultStatus> {
    let fault = |number, seconds_left| FaultStatus {
        number,
        fault: "reset".to_owned(),
        met: 0,
        over: false,
        seconds_left,
    };
    vec![fault(1, None), fault(2, Some(0.5))]
}

fn library(capacity_bytes: Option<u64>) -> LibraryStatus {
    let span = |first, count| SpanStatus { first, count };
    LibraryStatus {
        name: "shelf".to_owned(),
        identity: ["PSEUDO", "CHANGER", "0001", "S1"].map(str::to_owned),
        folder: "/srv/shelf".into(),
        nodes: vec!["/dev/sch0".into(), "/dev/sg1".into()],
        transports: span(1, 1),
        slots: span(1025, 4),
        import_export: span(769, 1),
        drives: span(257, 1),
        first_drive: 0,
        removal_prevented: false,
        barcodes: "PT####L5".to_owned(),
        capacity_bytes,
        elements: vec![ElementStatus {
            at: 257,
            full: true,
            barcode: Some("PT0001L5".to_owned()),
            source: Some(1025),
            by_operator: true,
            exception: Some("stuck".to_owned()),
            nodes: vec!["/dev/st0".into()],
            open: Some("tar (pid 7)".to_owned()),
            locked: true,
        }],
    }
}

fn status() -> Status {
    let empty = DriveStatus {
        drive: 1,
        nodes: vec!["/dev/pmtm1".into()],
        identity: "PSEUDO TAPE".to_owned(),
        personality: "generic".to_owned(),
        library: None,
        medium: None,
        position: None,
        capacity: None,
        transfer: TransferStatus::default(),
        flags: Vec::new(),
        block_size: 0,
        density: 0,
        last_error: None,
        open: None,
        busy: false,
        slave: Some(SlaveStatus {
            node: None,
            socket: "/s".into(),
            holder: None,
        }),
        mirror: None,
        faults: Vec::new(),
    };
    let medium = MediumStatus {
        image: "/a.ptape".into(),
        volume: "v".to_owned(),
        label: Some("monday".to_owned()),
        barcode: Some("PT0001L5".to_owned()),
        loaded: true,
        write_protected: false,
        read_only: Some("the disk".to_owned()),
        worm: false,
        partitions: 1,
        incomplete_from: Some(3),
        notice: Some("compressed".to_owned()),
    };
    let holder = |program| HolderStatus {
        pid: 1,
        program,
        uid: 0,
        way: SlaveWay::Node,
        since: "2026-01-31T12:00:00Z".to_owned(),
    };
    let slave = |program| SlaveStatus {
        node: Some("/dev/pmts0".into()),
        socket: "/s".into(),
        holder: Some(holder(program)),
    };
    let opener = |program| OpenStatus {
        pid: 1,
        program,
        uid: 0,
        node: "npmtm0".to_owned(),
    };
    let position = |known: Option<i64>| PositionStatus {
        partition: 0,
        file: known,
        block: known,
        object: 0,
    };
    let capacity = |bytes| CapacityStatus {
        total_bytes: bytes,
        early_warning_bytes: 0,
        used_bytes: 0,
        left_bytes: bytes,
        host_bytes: 0,
    };
    let full = DriveStatus {
        drive: 0,
        library: Some("shelf".to_owned()),
        medium: Some(medium.clone()),
        position: Some(position(Some(0))),
        capacity: Some(capacity(Some(1))),
        flags: vec!["BOT".to_owned()],
        last_error: Some("read".to_owned()),
        open: Some(opener(Some("tar".to_owned()))),
        slave: Some(slave(Some("mirror".to_owned()))),
        faults: faults(),
        ..empty.clone()
    };
    let unknown = DriveStatus {
        drive: 2,
        medium: Some(MediumStatus {
            label: None,
            barcode: None,
            ..medium
        }),
        position: Some(position(None)),
        capacity: Some(capacity(None)),
        open: Some(opener(None)),
        slave: Some(slave(None)),
        ..empty.clone()
    };
    let leg = |sink: Option<&str>| DriveLegStatus {
        name: "a".to_owned(),
        sink: sink.map(str::to_owned),
        state: "in-step".to_owned(),
    };
    let mirror = |refused: Option<&str>| DriveMirrorStatus {
        degraded: false,
        refused: refused.map(str::to_owned),
        legs: vec![leg(None), leg(Some("/a.ptape"))],
    };
    let refused = DriveStatus {
        drive: 4,
        slave: None,
        mirror: Some(mirror(Some("they disagree"))),
        ..empty.clone()
    };
    let none = DriveStatus {
        drive: 3,
        slave: None,
        mirror: Some(mirror(None)),
        ..empty.clone()
    };
    Status {
        version: "1".to_owned(),
        pid: 1,
        frontend: "fuse".to_owned(),
        drives: vec![full, empty, unknown, none, refused],
        vault: Some(VaultStatus {
            directory: "/srv/vault".into(),
            trouble: None,
        }),
    }
}

/// Every path in a document, with the kinds of its values. Elements of an array are one path.
fn flatten(value: &Value, path: &str, found: &mut Fields) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        let kinds = found.entry(path.to_owned()).or_default();
        kinds.insert(kind.to_owned());
    }
    match value {
        Value::Array(all) => {
            let path = format!("{path}[]");
            all.iter().for_each(|one| flatten(one, &path, found));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let slash = if path.is_empty() { "" } else { "/" };
                flatten(value, &format!("{path}{slash}{name}"), found);
            }
        }
        _ => {}
    }
}

fn documents() -> impl Iterator<Item = String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let names = fs::read_dir(docs)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let documents = names.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    documents.map(|path| fs::read_to_string(path).unwrap())
}

/// Heading → its table, of all documents.
fn documented() -> BTreeMap<String, Fields> {
    let mut tables: BTreeMap<String, Fields> = BTreeMap::new();
    for text in documents() {
        let mut headings: Vec<String> = Vec::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("### JSON of ") {
                let names = title
                    .split(", ")
                    .map(|name| name.trim_matches('`').to_owned());
                headings = names.collect();
                for heading in &headings {
                    tables.entry(heading.clone()).or_default();
                }
            } else if line.starts_with('#') {
                headings.clear();
            } else if let Some(row) = line.strip_prefix("| `") {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                let kinds: BTreeSet<_> = cells[1].split(" or ").map(str::to_owned).collect();
                for heading in &headings {
                    let table = tables.entry(heading.clone()).or_default();
                    table.insert(cells[0].trim_matches('`').to_owned(), kinds.clone());
                }
            }
        }
    }
    tables
}

fn has_json(path: &str) -> bool {
    let whole = pseudotape_tools::command();
    let mut command = &whole;
    for name in path.split(' ') {
        command = command.find_subcommand(name).unwrap();
    }
    command
        .get_arguments()
        .any(|option| option.get_id() == "json")
}

/// Runs the commands of images; what is told of each is under its heading.
fn images(place: &Place, see: &mut impl FnMut(&str, Value)) {
    place.image("a.ptape");
    place.image("b.ptape");
    place.damaged("bad.ptape");
    see("create", place.json(0, "create new.ptape --capacity 1M"));
    see("create", place.json(0, "create endless.ptape"));
    place.with_attributes("kept.ptape");
    place.half("half.ptape");
    see("info", place.json(0, "info half.ptape"));
    for name in ["a.ptape", "kept.ptape", "bad.ptape", "endless.ptape"] {
        see("info", place.json(0, &format!("info {name}")));
        see("ls", place.json(0, &format!("ls {name}")));
    }
    see("verify", place.json(0, "verify a.ptape"));
    see("verify", place.json(1, "verify bad.ptape"));
    fs::create_dir(place.path("farm")).unwrap();
    place.json(0, "farm --root farm copy V a.ptape");
    for capsule in ["farm/V/FILE0000001.ptape", "FILE0000002.ptape"] {
        let code = i32::from(capsule.starts_with("FILE"));
        fs::copy(
            place.path("farm/V/FILE0000001.ptape"),
            place.path("FILE0000002.ptape"),
        )
        .unwrap();
        see("verify", place.json(code, &format!("verify {capsule}")));
    }
    see("dump", place.json(0, "dump a.ptape -o out"));
    see("copy", place.json(0, "copy a.ptape copy.ptape"));
    see("copy", place.json(0, "copy a.ptape copy.ptape --resume"));
    see("copy", place.json(1, "copy bad.ptape part.ptape"));
    see(
        "copy",
        place.json(1, "copy bad.ptape holes.ptape --damaged record"),
    );
    see("copy", place.json(1, "copy part.ptape more.ptape"));
    see("info", place.json(0, "info part.ptape"));
    see("ls", place.json(0, "ls part.ptape"));
    see("verify", place.json(1, "verify part.ptape"));
    see("compare", place.json(0, "compare a.ptape copy.ptape"));
    see("compare", place.json(1, "compare a.ptape bad.ptape"));
    see("compare", place.json(1, "compare a.ptape part.ptape"));
    see("compare", place.json(1, "compare bad.ptape holes.ptape"));
    see("rescue", place.json(0, "rescue a.ptape rescued.ptape"));
    see(
        "rescue",
        place.json(1, "rescue bad.ptape found.ptape --tries 1"),
    );
    see(
        "rescue",
        place.json(
            1,
            "rescue bad.ptape null --map null.map --tries 1 --leave-out",
        ),
    );
    see(
        "rescue --raw-file",
        place.json(1, "rescue bad.ptape --raw-file 1 --output file"),
    );
    see(
        "rescue --raw-file",
        place.json(0, "rescue a.ptape --raw-file 1 --output other"),
    );
    let sum = format!(
        "rescue a.ptape --raw-file 0 --output third --sha256 {}",
        "0".repeat(64)
    );
    see("rescue --raw-file", place.json(1, &sum));
    see(
        "write-protect IMAGE",
        place.json(0, "write-protect a.ptape on"),
    );
    // A file that was cut misses what was committed.
    let bytes = fs::read(place.path("b.ptape")).unwrap();
    let at = bytes.windows(9).position(|window| window == b"the other");
    fs::write(place.path("b.ptape"), &bytes[..at.unwrap()]).unwrap();
    see("info", place.json(0, "info b.ptape"));
    see("ls", place.json(0, "ls b.ptape"));
    see("verify", place.json(1, "verify b.ptape"));
    see("dump", place.json(1, "dump b.ptape -o out"));
    see("copy", place.json(1, "copy b.ptape rest.ptape"));
    see("accept-loss", place.json(0, "accept-loss b.ptape"));
    see("accept-loss", place.json(0, "accept-loss b.ptape"));
}

/// Runs the commands that ask a daemon, and those that ask nobody.
fn others(place: &Place, see: &mut impl FnMut(&str, Value)) {
    see("status", place.json(0, "status"));
    for line in [
        "load 0 a.ptape",
        "unload 0",
        "reset 0",
        "write-protect 0 on",
        "library add --library shelf",
        "library import --library shelf",
    ] {
        let name: Vec<&str> = line.split(' ').collect();
        let name = match name[0] {
            "library" => name[..2].join(" "),
            "write-protect" => "write-protect DRIVE".to_owned(),
            name => name.to_owned(),
        };
        see(&name, place.json(0, line));
    }
    see("inject", place.json(0, "inject 0 reset"));
    see("options", place.json(0, "options 0"));
    see("library list", place.json(0, "library list"));
    see("library show", place.json(0, "library show"));
    see("library create", place.json(0, "library create shelf"));
    see(
        "library pairing",
        place.json(0, "library pairing exb=4/120 atl=2/54,2/54"),
    );
    let output = place.run(&["doctor", "--json"]);
    see("doctor", serde_json::from_slice(&output.stdout).unwrap());
    see("man", place.json(0, "man pages"));
    // A slave end that hangs up at once.
    let listener = UnixListener::bind(place.path("slave")).unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let output = place.run(&["serve", "endless.ptape", "--on", "slave", "--json"]);
    see("serve", serde_json::from_slice(&output.stdout).unwrap());
}

/// Each document has a number of its form, and the fields of its table; each field of a table is printed by something
/// here.
#[test]
fn documents_are_those_of_the_tables() {
    let place = Place::new();
    serve_daemon(&place.path("control"));
    let mut found: BTreeMap<String, Fields> = BTreeMap::new();
    let mut see = |name: &str, document: Value| {
        let mut document = document;
        let fields = document.as_object_mut().expect("a document is an object");
        assert!(
            fields
                .remove("schema")
                .is_some_and(|number| number.is_u64()),
            "{name}"
        );
        flatten(&document, "", found.entry(name.to_owned()).or_default());
    };
    images(&place, &mut see);
    others(&place, &mut see);
    let tables = documented();
    let mut wrong = Vec::new();
    for (name, fields) in &found {
        let table = tables.get(name).cloned().unwrap_or_default();
        for (path, kinds) in fields {
            let known = table.get(path).cloned().unwrap_or_default();
            if !kinds.is_subset(&known) {
                let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                wrong.push(format!(
                    "{name}: | `{path}` | {} | is not there",
                    kinds.join(" or ")
                ));
            }
        }
        let unseen = table.keys().filter(|path| !fields.contains_key(*path));
        wrong.extend(unseen.map(|path| format!("{name}: {path} is nowhere printed")));
    }
    assert!(wrong.is_empty(), "docs/JSON.md:\n{}", wrong.join("\n"));
}

/// A command that comes later has its table too. What the tables of `vault` are held against: tests vault and recovery.
#[test]
fn every_command_with_json_has_its_table() {
    let tables = documented();
    let mut wrong = Vec::new();
    for path in leaves(&pseudotape_tools::command()) {
        let is_it = |title: &&String| {
            title
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let has_table = tables.keys().any(|title| is_it(&title));
        if has_table != has_json(&path) {
            wrong.push(path);
        }
    }
    assert!(
        wrong.is_empty(),
        "'### JSON of `...`' in docs/*.md: {wrong:?}"
    );
}

/// Whatever is wrong with a command: with `--json` its error is one object in one line, on standard error alone.
#[test]
fn every_error_is_json_where_json_is_asked_for() {
    let place = Place::new();
    let told = |output: &Output| {
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let error: Value =
            serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert_eq!(error["schema"], 1, "{text}");
        assert_eq!(error["exit_code"], 2, "{text}");
        error["error"].as_str().expect("words").to_owned()
    };
    for path in leaves(&pseudotape_tools::command()) {
        if !has_json(&path) {
            continue;
        }
        let words: Vec<&str> = path
            .split(' ')
            .chain(["--json", "--no-such-option"])
            .collect();
        let words = told(&place.run(&words));
        assert!(words.contains("'--no-such-option'"), "{path}: {words}");
        assert!(!words.contains("Usage"), "{path}: {words}");
    }
    let words = told(&place.run(&["info", "nowhere.ptape", "--json"]));
    assert!(
        words.contains("nowhere.ptape") && words.contains("No such file"),
        "{words}"
    );
    let words = told(&place.run(&["--json", "status"]));
    assert!(words.contains("no daemon answers"), "{words}");
    let words = told(&place.run(&["--json"]));
    assert!(words.contains("subcommand"), "{words}");
}
