//! Somebody who can write to the tape and has not the key: what he does to blocks is an error, and never wrong data.

use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_tape::{
    Address, Drive, Mark, ObjectNumber, PartitionNumber, Partitioning, Sense, Stop, Transfer,
    Volume, WriteMode,
};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

use crate::codec::{Binding, Encoder, Filter};
use crate::drive::FilterDrive;
use crate::key::Key;

type Tape = FilterDrive<ModelDrive>;

fn filter() -> Filter {
    Filter {
        compression: None,
        key: Some(Key::new([9; 32])),
        binding: Binding::Checked,
    }
}

fn blank() -> ModelDrive {
    // It knows setmarks and partitions.
    let dds = Personality::named("dds").expect("a personality of ours");
    let mut drive = ModelDrive::new(dds);
    drive.insert(ModelCartridge::default());
    drive.clear_attention();
    drive
}

fn reopened(tape: Tape) -> Tape {
    FilterDrive::new(tape.into_below(), filter())
}

fn objects(tape: &mut Tape) -> &mut Vec<ModelObject> {
    &mut tape.below_mut().cartridge_mut().unwrap().partitions[0]
}

/// One step of writing a tape.
#[derive(Clone, Debug)]
enum Step {
    Block(u16),
    Marks(Mark, u32),
    /// Another opening, at the end of data.
    Reopen,
    /// Back to an object, which is written over.
    BackTo(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..200_u16).prop_map(Step::Block),
        2 => (prop_oneof![Just(Mark::Filemark), Just(Mark::Setmark)], 1..3_u32)
            .prop_map(|(mark, count)| Step::Marks(mark, count)),
        1 => Just(Step::Reopen),
        1 => any::<prop::sample::Index>().prop_map(Step::BackTo),
    ]
}

/// What a program sees at an object.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Block(Vec<u8>),
    Stop(Stop),
    Refused(Sense),
}

fn read_one(tape: &mut Tape) -> Seen {
    let mut buffer = vec![0xEE; 400];
    match tape.read(Transfer::Variable, &mut buffer) {
        Ok(done) => match done.stop {
            Some(stop) => Seen::Stop(stop),
            None => Seen::Block(buffer[..done.bytes].to_vec()),
        },
        Err(failed) => {
            assert!(
                buffer.iter().all(|byte| *byte == 0xEE),
                "bytes of a refused block"
            );
            Seen::Refused(failed.sense)
        }
    }
}

/// Everything from the beginning to the end of data.
fn read_all(tape: &mut Tape) -> Vec<Seen> {
    tape.rewind().unwrap();
    let mut all = Vec::new();
    loop {
        match read_one(tape) {
            Seen::Stop(Stop::EndOfData) => return all,
            seen => all.push(seen),
        }
    }
}

fn locate(tape: &mut Tape, object: u64) {
    tape.locate(Address {
        partition: None,
        object: ObjectNumber(object),
    })
    .unwrap();
}

/// A tape that these steps write, and every stored block that ever was at a place.
fn written(steps: &[Step], seed: u64) -> (Tape, Vec<(usize, ModelObject)>) {
    let mut tape = FilterDrive::new(blank(), filter());
    let mut older = Vec::new();
    for (step, number) in steps.iter().zip(seed..) {
        match step {
            Step::Block(length) => {
                let block = block_of(number, usize::from(*length));
                tape.write(Transfer::Variable, &block).unwrap();
                let stored = tape.below().cartridge().unwrap().partitions[0].last();
                let at = tape.below().cartridge().unwrap().partitions[0].len() - 1;
                older.push((at, stored.unwrap().clone()));
            }
            Step::Marks(mark, count) => {
                tape.write_marks(*mark, *count, WriteMode::Immediate)
                    .unwrap();
            }
            Step::Reopen => {
                tape = reopened(tape);
                tape.space_to_end_of_data().unwrap();
            }
            Step::BackTo(place) => {
                let count = tape.below().cartridge().unwrap().partitions[0].len();
                locate(&mut tape, place.index(count + 1) as u64);
            }
        }
    }
    (tape, older)
}

