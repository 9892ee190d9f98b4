//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::map::{Attempt, Map, Place, State};
use crate::picture::Picture;

/// Takes bytes for the map of a rescue: as they are, and with the right checksum behind them.
///
/// # Panics
///
/// Where a map is not read as it was written, or says something else of an object than its runs do.
pub fn fuzz_map(bytes: &[u8]) {
    any_map(bytes);
    // The checksum would keep a fuzzer out.
    any_map(&with_checksum(bytes));
}

fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut text = bytes.to_vec();
    let last = text.strip_suffix(b"\n").unwrap_or(&text);
    let last = last.rsplit(|byte| *byte == b'\n').next();
    if let Some(last) = last.filter(|last| last.starts_with(b"crc32 ")) {
        let whole = text.len() - usize::from(text.ends_with(b"\n"));
        text.truncate(whole - last.len());
    }
    let sum = crc32fast::hash(&text);
    text.extend_from_slice(format!("crc32 {sum:08x}\n").as_bytes());
    text
}

fn any_map(bytes: &[u8]) {
    let Ok(mut map) = Map::from_text(bytes) else {
        return;
    };
    same_again(&map);
    let counts = map.counts();
    let known = u128::from(map.end.unwrap_or(0).max(map.frontier()));
    let sum = [counts.good, counts.bad, counts.not_tried];
    assert_eq!(sum.into_iter().map(u128::from).sum::<u128>(), known);
    if map.is_whole() {
        assert_eq!(u128::from(counts.good), known);
    }
    for run in map.runs().to_vec() {
        for object in [run.first, run.end() - 1] {
            let found = map.state(object).expect("it is in a run");
            assert_eq!((found.first, found.objects), (object, 1));
            let same = match (&found.state, &run.state) {
                (State::Good(Place::Found(at)), State::Good(Place::Found(first))) => {
                    at - first == 2 * (object - run.first)
                }
                (one, other) => one == other,
            };
            assert!(same, "{run:?}, {found:?}");
        }
    }
    let picture = Picture::of_map(&map);
    assert!(picture.text().len() < 10_000 && picture.svg("fuzz").len() < 1_000_000);
    changed(&mut map);
}

/// What a rescue does to a map leaves one.
fn changed(map: &mut Map) {
    if map.frontier() == 0 {
        // Nothing is written down behind an end before that was doubted.
        return;
    }
    let middle = map.frontier() / 2;
    let is_good =
        |map: &Map| matches!(map.state(middle).map(|run| run.state), Some(State::Good(_)));
    let good = is_good(map);
    if !map.sources.is_empty() {
        let attempt = Attempt {
            source: 0,
            tries: 1,
            errno: 5,
            when: 1,
        };
        map.set_bad(middle, attempt);
        same_again(map);
        assert_eq!(is_good(map), good, "what is good stays good");
    }
    map.set_good(middle, Place::Found(5));
    assert!(is_good(map));
    map.forget_found_from(3);
    assert!(!is_good(map));
    map.settle();
    assert!(!map.needs_found());
    map.forget_base_from(0);
    assert_eq!(map.counts().good, 0);
}

fn same_again(map: &Map) {
    let again = Map::from_text(map.to_text().as_bytes());
    // What follows one on another may be one run by now; the objects are the same.
    let again = again.expect("it was written just now");
    assert_eq!(&again, map);
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "pseudotape-rescue 1\n\
        target 00000000-0000-0000-0000-000000001234\n\
        partition 0\n\
        source [\"00000000-0000-0000-0000-000000000007\",\"L\",\"D\",3]\n\
        end 14\n\
        good 0 9\n\
        bad 9 1 0:3:5:1764000000\n\
        todo 10 1\n\
        found 11 1 1\n\
        todo 12 2\n";

    #[test]
    fn any_bytes_are_a_map_that_holds_or_none() {
        assert!(Map::from_text(&with_checksum(GOOD.as_bytes())).is_ok());
        let huge = GOOD
            .replace("end 14", "end ?")
            .replace("todo 12 2", "todo 12 18446744073709551603");
        assert!(Map::from_text(&with_checksum(huge.as_bytes())).is_ok());
        let (empty, _) = GOOD.split_once("good ").expect("it has runs");
        let empty = &empty.replace("end 14", "end 0");
        assert!(Map::from_text(&with_checksum(empty.as_bytes())).is_ok());
        for text in [GOOD, &huge, empty] {
            fuzz_map(text.as_bytes());
            fuzz_map(&with_checksum(text.as_bytes()));
            for at in 0..text.len() {
                fuzz_map(&text.as_bytes()[..at]);
                for byte in [b'0', b'9', b' ', b'\n', b':', 0xff] {
                    let mut other = text.as_bytes().to_vec();
                    other[at] = byte;
                    fuzz_map(&other);
                }
            }
        }
        fuzz_map(b"");
    }
}
