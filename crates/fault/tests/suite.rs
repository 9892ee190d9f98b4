//! A drive behind faults that are never met runs the suite of every drive: nothing differs.

use pseudotape_drive::Personality;
use pseudotape_fault::{Fault, Faulty};
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::attributes_suite::keeps_attributes;
use pseudotape_testkit::{SuiteMedium, drive_suite, image_drive, recovering};

/// One of each kind that can stay unmet.
const UNMET: [&str; 8] = [
    "read-error,at=1000000",
    "write-error,at=1000000,position=lost",
    "recovered,at=1000000",
    "hardware-error,at=1000000",
    "reset,every=1000000",
    "busy,every=1000000",
    "hang,every=1000000",
    "commit-failure,every=1000000",
];

fn armed(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
    let mut drive = image_drive(personality, wanted);
    drive.clear_attention();
    let drive = Faulty::new(recovering(drive, wanted.recovered_errors));
    let faults = UNMET.map(|text| text.parse::<Fault>().expect("a fault"));
    drive.faults().inject(faults.into()).expect("there is room");
    Box::new(drive)
}

mod with_faults {
    use super::*;

    drive_suite!(armed);
}

mod without {
    use super::*;

    fn unarmed(personality: Personality, wanted: SuiteMedium) -> Box<dyn Drive> {
        let mut drive = image_drive(personality, wanted);
        drive.clear_attention();
        let drive = recovering(drive, wanted.recovered_errors);
        Box::new(Faulty::new(Bare(drive)))
    }

    drive_suite!(unarmed);
}

#[test]
fn a_drive_behind_faults_keeps_attributes() {
    let faults = UNMET.map(|text| text.parse::<Fault>().expect("a fault"));
    let mut drive = Faulty::new(image_drive(Personality::default(), SuiteMedium::default()));
    drive.faults().inject(faults.into()).expect("there is room");
    keeps_attributes(&mut drive);
}