/// What the attacker does.
#[derive(Clone, Debug)]
enum Attack {
    Swap,
    Repeat,
    Insert,
    Drop,
    /// Turns a block into a mark.
    Mark(Mark),
    /// Cuts a file short, and fills the gap with filemarks.
    Shorten,
    /// A block of the same place of another volume.
    OtherVolume,
    /// An older block of the same place.
    Older,
}

fn attack() -> impl Strategy<Value = Attack> {
    prop::sample::select(vec![
        Attack::Swap,
        Attack::Repeat,
        Attack::Insert,
        Attack::Drop,
        Attack::Mark(Mark::Filemark),
        Attack::Mark(Mark::Setmark),
        Attack::Shorten,
        Attack::OtherVolume,
        Attack::Older,
    ])
}

/// Does the attack; `false` where the tape has nothing for it.
fn attacked(
    attack: &Attack,
    objects: &mut Vec<ModelObject>,
    other: &[ModelObject],
    older: &[(usize, ModelObject)],
    (a, b): (usize, usize),
) -> bool {
    let before = objects.clone();
    let mark = |mark: &Mark| match mark {
        Mark::Filemark => ModelObject::Filemark,
        Mark::Setmark => ModelObject::Setmark,
    };
    match attack {
        Attack::Swap => objects.swap(a, b),
        Attack::Repeat => objects[b] = objects[a].clone(),
        Attack::Insert => objects.insert(b, objects[a].clone()),
        Attack::Drop => drop(objects.remove(a)),
        Attack::Mark(kind) => objects[a] = mark(kind),
        Attack::Shorten => {
            let (from, to) = (a.min(b), a.max(b));
            objects[from..to].fill(ModelObject::Filemark);
        }
        Attack::OtherVolume => match other.get(a) {
            Some(block @ ModelObject::Block(_)) => objects[a] = block.clone(),
            _ => return false,
        },
        Attack::Older => {
            let earlier = older
                .iter()
                .find(|(at, block)| *at == a && *block != objects[a]);
            match earlier {
                Some((_, block)) => objects[a] = block.clone(),
                None => return false,
            }
        }
    }
    *objects != before
}

/// The last object that is a block: what an attacker does behind it, or to it and what follows, is a tape that ends
/// earlier.
fn last_block(objects: &[ModelObject]) -> Option<usize> {
    objects
        .iter()
        .rposition(|object| matches!(object, ModelObject::Block(_)))
}

