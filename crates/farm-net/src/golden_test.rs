//! The bytes of the protocol, as docs/FARM-PROTOCOL.md has them.

use pseudotape_farm::{Entry, Remedy, Stamp, Time, Title};

use crate::error::{Error, Refusal};
use crate::fuzz::fuzz_packets;
use crate::how::How;
use crate::message::{Ended, Inside, Message, Obstacle, Remedied, VolumeLine, Wrong};
use crate::packet::{PacketReader, PacketWriter};

/// Each line: a name, a blank, the bytes of one packet; the packets are numbered from 0 on.
const VECTORS: &str = include_str!("../../../tests/vectors/farm-net-v1.txt");
const LATER_VECTORS: &str = include_str!("../../../tests/vectors/farm-net-v2.txt");

const RECORD: &[u8] = b"21 pseudotape.farm=1\n12 number=7\n48 capsule=01234567-89ab-7def-8123-456789abcdef\n\
    13 title=a/b\n13 kind=file\n12 state=ok\n12 length=5\n16 generation=0\n13 version=0\n14 modified=1\n14 added_ms=9\n";

fn samples() -> Vec<(&'static str, Message)> {
    let volume = || "V".parse().expect("a name");
    let title = || Title::new(b"a/b").expect("a title");
    let stamp = Stamp {
        generation: 2,
        version: 3,
        created: None,
        modified: Time {
            seconds: -1,
            nanoseconds: 5,
        },
    };
    let entry = || Entry::parse(RECORD).expect("a record");
    let text = || "why".to_owned();
    vec![
        (
            "hello",
            Message::Hello {
                version: 1,
                root: b"/f".to_vec(),
            },
        ),
        (
            "welcome",
            Message::Welcome {
                version: 1,
                root: b"/f".to_vec(),
                person: "a@b".to_owned(),
            },
        ),
        ("volumes", Message::Volumes),
        (
            "files",
            Message::Files {
                volume: volume(),
                titles: vec![title()],
            },
        ),
        (
            "show",
            Message::Show {
                volume: volume(),
                title: title(),
            },
        ),
        ("extract", Message::Extract { volume: volume() }),
        (
            "get",
            Message::Get {
                number: 7,
                capsule: [9; 16],
            },
        ),
        (
            "verify",
            Message::Verify {
                volume: volume(),
                titles: Vec::new(),
            },
        ),
        (
            "release",
            Message::Release {
                volume: volume(),
                titles: vec![title()],
                by: Some(text()),
                lock_wait: 60,
            },
        ),
        (
            "merge",
            Message::Merge {
                volume: volume(),
                sources: vec![volume()],
                how: How::Copy,
                lock_wait: 0,
                check_present: true,
                compressed: false,
            },
        ),
        (
            "add",
            Message::Add {
                volume: volume(),
                how: How::CompareAdd,
                lock_wait: 1,
                check_present: false,
                compressed: false,
            },
        ),
        ("ready", Message::Ready),
        (
            "offer",
            Message::Offer {
                title: title(),
                stamp,
            },
        ),
        ("answer", Message::Answer { wanted: true }),
        ("archive", Message::Archive),
        (
            "file",
            Message::File {
                stamp,
                headers: b"headers".to_vec(),
            },
        ),
        ("data", Message::Data(b"contents".to_vec())),
        ("whole", Message::Whole),
        ("changed", Message::Changed),
        ("again", Message::Again),
        ("failed", Message::Failed { why: text() }),
        ("no-file", Message::NoFile),
        ("end", Message::End),
        (
            "volume",
            Message::Volume(VolumeLine {
                volume: volume(),
                inside: Some(Inside {
                    files: 1,
                    bytes: 5,
                    compressed: true,
                }),
                trouble: None,
            }),
        ),
        ("entry", Message::Entry(entry())),
        (
            "shown",
            Message::Shown {
                path: b"/f/V/x".to_vec(),
                entry: entry(),
            },
        ),
        ("added", Message::Added(entry())),
        ("replaced", Message::Replaced(entry())),
        ("present", Message::Present(title())),
        ("not-better", Message::NotBetter(title())),
        (
            "left-out",
            Message::LeftOut {
                path: b"a".to_vec(),
                why: text(),
            },
        ),
        ("sound", Message::Sound(entry())),
        (
            "wrong",
            Message::Wrong(Wrong {
                file: "x".to_owned(),
                what: "damaged".to_owned(),
                title: Some(title()),
                why: Some(text()),
            }),
        ),
        ("released", Message::Released(entry())),
        ("released-before", Message::ReleasedBefore(entry())),
        ("deleted", Message::Deleted),
        ("foreign", Message::Foreign("x".to_owned())),
        ("waiting", Message::Waiting { text: text() }),
        ("done", Message::Done),
        (
            "refused",
            Message::Refused {
                refusal: Refusal::Access,
                text: text(),
            },
        ),
        (
            "mended",
            Message::Mended {
                title: title(),
                why: text(),
            },
        ),
        ("alive", Message::Alive),
    ]
}

