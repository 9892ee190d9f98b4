//! Random operations: a drive behind the protocol returns the same results as the model in process.

mod common;

use common::{greet, master, on_socket, on_stream};
use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_slave::{Checksums, Options, ServeOptions};
use pseudotape_tape::Drive;
use pseudotape_testkit::{ModelCartridge, ModelDrive, compare, operation};

fn model(capacity_bytes: Option<u64>) -> ModelDrive {
    let personality = Personality::named("dds").expect("a personality of ours");
    let mut drive = ModelDrive::new(personality);
    drive.insert(ModelCartridge {
        capacity_bytes,
        early_warning_bytes: 50_000,
        ..ModelCartridge::default()
    });
    drive
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_come_to_the_same(
        operations in prop::collection::vec(operation(), 1..60),
        capacity in prop::option::of(100_000..400_000_u64),
        channel in 0..3_u8,
        seed: u64,
    ) {
        let mut own = model(capacity);
        while own.test_ready().is_err() {}
        let served = Box::new(model(capacity));
        let options = Options { checksums: Checksums::Always, ..Options::default() };
        let (mut drive, port) = master(options);
        let serve = ServeOptions { shared_memory: channel == 0, ..ServeOptions::default() };
        let _served = if channel == 2 {
            on_stream(&port, served, seed)
        } else {
            on_socket(&port, served, serve)
        };
        greet(&mut drive);
        prop_assert_eq!(compare(&mut own, &mut drive, &operations), Ok(()));
    }
}