/// Whether the next block behind a block is of its segment.
fn segment_goes_on(objects: &[ModelObject], place: usize) -> bool {
    let salt = |object: &ModelObject| match object {
        ModelObject::Block(bytes) => Some(bytes[32..48].to_vec()),
        _ => None,
    };
    let own = salt(&objects[place]);
    own.is_some() && own == objects[place + 1..].iter().find_map(salt)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_an_attacker_does_to_blocks_is_an_error_and_never_wrong_data(
        steps in prop::collection::vec(step(), 2..40),
        other_steps in prop::collection::vec(step(), 2..40),
        attack in attack(),
        places in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        probes in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (mut tape, older) = written(&steps, 1);
        let (mut other, _) = written(&other_steps, 1000);
        let count = objects(&mut tape).len();
        prop_assume!(count > 1);
        let mut tape = reopened(tape);
        let good = read_all(&mut tape);
        prop_assert!(good.iter().all(|seen| !matches!(seen, Seen::Refused(_))), "{good:?}");

        let (a, b) = (places.0.index(count), places.1.index(count));
        let stored = objects(&mut tape).clone();
        let other = objects(&mut other).clone();
        prop_assume!(attacked(&attack, objects(&mut tape), &other, &older, (a, b)));
        let now = objects(&mut tape).clone();
        let is_block = |object: &&ModelObject| matches!(object, ModelObject::Block(_));
        let first = now.iter().position(|object| is_block(&object));
        // Who puts the first block of another volume there makes it that volume, to which all others do not belong.
        let other_volume = matches!(attack, Attack::OtherVolume) && first == Some(a);
        // Blocks that became marks, or are gone at the end, leave a trace where a block of their segment follows.
        let stay = now
            .iter()
            .enumerate()
            .filter(|(_, object)| is_block(object))
            .all(|(place, object)| stored.get(place) == Some(object));
        let gone = stored
            .iter()
            .enumerate()
            .find(|(place, object)| is_block(object) && now.get(*place) != Some(object))
            .map(|(place, _)| place);
        let one_segment = steps
            .iter()
            .all(|step| matches!(step, Step::Block(_) | Step::Marks(..)));
        let followed = last_block(&now) > gone;
        let must_be_told = match stay {
            // An older block is the right one before another segment, as before the tape went on with that.
            _ if matches!(attack, Attack::Older) => segment_goes_on(&stored, a),
            true => gone.is_some() && one_segment && followed,
            false => true,
        };

        let mut tape = reopened(tape);
        let seen = read_all(&mut tape);
        let mut refused = 0;
        for (place, seen) in seen.iter().enumerate() {
            match seen {
                Seen::Refused(sense) => {
                    prop_assert_eq!(*sense, Sense::MediumError);
                    refused += 1;
                }
                Seen::Block(_) if matches!(attack, Attack::Older) && place == a => {}
                Seen::Block(_) if !other_volume || first != Some(place) => {
                    prop_assert_eq!(Some(seen), good.get(place), "object {}", place);
                }
                Seen::Block(_) | Seen::Stop(_) => {}
            }
        }
        let blocks = now.iter().filter(is_block).count();
        if must_be_told && !other_volume {
            prop_assert!(refused > 0, "{attack:?}: nothing was told");
        }
        if other_volume {
            prop_assert!(refused + 1 >= blocks, "of the old volume nothing is given");
        }

        // One place alone, after locating it: an older block of the same place and volume is all that can be there.
        if !matches!(attack, Attack::Older) && !other_volume {
            for probe in probes {
                let place = probe.index(now.len());
                let mut tape = FilterDrive::new(tape.below().clone(), filter());
                locate(&mut tape, place as u64);
                if let seen @ Seen::Block(_) = read_one(&mut tape) {
                    prop_assert_eq!(Some(&seen), good.get(place), "object {}", place);
                }
            }
        }
    }
}

/// A tape of so many blocks and a filemark behind them, opened anew.
fn plain(seed: u64, blocks: u64) -> Tape {
    let mut tape = FilterDrive::new(blank(), filter());
    for number in 0..blocks {
        let block = block_of(seed + number, 50);
        tape.write(Transfer::Variable, &block).unwrap();
    }
    tape.write_marks(Mark::Filemark, 1, WriteMode::Commit)
        .unwrap();
    reopened(tape)
}

/// What reading from the beginning says, object by object; empty for a block that is given.
fn told(tape: &mut Tape) -> Vec<String> {
    tape.rewind().unwrap();
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 100];
        match tape.read(Transfer::Variable, &mut buffer) {
            Ok(done) if done.stop == Some(Stop::EndOfData) => return all,
            Ok(_) => all.push(String::new()),
            Err(_) => all.push(tape.take_trouble().expect("a cause")),
        }
    }
}

