//! What tests need: a model tape, the suite of every drive, faulty stores.
