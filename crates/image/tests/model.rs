//! The image against a list in memory: every operation, also overwriting in the middle and opening again.

use std::num::NonZeroU32;

use proptest::prelude::*;
use pseudotape_image::{
    Access, CreateParameters, Image, MemoryStore, Object, Spaced, Uuid, VolumeId,
};
use pseudotape_tape::{Mark, ObjectNumber, Stop};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Block(Vec<u8>),
    Filemark,
    Setmark,
}

#[derive(Clone, Debug)]
enum Op {
    Append { length: usize, fill: u8 },
    AppendBlocks { size: u32, count: usize, fill: u8 },
    Extend { length: usize },
    Marks { mark: Mark, count: u32 },
    Read { room: usize, times: usize },
    SpaceBlocks(i64),
    SpaceMarks(Mark, i64),
    Locate(u64),
    Rewind,
    ToEnd,
    Erase,
    Sync,
    Finish,
    Abandon,
}

fn mark() -> impl Strategy<Value = Mark> {
    prop_oneof![4 => Just(Mark::Filemark), 1 => Just(Mark::Setmark)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..5000usize, any::<u8>()).prop_map(|(length, fill)| Op::Append { length, fill }),
        4 => (1..40u32, 1..700usize, any::<u8>())
            .prop_map(|(size, count, fill)| Op::AppendBlocks { size, count, fill }),
        2 => (1..300usize).prop_map(|length| Op::Extend { length }),
        3 => (mark(), 0..4u32).prop_map(|(mark, count)| Op::Marks { mark, count }),
        6 => (0..6000usize, 1..10usize).prop_map(|(room, times)| Op::Read { room, times }),
        3 => (-900..900i64).prop_map(Op::SpaceBlocks),
        3 => (mark(), -5..5i64).prop_map(|(mark, count)| Op::SpaceMarks(mark, count)),
        3 => (0..3000u64).prop_map(Op::Locate),
        1 => Just(Op::Rewind),
        2 => Just(Op::ToEnd),
        1 => Just(Op::Erase),
        1 => Just(Op::Sync),
        1 => Just(Op::Finish),
        1 => Just(Op::Abandon),
    ]
}

/// A tape as a list.
#[derive(Default)]
struct Model {
    items: Vec<Item>,
    at: usize,
}

impl Model {
    fn put(&mut self, item: Item) {
        self.items.truncate(self.at);
        self.items.push(item);
        self.at += 1;
    }

    fn files_before(&self) -> usize {
        self.items[..self.at]
            .iter()
            .filter(|item| **item == Item::Filemark)
            .count()
    }

    fn payload_before(&self) -> usize {
        self.items[..self.at].iter().map(length_of).sum()
    }

    fn space_blocks(&mut self, count: i64) -> Spaced {
        let mut done = 0;
        while done < count.unsigned_abs() {
            let stop = if count > 0 {
                let item = self.items.get(self.at);
                self.at += usize::from(item.is_some());
                stop_at(item, Stop::EndOfData)
            } else {
                self.at = self.at.wrapping_sub(1);
                let item = self.items.get(self.at);
                self.at = if item.is_none() { 0 } else { self.at };
                stop_at(item, Stop::BeginningOfPartition)
            };
            if stop.is_some() {
                return Spaced { count: done, stop };
            }
            done += 1;
        }
        Spaced {
            count: done,
            stop: None,
        }
    }

    fn space_marks(&mut self, mark: Mark, count: i64) -> Spaced {
        let wanted = match mark {
            Mark::Filemark => Item::Filemark,
            Mark::Setmark => Item::Setmark,
        };
        let mut done = 0;
        while done < count.unsigned_abs() {
            let item = if count > 0 {
                let item = self.items.get(self.at);
                self.at += usize::from(item.is_some());
                item
            } else {
                self.at = self.at.wrapping_sub(1);
                let item = self.items.get(self.at);
                self.at = if item.is_none() { 0 } else { self.at };
                item
            };
            match item {
                None if count > 0 => {
                    return Spaced {
                        count: done,
                        stop: Some(Stop::EndOfData),
                    };
                }
                None => {
                    return Spaced {
                        count: done,
                        stop: Some(Stop::BeginningOfPartition),
                    };
                }
                Some(item) if *item == wanted => done += 1,
                Some(Item::Setmark) => {
                    return Spaced {
                        count: done,
                        stop: Some(Stop::Setmark),
                    };
                }
                Some(_) => {}
            }
        }
        Spaced {
            count: done,
            stop: None,
        }
    }
}

fn length_of(item: &Item) -> usize {
    match item {
        Item::Block(data) => data.len(),
        Item::Filemark | Item::Setmark => 0,
    }
}