#[test]
fn each_attack_is_told_by_what_it_is() {
    let mut swapped = plain(1, 4);
    objects(&mut swapped).swap(1, 2);
    let told_of = told(&mut swapped);
    assert!(told_of[1].contains("object 1: it was written as object 2 of partition 0"));
    assert!(told_of[2].contains("it was written as object 1"));
    assert!(
        told_of[3].is_empty(),
        "the block behind is where it was: {told_of:?}"
    );

    let mut dropped = plain(1, 4);
    objects(&mut dropped).remove(1);
    let told_of = told(&mut dropped);
    assert!(told_of[0].is_empty());
    assert!(told_of[1].contains("objects before it were taken out"));
    assert!(told_of[2].contains("written as object 3"));

    let mut mixed = plain(1, 4);
    objects(&mut mixed)[2] = objects(&mut plain(9, 4))[2].clone();
    let told_of = told(&mut mixed);
    assert!(told_of[2].contains("on another volume with the same key"));
    assert!(told_of[3].is_empty());

    // A block of the middle alone is held against the volume's beginning.
    locate(&mut mixed, 2);
    assert_eq!(read_one(&mut mixed), Seen::Refused(Sense::MediumError));
    let mut mixed = reopened(mixed);
    locate(&mut mixed, 2);
    assert_eq!(read_one(&mut mixed), Seen::Refused(Sense::MediumError));

    let mut other_partition = plain(1, 2);
    let drive = other_partition.below_mut();
    let blocks = drive.cartridge().unwrap().partitions[0].clone();
    drive.cartridge_mut().unwrap().partitions.push(blocks);
    other_partition
        .locate(Address {
            partition: Some(PartitionNumber(1)),
            object: ObjectNumber(0),
        })
        .unwrap();
    assert_eq!(
        read_one(&mut other_partition),
        Seen::Refused(Sense::MediumError)
    );

    for tape in [&mut swapped, &mut dropped, &mut mixed] {
        let mut rescue = FilterDrive::new(
            tape.below().clone(),
            Filter {
                binding: Binding::Ignored,
                ..filter()
            },
        );
        assert!(told(&mut rescue).iter().all(String::is_empty));
        assert!(rescue.mode().unwrap().write_protected);
        let failed = rescue.write(Transfer::Variable, b"x").unwrap_err();
        assert_eq!(failed.sense, Sense::WriteProtected);
    }
}

/// A block of version 1.
fn old_block(encoder: &mut Encoder, seed: u64) -> ModelObject {
    let stored = encoder.encode(&block_of(seed, 50), None, 1, 1).unwrap();
    ModelObject::Block(stored.to_vec())
}

/// A tape of version 1.
fn old_tape(blocks: u64) -> Tape {
    let mut encoder = Encoder::new(&filter());
    encoder.set_segment(Key::new([9; 32]).segment([3; 32]), 0);
    let mut tape = FilterDrive::new(blank(), filter());
    for seed in 0..blocks {
        let block = old_block(&mut encoder, seed);
        objects(&mut tape).push(block);
    }
    objects(&mut tape).push(ModelObject::Filemark);
    tape
}

#[test]
fn a_volume_of_version_1_is_read_and_appended_to() {
    let mut tape = old_tape(3);
    assert!(told(&mut tape).iter().all(String::is_empty));
    // Each time without reading before.
    for seed in [10, 20] {
        tape = reopened(tape);
        tape.space_to_end_of_data().unwrap();
        tape.write(Transfer::Variable, &block_of(seed, 50)).unwrap();
        tape.write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap();
    }
    let mut tape = reopened(tape);
    assert_eq!(told(&mut tape), vec![""; 8]);
    locate(&mut tape, 6);
    assert_eq!(read_one(&mut tape), Seen::Block(block_of(20, 50)));
    // What was appended is bound to this volume.
    let mut other = plain(1, 8);
    objects(&mut other)[6] = objects(&mut tape)[6].clone();
    assert!(told(&mut other)[6].contains("another volume"));
}

#[test]
fn blocks_of_version_1_are_held_against_their_counter() {
    for (attack, wrong) in [
        (Attack::Swap, vec![1, 2, 3]),
        (Attack::Drop, vec![1]),
        (Attack::Repeat, vec![2, 3]),
    ] {
        let mut tape = old_tape(5);
        assert!(attacked(&attack, objects(&mut tape), &[], &[], (1, 2)));
        let told_of = told(&mut tape);
        let refused: Vec<_> = (0..told_of.len())
            .filter(|place| !told_of[*place].is_empty())
            .collect();
        assert_eq!(refused, wrong, "{attack:?}: {told_of:?}");
        for place in wrong {
            assert!(told_of[place].contains("where"), "{told_of:?}");
        }
    }
}

