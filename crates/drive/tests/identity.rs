//! A drive says what it is, in the words of its personality.

use pseudotape_drive::{ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_tape::Drive;

#[test]
fn every_drive_has_the_name_of_its_personality_and_its_own_serial_number() {
    for personality in Personality::ALL {
        let drive: ImageDrive<MemoryMedium> =
            ImageDrive::new(*personality, "PT123".into(), Overrides::default());
        let identity = drive.identity();
        assert_eq!(
            (identity.vendor.as_str(), identity.product.as_str()),
            (personality.vendor, personality.product)
        );
        assert_eq!(identity.serial, "PT123");
        assert!(!identity.revision.is_empty());
    }
}
