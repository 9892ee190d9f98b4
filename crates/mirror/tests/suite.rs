//! The suite of every drive, on mirrors of 1, 2, 3 and 8 legs (PT-07).

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{MirrorDrive, MirrorOptions};
use pseudotape_tape::Drive;
use pseudotape_testkit::{SuiteMedium, drive_suite};

use support::{image_leg, model_leg};

fn mirror(legs: usize, personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
    let mut mirror = MirrorDrive::new(MirrorOptions::default());
    let new = (0..legs).map(|number| {
        // Models and images in turn.
        let medium = SuiteMedium {
            // The mirror adds up what its legs recovered: here one of them does.
            recovered_errors: if number == 0 {
                medium.recovered_errors
            } else {
                0
            },
            ..medium
        };
        if number % 2 == 0 {
            model_leg(&format!("m{number}"), personality, medium)
        } else {
            image_leg(&format!("i{number}"), personality, medium)
        }
    });
    mirror.insert(new.collect()).expect("the legs are alike");
    // The attention of the new volumes.
    assert!(mirror.test_ready().is_err());
    Box::new(mirror)
}

mod one_leg {
    use super::*;
    drive_suite!(|personality, medium| mirror(1, personality, medium));
}

mod two_legs {
    use super::*;
    drive_suite!(|personality, medium| mirror(2, personality, medium));
}

mod three_legs {
    use super::*;
    drive_suite!(|personality, medium| mirror(3, personality, medium));
}

mod eight_legs {
    use super::*;
    drive_suite!(|personality, medium| mirror(8, personality, medium));
}
