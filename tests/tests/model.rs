//! `st` over `drive` over `image`, against `st` over a plain tape in memory, by random operations.
//!
//! proptest prints the seed of a failure and shrinks it; `PROPTEST_CASES` makes a longer night.

use proptest::prelude::*;
use pseudotape_drive::{Cartridge, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_mtio::{Booleans, MtOp, Operation as MtOperation};
use pseudotape_st::{AccessMode, Caller, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Mark, Motion};
use pseudotape_testkit::{ModelCartridge, ModelDrive, Operation, block_of, compare, operation};

/// Where the two media end; small, so that ends are met often.
#[derive(Clone, Copy, Debug)]
struct Size {
    capacity_bytes: Option<u64>,
    early_warning_bytes: u64,
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        Just(Size {
            capacity_bytes: None,
            early_warning_bytes: 0
        }),
        (5_000..400_000_u64, 0..2_000_u64).prop_map(|(capacity, early_warning_bytes)| Size {
            capacity_bytes: Some(capacity),
            early_warning_bytes,
        }),
    ]
}

fn personality() -> impl Strategy<Value = Personality> {
    prop::sample::select(Personality::ALL)
}

fn model(personality: Personality, size: Size) -> ModelDrive {
    let mut drive = ModelDrive::new(personality);
    drive.insert(ModelCartridge {
        capacity_bytes: size.capacity_bytes,
        early_warning_bytes: size.early_warning_bytes,
        ..ModelCartridge::default()
    });
    drive
}

