//! The suite for all drives, run on a slave's drive over each kind of channel.

mod common;

use common::{greet, master, on_socket, on_stream};
use pseudotape_drive::Personality;
use pseudotape_slave::{Checksums, Options, ServeOptions};
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::attributes_suite::has_no_place_for_attributes;
use pseudotape_testkit::{
    ModelCartridge, ModelDrive, SuiteMedium, drive_suite, image_drive, recovering,
};

fn model(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
    let mut drive = ModelDrive::new(personality);
    drive.insert(ModelCartridge {
        capacity_bytes: medium.capacity_bytes,
        early_warning_bytes: medium.early_warning_bytes,
        write_protected: medium.write_protected,
        worm: medium.worm,
        ..ModelCartridge::default()
    });
    Box::new(recovering(Bare(drive), medium.recovered_errors))
}

fn image(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    let drive = image_drive(personality, wanted);
    Box::new(recovering(drive, wanted.recovered_errors))
}

fn over_socket(served: Box<dyn Drive>, options: Options, serve: ServeOptions) -> Box<dyn Drive> {
    let (mut drive, port) = master(options);
    drop(on_socket(&port, served, serve));
    greet(&mut drive);
    Box::new(drive)
}

fn over_stream(served: Box<dyn Drive>, seed: u64) -> Box<dyn Drive> {
    let (mut drive, port) = master(Options::default());
    drop(on_stream(&port, served, seed));
    greet(&mut drive);
    Box::new(drive)
}

mod model_over_the_socket {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        let served = model(personality, medium);
        over_socket(served, Options::default(), ServeOptions::default())
    }

    drive_suite!(make);
}

mod image_over_the_socket {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        let served = image(personality, medium);
        over_socket(served, Options::default(), ServeOptions::default())
    }

    drive_suite!(make);
}

mod with_checksums_in_shared_memory {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        let options = Options {
            checksums: Checksums::Always,
            ..Options::default()
        };
        let serve = ServeOptions {
            checksums: Checksums::Always,
            ..ServeOptions::default()
        };
        over_socket(model(personality, medium), options, serve)
    }

    drive_suite!(make);
}

mod without_shared_memory {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        let serve = ServeOptions {
            shared_memory: false,
            ..ServeOptions::default()
        };
        over_socket(model(personality, medium), Options::default(), serve)
    }

    drive_suite!(make);
}

mod model_over_a_stream {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        over_stream(model(personality, medium), 0x5eed)
    }

    drive_suite!(make);
}

mod image_over_a_stream {
    use super::*;

    fn make(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
        over_stream(image(personality, medium), 0xc0ffee)
    }

    drive_suite!(make);
}

/// The protocol has no request for them: whatever serves, the master's drive has no place.
#[test]
fn a_slave_has_no_place_for_attributes() {
    let served = Box::new(image_drive(Personality::default(), SuiteMedium::default()));
    let (mut drive, port) = master(Options::default());
    drop(on_socket(&port, served, ServeOptions::default()));
    greet(&mut drive);
    has_no_place_for_attributes(&mut drive);
}
