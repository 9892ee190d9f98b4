//! PT-03. The dialogues of docs/RMT.md, byte by byte; names that lead nowhere; errors of other systems' numbers.

use nix::errno::Errno;
use pseudotape_bay::StTape;
use pseudotape_device::TapeNode;
use pseudotape_drive::Personality;
use pseudotape_rmt::{Dialect, ServeError, ServerOptions, Shelf, System, serve};
use pseudotape_st::OpenFlags;
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::{ModelCartridge, ModelDrive};

const DOCUMENT: &str = include_str!("../../../docs/RMT.md");

/// One blank tape with two names.
struct One(StTape);

impl One {
    fn new() -> Self {
        let mut drive = ModelDrive::new(Personality::default());
        drive.insert(ModelCartridge::default());
        let drive: Box<dyn Drive> = Box::new(drive);
        One(StTape::new("tape", Box::new(Bare(drive))))
    }
}

impl Shelf for One {
    fn open(&mut self, name: &[u8], flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        match name {
            b"ntape" => self.0.open(false, flags),
            b"tape" => self.0.open(true, flags),
            _ => Err(Errno::EACCES),
        }
    }
}

const BSD: ServerOptions = ServerOptions {
    dialect: Dialect::Bsd,
    system: System::Bsd,
};

fn served(requests: &[u8], options: ServerOptions) -> (Vec<u8>, Result<(), ServeError>) {
    let mut replies = Vec::new();
    let end = serve(requests, &mut replies, &mut One::new(), options);
    (replies, end)
}

/// What a line of the document stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (escape, behind) = rest[at + 1..].split_at(1);
        rest = behind;
        bytes.push(match escape {
            "n" => b'\n',
            "0" => 0,
            "x" => {
                let (digits, behind) = rest.split_at(2);
                rest = behind;
                u8::from_str_radix(digits, 16).expect(text)
            }
            other => panic!("\\{other} in {text:?}"),
        });
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[test]
fn the_dialogues_of_the_document_are_had() {
    let mut count = 0;
    for dialogue in DOCUMENT.split("<!-- dialogue: ").skip(1) {
        let (name, lines) = dialogue.split_once(" -->").expect("the end of the mark");
        let options = match name {
            "linux" => ServerOptions::default(),
            "bsd" => BSD,
            other => panic!("a dialogue of {other}"),
        };
        let mut requests = Vec::new();
        let lines = lines.lines().map(str::trim_start);
        let lines = lines.skip_while(|line| !line.starts_with("> "));
        for line in lines.take_while(|line| !line.is_empty()) {
            let (side, text) = line.split_at(2);
            if side == "> " {
                requests.extend(bytes(text));
                continue;
            }
            // What was asked so far is answered so, by a server that has heard no more.
            let (replies, _) = served(&requests, options);
            let expected = bytes(text);
            assert!(
                replies.ends_with(&expected),
                "{line}: {:?} ends otherwise, behind {:?}",
                replies.escape_ascii().to_string(),
                requests.escape_ascii().to_string()
            );
        }
        let all: Vec<u8> = dialogue
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("< "))
            .flat_map(bytes)
            .collect();
        let (replies, _) = served(&requests, options);
        assert_eq!(
            replies.escape_ascii().to_string(),
            all.escape_ascii().to_string()
        );
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn names_of_any_kind_open_nothing_that_is_not_configured() {
    let long = "n".repeat(4096);
    for name in [
        "..",
        "../ntape",
        "/ntape",
        "./ntape",
        "ntape/.",
        "ntape\0",
        " ntape",
        "NTAPE",
        "/etc/passwd",
        "/proc/self/fd/0",
        "|cat",
        "\u{feff}ntape",
        &long,
    ] {
        let (replies, end) = served(format!("O{name}\n2\nR9\n").as_bytes(), BSD);
        assert_eq!(
            String::from_utf8(replies).unwrap(),
            "E13\nPermission denied\nE9\nBad file descriptor\n",
            "{name:?}"
        );
        end.unwrap();
    }
    // Bytes that are no text are a name like any other.
    let (replies, _) = served(b"O\xff\xfe\n2\n", BSD);
    assert!(replies.starts_with(b"E13\n"));
    // Beyond the limit nobody looks for the end of it.
    for length in [4097, 65_536, 1 << 20] {
        let request = format!("O{}\n2\n", "n".repeat(length));
        let (replies, end) = served(request.as_bytes(), BSD);
        assert_eq!(replies, b"E22\nArgument too long\n", "{length}");
        assert!(matches!(end, Err(ServeError::Garbage(_))), "{length}");
    }
}

#[test]
fn errors_have_the_numbers_of_the_system_that_was_asked_for() {
    for (system, number) in [
        (System::Linux, 38),
        (System::Bsd, 78),
        (System::Solaris, 89),
    ] {
        let options = ServerOptions {
            dialect: Dialect::Linux,
            system,
        };
        let (replies, _) = served(b"Ontape\n2\nI99\n1\n", options);
        let expected = format!("A0\nE{number}\nFunction not implemented\n");
        assert_eq!(String::from_utf8(replies).unwrap(), expected);
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_and_the_next_request_is_heard() {
    let mut requests = b"Ontape\n2\nW16777217\n".to_vec();
    requests.resize(requests.len() + 16_777_217, b'C');
    requests.extend_from_slice(b"W3\nendI6\n1\nR9\nR9\n");
    let (replies, end) = served(&requests, ServerOptions::default());
    assert_eq!(
        String::from_utf8(replies).unwrap(),
        "A0\nE22\nInvalid argument\nA3\nA1\nA3\nendA0\n"
    );
    end.unwrap();
    // Nobody sends a gibibyte for nothing.
    let (replies, end) = served(b"Ontape\n2\nW1073741825\n", ServerOptions::default());
    assert_eq!(replies, b"A0\nE22\nByte count out of range\n");
    assert!(matches!(end, Err(ServeError::Record(1_073_741_825))));
}

#[test]
fn a_record_that_does_not_come_whole_is_not_written() {
    let tape = One::new();
    let mut shelf = One(tape.0.clone());
    let requests = b"Ontape\n2\nW5\nwholeW5\npart";
    let mut replies = Vec::new();
    let end = serve(
        &requests[..],
        &mut replies,
        &mut shelf,
        ServerOptions::default(),
    );
    assert_eq!(replies, b"A0\nA5\n");
    assert!(matches!(end, Err(ServeError::Connection(_))));
    // The next client finds it closed, with its filemark.
    let mut replies = Vec::new();
    let requests = b"Ontape\n2\nsPI6\n1\nR9\nR9\nR9\n";
    serve(
        &requests[..],
        &mut replies,
        &mut shelf,
        ServerOptions::default(),
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(replies).unwrap(),
        "A0\nA2\nA1\nA5\nwholeA0\nA0\n"
    );
}
