//! What tests need: a model tape, the suite of every drive, faulty stores, a look at man pages.

pub mod attributes_suite;
mod cartridge;
pub mod changer_model;
#[expect(missing_docs, reason = "the names of the cases are sentences")]
pub mod changer_suite;
pub mod changers;
pub mod counting;
mod declare;
mod image;
pub mod manual;
mod model;
mod operations;
mod recovering;
mod shared;
pub mod store;
#[expect(missing_docs, reason = "the names of the cases are sentences")]
pub mod suite;

pub use cartridge::{ModelCartridge, ModelObject};
pub use changer_suite::{ChangerRig, MakeChanger};
pub use declare::{SUITE, SuiteCase};
pub use image::{cartridge_on, image_drive};
pub use model::ModelDrive;
pub use operations::{Operation, OperationResult, compare, operation};
pub use recovering::recovering;
pub use shared::SharedDrive;
pub use suite::{Make, SuiteMedium};

/// The bytes of a block: never the same for two seeds, never periodic in a page.
#[must_use]
pub fn block_of(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03;
    let mut block = Vec::with_capacity(length + 8);
    while block.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block.truncate(length);
    block
}
