//! The model tape runs the suite that it is the model for.

use pseudotape_drive::Personality;
use pseudotape_tape::{Bare, Drive};
use pseudotape_testkit::attributes_suite::keeps_attributes;
use pseudotape_testkit::{ModelCartridge, ModelDrive, SuiteMedium, drive_suite, recovering};

fn model(personality: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
    let mut drive = ModelDrive::new(personality);
    drive.insert(ModelCartridge {
        capacity_bytes: medium.capacity_bytes,
        early_warning_bytes: medium.early_warning_bytes,
        write_protected: medium.write_protected,
        worm: medium.worm,
        ..ModelCartridge::default()
    });
    drive.clear_attention();
    Box::new(recovering(Bare(drive), medium.recovered_errors))
}

drive_suite!(model);

#[test]
fn the_model_keeps_attributes() {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge::default());
    keeps_attributes(&mut drive);
}
