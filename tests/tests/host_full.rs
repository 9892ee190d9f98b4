//! A host disk that fills up is an early warning in time, and nothing that was accepted is lost.

use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error, RECORDS_OFFSET, Uuid, VolumeId};
use pseudotape_mtio::{GeneralStatus, MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OpenFlags, Opening, Options, St};
use pseudotape_testkit::block_of;
use pseudotape_testkit::store::{FaultyStore, StoreFault};

/// One partition in a store that the test fills.
struct OnHost(FaultyStore);

impl Medium for OnHost {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }
}

const NODE: Node = Node {
    mode: 0,
    rewinding: false,
};
const FLAGS: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};

/// What is kept free on the host: the length of the zone.
const ZONE: u64 = 20_000;

#[test]
fn a_full_host_is_early_warning_then_the_end_and_what_was_accepted_is_read_back() {
    let store = FaultyStore::default();
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(5)), 0);
    parameters.header.capacity_bytes = Some(1 << 30);
    parameters.header.early_warning_bytes = ZONE;
    let cartridge = Cartridge::create(OnHost(store.clone()), &parameters).expect("a new image");
    let mut drive = ImageDrive::new(Personality::default(), "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    let mut st = St::new(&Options::default());
    assert_eq!(st.open(&mut drive, NODE, FLAGS), Ok(Opening::Open));
    let full_at = RECORDS_OFFSET + 100_000;
    store.set_fault(Some(StoreFault::FullAt(full_at)));

    let mut answers = Vec::new();
    let mut accepted = 0;
    let mut warned_at = None;
    while answers.len() < 400 {
        let answer = st.write(&mut drive, &block_of(accepted, 1000));
        if answer == Ok(1000) {
            accepted += 1;
        }
        let status = st.get(&mut drive).expect("status is answered").general;
        if status.contains(GeneralStatus::EOT) {
            warned_at.get_or_insert(accepted);
        }
        answers.push(answer);
    }
    let warned_at = warned_at.expect("early warning came");
    let first = answers.iter().position(Result::is_err).expect("it is full");
    assert_eq!(
        first as u64, warned_at,
        "the write that was warned is whole, the next is ENOSPC"
    );
    // In time: what a program needs to end its volume still fits.
    assert!(
        accepted - warned_at >= ZONE / 1000 - 5,
        "{warned_at} of {accepted}"
    );
    let zone = &answers[first..];
    let last = zone
        .iter()
        .rposition(Result::is_ok)
        .expect("success and ENOSPC by turns");
    for (number, answer) in zone[..last].iter().enumerate() {
        let expected = if number % 2 == 0 {
            Err(Errno::NoSpace)
        } else {
            Ok(1000)
        };
        assert_eq!(*answer, expected, "answer {number} in the zone");
    }
    assert!(
        zone[last + 1..]
            .iter()
            .all(|answer| *answer == Err(Errno::NoSpace))
    );

    assert_eq!(st.close(&mut drive), Ok(()), "a filemark still fits");
    store.set_fault(None);
    assert_eq!(st.open(&mut drive, NODE, FLAGS), Ok(Opening::Open));
    let rewind = MtOp {
        operation: Operation::Rewind,
        count: 1,
    };
    assert_eq!(
        st.op(&mut drive, rewind, Caller { privileged: true }),
        Ok(())
    );
    let mut buffer = vec![0; 2000];
    for number in 0..accepted {
        assert_eq!(st.read(&mut drive, &mut buffer), Ok(1000));
        assert!(buffer[..1000] == block_of(number, 1000), "block {number}");
    }
    assert_eq!(
        st.read(&mut drive, &mut buffer),
        Ok(0),
        "the filemark of the close"
    );
}