#[test]
fn a_block_of_version_1_is_none_of_a_volume_of_version_2() {
    let mut tape = plain(1, 4);
    let mut old = old_tape(4);
    objects(&mut tape)[2] = objects(&mut old)[2].clone();
    let told_of = told(&mut tape);
    assert!(told_of[2].contains("of version 1"), "{told_of:?}");
    assert!(told_of[3].is_empty());
    let mut tape = reopened(tape);
    locate(&mut tape, 2);
    assert_eq!(read_one(&mut tape), Seen::Refused(Sense::MediumError));
}

#[test]
fn a_copy_of_the_stored_blocks_is_the_same_volume() {
    let mut tape = plain(1, 4);
    let mut copy = FilterDrive::new(blank(), filter());
    let stored = objects(&mut tape).clone();
    objects(&mut copy).extend(stored);
    assert_eq!(told(&mut copy), vec![""; 5]);
    copy.write(Transfer::Variable, b"more").unwrap();
    assert_eq!(told(&mut reopened(copy)), vec![""; 6]);
}

#[test]
fn a_damaged_beginning_costs_what_is_damaged() {
    let mut tape = plain(1, 5);
    objects(&mut tape)[0] = ModelObject::Damaged(40);
    let stored = objects(&mut tape)[1].clone();
    objects(&mut tape)[1] = match stored {
        ModelObject::Block(mut bytes) => {
            bytes[90] ^= 1;
            ModelObject::Block(bytes)
        }
        object => object,
    };
    let mut tape = reopened(tape);
    locate(&mut tape, 4);
    assert_eq!(read_one(&mut tape), Seen::Block(block_of(5, 50)));
    // And the volume can be gone on with.
    tape.space_to_end_of_data().unwrap();
    tape.write(Transfer::Variable, &block_of(77, 50)).unwrap();
    let seen = read_all(&mut reopened(tape));
    assert_eq!(seen[6], Seen::Block(block_of(77, 50)));
    assert!(
        seen[..2]
            .iter()
            .all(|seen| *seen == Seen::Refused(Sense::MediumError))
    );
}

#[test]
fn nothing_is_appended_to_what_has_another_key() {
    let mut tape = plain(1, 3);
    let other = Filter {
        key: Some(Key::new([8; 32])),
        ..filter()
    };
    tape = FilterDrive::new(tape.into_below(), other);
    tape.space_to_end_of_data().unwrap();
    let failed = tape.write(Transfer::Variable, b"more").unwrap_err();
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert_eq!(failed.position.map(|p| p.object.0), Some(4), "where it was");
    let trouble = tape.take_trouble().unwrap();
    assert!(
        trouble.contains("behind object 0: it was encrypted with another key"),
        "{trouble}"
    );
    // From the beginning it is a new volume.
    tape.rewind().unwrap();
    tape.write(Transfer::Variable, b"new").unwrap();
    tape.write(Transfer::Variable, b"volume").unwrap();
    tape.rewind().unwrap();
    assert_eq!(read_one(&mut tape), Seen::Block(b"new".to_vec()));
    assert_eq!(read_one(&mut tape), Seen::Block(b"volume".to_vec()));
}

#[test]
fn each_partition_begins_a_volume_of_its_own() {
    let mut tape = FilterDrive::new(blank(), filter());
    tape.make_partitions(Partitioning::SecondOf(1)).unwrap();
    let place = |partition, object| Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(object),
    };
    for partition in [0, 1, 0, 1] {
        tape.locate(place(partition, 0)).unwrap();
        tape.space_to_end_of_data().unwrap();
        tape.write(Transfer::Variable, &[partition + 1; 30])
            .unwrap();
    }
    for partition in [1, 0] {
        tape.locate(place(partition, 1)).unwrap();
        assert_eq!(read_one(&mut tape), Seen::Block(vec![partition + 1; 30]));
    }
    assert_eq!(told(&mut tape), vec![""; 2]);
    let mut tape = reopened(tape);
    tape.locate(place(1, 1)).unwrap();
    assert_eq!(read_one(&mut tape), Seen::Block(vec![2; 30]));
}
