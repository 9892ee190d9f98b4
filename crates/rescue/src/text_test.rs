use proptest::prelude::*;
use pseudotape_tape::VolumeId;

use super::*;

fn sample() -> Map {
    let mut map = Map::new(VolumeId(Uuid::from_u128(0x1234)), 0);
    let source = map.source(&SourceName {
        volume: Some(VolumeId(Uuid::from_u128(7))),
        label: "a \"b\"\nc".to_owned(),
        drive: "/dev/nst0 (IBM ULT)".to_owned(),
        generation: Some(3),
    });
    for object in 0..9 {
        map.set_good(object, Place::Base);
    }
    map.set_bad(
        9,
        Attempt {
            source,
            tries: 3,
            errno: 5,
            when: 1_764_000_000,
        },
    );
    map.set_not_tried(10, 4);
    map.set_good(11, Place::Found(1));
    map.end = Some(14);
    map
}

/// As docs/RESCUE.md shows it.
#[test]
fn a_map_is_the_text_that_the_document_shows() {
    let text = sample().to_text();
    assert_eq!(
        text,
        "pseudotape-rescue 1\n\
         target 00000000-0000-0000-0000-000000001234\n\
         partition 0\n\
         source [\"00000000-0000-0000-0000-000000000007\",\"a \\\"b\\\"\\nc\",\"/dev/nst0 (IBM ULT)\",3]\n\
         end 14\n\
         good 0 9\n\
         bad 9 1 0:3:5:1764000000\n\
         todo 10 1\n\
         found 11 1 1\n\
         todo 12 2\n\
         crc32 867f2b97\n"
    );
    assert_eq!(Map::from_text(text.as_bytes()), Ok(sample()));
}

#[test]
fn a_map_that_is_cut_anywhere_is_none() {
    let text = sample().to_text();
    for length in 0..text.len() {
        let cut = Map::from_text(&text.as_bytes()[..length]);
        assert!(cut.is_err(), "{length} bytes: {cut:?}");
    }
}

/// With a right checksum, as one who edits it may have made it.
#[test]
fn lines_that_can_not_be_are_named() {
    let with = |from: &str, to: &str| {
        let text = sample().to_text();
        assert!(text.contains(from), "{from}");
        let body = text.replacen(from, to, 1);
        let body = &body[..body.rfind("crc32 ").expect("the last line")];
        let sum = crc32fast::hash(body.as_bytes());
        Map::from_text(format!("{body}crc32 {sum:08x}\n").as_bytes())
    };
    assert_eq!(with("good 0 9", "good 0 9"), Ok(sample()));
    for (from, to, line) in [
        ("good 0 9", "good 1 8", 6),
        ("good 0 9", "good 0 0", 6),
        ("good 0 9", "good 0 18446744073709551615", 7),
        ("good 0 9", "well 0 9", 6),
        ("good 0 9", "good 0 9 9", 6),
        ("bad 9 1 0:3:5:1764000000", "bad 9 1", 7),
        ("0:3:5:1764000000", "1:3:5:1764000000", 7),
        ("0:3:5:1764000000", "0:0:5:1764000000", 7),
        ("0:3:5:1764000000", "0:3:5:1764000000 0:1:5:1", 7),
        ("found 11 1 1", "found 11 1 18446744073709551615", 9),
        ("end 14", "end 13", 1),
        ("end 14", "end", 5),
        ("partition 0", "partition 0\npartition 0", 4),
        ("partition 0\n", "", 1),
        ("source [", "source {", 4),
    ] {
        let found = with(from, to);
        let Err(MapError::Line { line: at, .. }) = found else {
            panic!("{to}: {found:?}");
        };
        assert_eq!(at, line, "{to}");
    }
    assert_eq!(with("rescue 1\n", "rescue 2\n"), Err(MapError::Newer(2)));
    assert_eq!(
        with("pseudotape-rescue", "# Mapfile."),
        Err(MapError::Foreign)
    );
}

proptest! {
    #[test]
    fn one_other_byte_is_noticed(at in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let mut bytes = sample().to_text().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        // An upper-case digit of the checksum says the same.
        if let Ok(map) = Map::from_text(&bytes) {
            prop_assert_eq!(map, sample());
        }
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        taken_as_it_is_written(&bytes);
        let mut text = b"pseudotape-rescue 1\n".to_vec();
        text.extend(&bytes);
        text.push(b'\n');
        taken_as_it_is_written(&with_a_checksum(text));
    }

    /// Lines that are nearly right, under a right checksum: what is taken is consistent.
    #[test]
    fn lines_in_any_order_are_refused_or_a_map(
        lines in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..12),
    ) {
        let sample = sample().to_text();
        let known: Vec<&str> = sample.lines().skip(1).collect();
        let mut text = b"pseudotape-rescue 1\n".to_vec();
        for (line, byte, change) in lines {
            let mut line = known[line.index(known.len() - 1)].as_bytes().to_vec();
            let at = usize::from(byte) % line.len();
            match change {
                0 => line[at] = b'0' + byte % 10,
                1 => line.insert(at, b' '),
                _ => {}
            }
            text.extend(&line);
            text.push(b'\n');
        }
        taken_as_it_is_written(&with_a_checksum(text));
    }
}

fn with_a_checksum(mut text: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&text);
    text.extend(format!("crc32 {sum:08x}\n").bytes());
    text
}

/// What is taken for a map is written as one that says the same, and its runs follow each other.
fn taken_as_it_is_written(bytes: &[u8]) {
    let Ok(map) = Map::from_text(bytes) else {
        return;
    };
    let again = Map::from_text(map.to_text().as_bytes());
    assert_eq!(again.as_ref(), Ok(&map));
    let mut at = 0;
    for run in map.runs() {
        assert_eq!(run.first, at, "no gap");
        at = run.end();
    }
}