fn image(personality: Personality, size: Size) -> ImageDrive<MemoryMedium> {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    parameters.header.capacity_bytes = size.capacity_bytes;
    parameters.header.early_warning_bytes = size.early_warning_bytes;
    let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("memory takes an image");
    let mut drive = ImageDrive::new(personality, "TEST".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive
}

/// One system call.
#[derive(Clone, Debug)]
enum Call {
    Open { rewinding: bool, flags: OpenFlags },
    Close,
    Read(usize),
    Write { seed: u64, length: usize },
    Extend { seed: u64, length: usize },
    Op(MtOp),
    Get,
    Pos,
}

fn open_flags() -> impl Strategy<Value = OpenFlags> {
    let access = prop_oneof![
        1 => Just(AccessMode::Read), 1 => Just(AccessMode::Write), 6 => Just(AccessMode::ReadWrite)
    ];
    (access, any::<bool>()).prop_map(|(access, nonblock)| OpenFlags { access, nonblock })
}

fn mt_op() -> impl Strategy<Value = MtOp> {
    let moving = (
        prop::sample::select(vec![1, 2, 3, 4, 6, 10, 11, 12, 22_i16]),
        -3..6_i32,
    );
    // Negative counts of marks ask for 16 million of them, as on st.
    let marks = (prop::sample::select(vec![5, 27, 35_i16]), 0..4_i32);
    let block_size =
        prop::sample::select(vec![0, 512, 1024, 3, 700]).prop_map(|size| (20_i16, size));
    let rare = (
        prop::sample::select(vec![
            0, 7, 8, 9, 13, 21, 25, 26, 28, 29, 30, 31, 32, 33, 34, 40_i16,
        ]),
        0..3_i32,
    );
    let option = prop::sample::select(vec![
        Booleans::TWO_FILEMARKS,
        Booleans::FAST_EOM,
        Booleans::CAN_BSR,
        Booleans::CAN_PARTITIONS,
        Booleans::SYSV,
        Booleans::SILI,
        Booleans::READ_AHEAD,
    ]);
    let option = (any::<bool>(), option).prop_map(|(on, switch)| {
        let form = if on { 0x3000_0000 } else { 0x4000_0000 };
        (
            24_i16,
            form | i32::try_from(switch.bits()).expect("16 bits"),
        )
    });
    prop_oneof![12 => moving, 5 => marks, 2 => block_size, 3 => rare, 1 => option].prop_map(
        |(number, count)| MtOp {
            operation: MtOperation::from(number),
            count,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    let length = prop_oneof![
        1..40_usize,
        500..3000_usize,
        prop::sample::select(vec![512, 1024, 10_240, 1400])
    ];
    prop_oneof![
        3 => (any::<bool>(), open_flags()).prop_map(|(rewinding, flags)| Call::Open { rewinding, flags }),
        2 => Just(Call::Close),
        8 => length.clone().prop_map(Call::Read),
        10 => (any::<u64>(), length.clone()).prop_map(|(seed, length)| Call::Write { seed, length }),
        1 => (any::<u64>(), length).prop_map(|(seed, length)| Call::Extend { seed, length }),
        12 => mt_op().prop_map(Call::Op),
        4 => Just(Call::Get),
        4 => Just(Call::Pos),
    ]
}

/// Does a call and says all that the program would see.
fn run(st: &mut St, drive: &mut dyn Drive, call: &Call) -> String {
    match call {
        Call::Open { rewinding, flags } => {
            let opening = st.open(
                drive,
                Node {
                    mode: 0,
                    rewinding: *rewinding,
                },
                *flags,
            );
            if opening == Ok(Opening::Waiting) {
                return format!("waited in vain: {:?}", st.abandon_open());
            }
            format!("{opening:?}")
        }
        Call::Close => format!("{:?}", st.close(drive)),
        Call::Read(length) => {
            let mut buffer = vec![0xee; *length];
            let result = st.read(drive, &mut buffer);
            let bytes = result.map_or(0, |count| count);
            format!("{result:?} {:08x}", checksum(&buffer[..bytes]))
        }
        Call::Write { seed, length } => format!("{:?}", st.write(drive, &block_of(*seed, *length))),
        Call::Extend { seed, length } => {
            format!("{:?}", st.extend(drive, &block_of(*seed, *length)))
        }
        Call::Op(op) => format!("{:?}", st.op(drive, *op, Caller { privileged: true })),
        Call::Get => format!("{:?}", st.get(drive)),
        Call::Pos => format!("{:?}", st.pos(drive)),
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(1, |sum: u32, byte| {
        sum.wrapping_mul(16_777_619) ^ u32::from(*byte)
    })
}

proptest! {
    #[test]
    fn a_drive_over_an_image_answers_as_a_plain_tape(
        personality in personality(),
        size in size(),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        // The plain tape does not share its capacity out to partitions, and counts setmarks, which an image does not:
        // no record tells how many lie before a place.
        let is_own = |operation: &Operation| match operation {
            Operation::Motion(Motion::MakePartitions(_)) => true,
            Operation::Motion(Motion::WriteMarks { mark, .. }) => *mark == Mark::Setmark,
            _ => false,
        };
        let operations: Vec<_> = operations
            .into_iter()
            .filter(|operation| size.capacity_bytes.is_none() || !is_own(operation))
            .collect();
        let (mut model, mut image) = (model(personality, size), image(personality, size));
        if let Err(difference) = compare(&mut model, &mut image, &operations) {
            prop_assert!(false, "{}", difference);
        }
    }

    #[test]
    fn programs_see_the_same_on_an_image_as_on_a_plain_tape(
        personality in personality(),
        size in size(),
        calls in prop::collection::vec(call(), 1..120),
    ) {
        let own = [MtOperation::MakePartitions, MtOperation::WriteSetmarks];
        let is_own = |call: &Call| matches!(call, Call::Op(op) if own.contains(&op.operation));
        let calls: Vec<_> = calls
            .into_iter()
            .filter(|call| size.capacity_bytes.is_none() || !is_own(call))
            .collect();
        let (mut model, mut image) = (model(personality, size), image(personality, size));
        let (mut on_model, mut on_image) = (St::new(&Options::default()), St::new(&Options::default()));
        for (number, call) in calls.iter().enumerate() {
            let expected = run(&mut on_model, &mut model, call);
            let found = run(&mut on_image, &mut image, call);
            prop_assert_eq!(expected, found, "call {}: {:?}", number, call);
        }
    }
}