/// Those of version 2, in a file of their own: released bytes stay as they are.
fn later_samples() -> Vec<(&'static str, Message)> {
    let volume = || "V".parse().expect("a name");
    let title = || Title::new(b"a/b").expect("a title");
    let entry = || Entry::parse(RECORD).expect("a record");
    let text = || "why".to_owned();
    vec![
        (
            "annotate",
            Message::Annotate {
                volume: volume(),
                title: title(),
                note: Some(text()),
                lock_wait: 60,
            },
        ),
        (
            "rebuild",
            Message::Rebuild {
                volume: volume(),
                lock_wait: 60,
            },
        ),
        (
            "repair",
            Message::Repair {
                volume: volume(),
                apply: true,
                drop_replaced: false,
                lock_wait: 60,
            },
        ),
        (
            "write",
            Message::Write {
                volume: volume(),
                titles: vec![title()],
            },
        ),
        (
            "check",
            Message::Check {
                volume: volume(),
                titles: vec![title()],
            },
        ),
        (
            "whose",
            Message::Whose {
                host: Some(volume()),
            },
        ),
        (
            "making",
            Message::Making {
                structured: true,
                compression: Some(false),
                script: Some("s".to_owned()),
            },
        ),
        (
            "run",
            Message::Run {
                name: "r".to_owned(),
                arguments: vec![b"a".to_vec(), b"b c".to_vec()],
            },
        ),
        ("adopted", Message::Adopted(entry())),
        (
            "remedied",
            Message::Remedied(Remedied {
                wrong: Wrong {
                    file: "x".to_owned(),
                    what: "damaged".to_owned(),
                    title: Some(title()),
                    why: Some(text()),
                },
                remedy: Remedy::Fill,
                obstacle: Obstacle::None,
                done: true,
            }),
        ),
        ("listed", Message::Listed(entry())),
        (
            "not-listed",
            Message::NotListed {
                file: "x".to_owned(),
                why: text(),
            },
        ),
        ("next", Message::Next(entry())),
        ("not-there", Message::NotThere(entry())),
        (
            "bad",
            Message::Bad {
                entry: entry(),
                why: text(),
            },
        ),
        (
            "output",
            Message::Output {
                is_error: true,
                bytes: b"printed".to_vec(),
            },
        ),
        ("ended", Message::Ended(Ended::Exited(3))),
        ("script-failed", Message::ScriptFailed { why: text() }),
    ]
}

fn written(samples: Vec<(&'static str, Message)>) -> String {
    let mut text = String::new();
    let mut writer = PacketWriter::new(Vec::new());
    let mut before = 0;
    for (name, message) in samples {
        let (kind, body) = message.encode();
        writer.write(kind, &body).expect("it fits");
        let bytes = &writer.sink()[before..];
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{name} {hex}\n");
        before = writer.sink().len();
    }
    text
}

#[test]
fn messages_have_the_bytes_that_were_released() {
    for (samples, vectors) in [(samples(), VECTORS), (later_samples(), LATER_VECTORS)] {
        let written = written(samples);
        assert!(written == vectors, "what is written now:\n{written}");
    }
}

#[test]
fn the_released_bytes_are_read() {
    are_read(samples(), VECTORS);
    are_read(later_samples(), LATER_VECTORS);
}

fn are_read(samples: Vec<(&'static str, Message)>, vectors: &str) {
    let hex: String = vectors
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, hex)| hex)
        .collect();
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits"))
        .collect();
    let mut reader = PacketReader::new(&bytes[..]);
    let mut body = Vec::new();
    for (name, expected) in samples {
        let kind = reader
            .read(&mut body)
            .expect("a packet")
            .expect("not the end");
        assert_eq!(Message::decode(kind, &body).expect(name), expected);
        // What is cut off or longer is none.
        if !matches!(
            expected,
            Message::Data(_) | Message::File { .. } | Message::Output { .. }
        ) {
            let longer = [&body[..], b"x"].concat();
            assert!(Message::decode(kind, &longer).is_err(), "{name}");
            if !body.is_empty() {
                assert!(
                    Message::decode(kind, &body[..body.len() - 1]).is_err(),
                    "{name}"
                );
            }
        }
    }
    assert!(reader.read(&mut body).expect("the end").is_none());
    fuzz_packets(&bytes);
}

#[test]
fn what_is_no_packet_is_named() {
    let read = |bytes: &[u8]| PacketReader::new(bytes).read(&mut Vec::new());
    let banner = read(b"Welcome to the depot! Have a nice day.").expect_err("a banner");
    assert!(
        banner
            .to_string()
            .contains("it sent 'Welcome to the depot! Ha'"),
        "{banner}"
    );
    assert!(matches!(read(b"PTFN"), Err(Error::Cut(_))));
    assert!(matches!(read(b""), Ok(None)));
    // A packet that came before, or that is missing.
    let mut writer = PacketWriter::new(Vec::new());
    writer.write(63, b"").expect("it fits");
    writer.write(63, b"").expect("it fits");
    let second = &writer.sink()[24..];
    assert!(matches!(read(second), Err(Error::Damaged(_))));
    assert!(
        PacketWriter::new(Vec::new())
            .write(17, &vec![0; (1 << 20) + 1])
            .is_err()
    );
}

/// The table of messages in docs/FARM-PROTOCOL.md has the numbers of the code.
#[test]
fn the_document_has_every_message() {
    let document = include_str!("../../../docs/FARM-PROTOCOL.md");
    for (name, message) in samples().into_iter().chain(later_samples()) {
        let (kind, _) = message.encode();
        let row = format!("| {kind} | `{name}` |");
        assert!(document.contains(&row), "{row}");
    }
}
