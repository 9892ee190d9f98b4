//! Unit attentions: each is told once, and none hides another.

use pseudotape_drive::{Cartridge, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_tape::{Drive, ModeSelect, Sense};

fn cartridge() -> Cartridge<MemoryMedium> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    Cartridge::create(MemoryMedium, &parameters).expect("a new image")
}

fn told(personality: Personality) -> Vec<Sense> {
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    drive.reset();
    assert!(drive.insert(cartridge()).is_ok(), "a new drive is empty");
    std::iter::from_fn(|| drive.test_ready().err().map(|failed| failed.sense)).collect()
}

#[test]
fn a_new_medium_does_not_hide_a_reset() {
    for drive in Personality::ALL {
        let told = told(*drive);
        let both = [Sense::Reset, Sense::MediumChanged];
        assert_eq!(told, both, "{}", drive.name);
    }
    // A drive that was told to keep a new medium to itself.
    let silent = Personality {
        announces_medium: false,
        ..Personality::default()
    };
    assert_eq!(told(silent), [Sense::Reset]);
}

#[test]
fn a_reset_brings_back_the_mode_of_the_power_on() {
    let personality = Personality::named("generic").expect("a personality");
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    let at_first = drive.mode().expect("a mode");
    assert!(drive.insert(cartridge()).is_ok(), "a new drive is empty");
    drive.clear_attention();
    let change = ModeSelect {
        block_size: Some(512),
        density: Some(3),
        buffering: Some(0),
        compression: Some(true),
    };
    drive.set_mode(change).expect("a mode it knows");
    assert_eq!(drive.mode().expect("a mode").block_size, 512);
    drive.reset();
    assert_eq!(drive.mode().expect("a mode"), at_first);
}
