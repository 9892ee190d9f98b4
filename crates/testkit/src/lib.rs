//! What tests need: a model tape, the suite of every drive, faulty stores.

mod model;

pub use model::{ModelCartridge, ModelDrive, ModelObject};
