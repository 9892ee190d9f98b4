//! A capsule with a changed bit, or cut anywhere: never a panic, and never other contents.

mod common;

use std::fs;

use common::{Place, add, entries, name};
use pseudotape_farm::{Existing, Extracted, Finding, Verb, extract};

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// CW-69: whatever is damaged, it is found where it matters.
#[test]
fn a_damaged_capsule_gives_its_file_or_says_why_not() {
    let place = Place::in_memory();
    let text = "contents that are longer than a word\n".repeat(500);
    let path = place.file("a", &text);
    let root = place.root();
    add(&root, "V", Verb::Add, &[&path]).expect("added");
    let capsule = place.path("farm/V/FILE0000001.ptape");
    let good = fs::read(&capsule).expect("a capsule");
    let entry = entries(&root, "V").remove(0);
    let out = place.path("out");
    fs::create_dir(&out).expect("a folder");
    let extracted = out.join(entry.title.path());
    let (mut state, mut found, mut harmless) = (1, 0, 0);
    for round in 0..600 {
        let mut bad = good.clone();
        let at = usize::try_from(next(&mut state)).expect("64 bits") % good.len();
        match round % 6 {
            0 => bad.truncate(at),
            _ => bad[at] ^= 1 << (next(&mut state) % 8),
        }
        fs::write(&capsule, &bad).expect("written");
        let volume = root.look(&name("V")).expect("a volume");
        let mut findings = Vec::new();
        volume.verify(std::slice::from_ref(&entry), &mut |finding| {
            findings.push(finding)
        });
        let is_whole = matches!(findings[..], [Finding::Whole(_)]);
        match extract(&volume, &entry, &out, Existing::Replaced) {
            Extracted::Done(_) => {
                assert_eq!(
                    fs::read_to_string(&extracted).expect("a file"),
                    text,
                    "byte {at}"
                );
                assert!(is_whole, "byte {at}: {findings:?}");
                fs::remove_file(&extracted).expect("removed");
                harmless += 1;
            }
            Extracted::Damaged(_) => {
                assert!(!extracted.exists() && !is_whole, "byte {at}: {findings:?}");
                found += 1;
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    // A flipped bit in one of two copies of a header, or in what fills a block, costs nothing.
    assert!(
        found > 100 && harmless > 20,
        "{found} found, {harmless} harmless"
    );
}