fn stop_at(item: Option<&Item>, none: Stop) -> Option<Stop> {
    match item {
        None => Some(none),
        Some(Item::Block(_)) => None,
        Some(Item::Filemark) => Some(Stop::Filemark),
        Some(Item::Setmark) => Some(Stop::Setmark),
    }
}

fn filled(length: usize, fill: u8) -> Vec<u8> {
    (0..length)
        .map(|i| fill.wrapping_add((i % 251) as u8))
        .collect()
}

fn read_and_compare(image: &mut Image<MemoryStore>, model: &mut Model, room: usize) {
    let mut buffer = vec![0; room];
    let met = image.read_object(&mut buffer).unwrap();
    let item = model.items.get(model.at);
    model.at += usize::from(item.is_some());
    match (met, item) {
        (Object::EndOfData, None)
        | (Object::Filemark, Some(Item::Filemark))
        | (Object::Setmark, Some(Item::Setmark)) => {}
        (Object::Block { length, copied }, Some(Item::Block(data))) => {
            assert_eq!(length as usize, data.len());
            assert_eq!(copied, data.len().min(room));
            assert_eq!(buffer[..copied], data[..copied]);
        }
        other => panic!("read {:?}, expected {:?}", other.0, other.1),
    }
}

fn new_image() -> Image<MemoryStore> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    Image::create(MemoryStore::default(), &parameters).unwrap()
}

fn reopened(store: MemoryStore) -> Image<MemoryStore> {
    let (image, report) = Image::open(store, Access::ReadWrite).unwrap();
    assert!(
        report.torn_tail.is_none() && report.gaps.is_empty(),
        "{report}"
    );
    image
}

fn run(ops: Vec<Op>) {
    let mut image = new_image();
    let mut model = Model::default();
    let mut extendable = false;
    for op in ops {
        let was_extendable = std::mem::take(&mut extendable);
        match op {
            Op::Append { length, fill } => {
                let data = filled(length, fill);
                image.append_block(&data).unwrap();
                model.put(Item::Block(data));
                extendable = true;
            }
            Op::AppendBlocks { size, count, fill } => {
                let data = filled(size as usize * count, fill);
                image
                    .append_blocks(NonZeroU32::new(size).unwrap(), &data)
                    .unwrap();
                data.chunks(size as usize)
                    .for_each(|block| model.put(Item::Block(block.to_vec())));
            }
            Op::Extend { length } => {
                let data = filled(length, 3);
                assert_eq!(image.extend_block(&data).is_ok(), was_extendable);
                if was_extendable && let Some(Item::Block(block)) = model.items.last_mut() {
                    block.extend_from_slice(&data);
                }
                extendable = was_extendable;
            }
            Op::Marks { mark, count } => {
                image.append_marks(mark, count).unwrap();
                for _ in 0..count {
                    model.put(match mark {
                        Mark::Filemark => Item::Filemark,
                        Mark::Setmark => Item::Setmark,
                    });
                }
                extendable = was_extendable && count == 0;
            }
            Op::Read { room, times } => {
                (0..times).for_each(|_| read_and_compare(&mut image, &mut model, room));
            }
            Op::SpaceBlocks(count) => {
                assert_eq!(
                    image.space_blocks(count).unwrap(),
                    model.space_blocks(count)
                );
            }
            Op::SpaceMarks(mark, count) => {
                assert_eq!(
                    image.space_marks(mark, count).unwrap(),
                    model.space_marks(mark, count)
                );
            }
            Op::Locate(object) => {
                let behind = object > model.items.len() as u64;
                let stop = image.locate(ObjectNumber(object)).unwrap();
                assert_eq!(stop, behind.then_some(Stop::EndOfData));
                model.at = (object as usize).min(model.items.len());
            }
            Op::Rewind => {
                image.rewind();
                model.at = 0;
            }
            Op::ToEnd => {
                image.to_end_of_data();
                model.at = model.items.len();
            }
            Op::Erase => {
                image.erase_from_here().unwrap();
                model.items.truncate(model.at);
            }
            Op::Sync => image.sync().unwrap(),
            Op::Finish => {
                image = reopened(image.finish().unwrap());
                model.at = 0;
            }
            Op::Abandon => {
                image = reopened(image.into_store());
                model.at = 0;
            }
        }
        let place = image.place();
        assert_eq!(place.object.0, model.at as u64);
        assert_eq!(place.file.0, model.files_before() as u64);
        assert_eq!(place.payload_bytes_before, model.payload_before() as u64);
        assert_eq!(image.end_of_data().object.0, model.items.len() as u64);
    }
    image = reopened(image.finish().unwrap());
    model.at = 0;
    (0..=model.items.len()).for_each(|_| read_and_compare(&mut image, &mut model, 6000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn an_image_does_what_a_list_does(ops in prop::collection::vec(op(), 1..60)) {
        run(ops);
    }
}
