#![no_main]
//! An image whose records pass their checks and lie about everything else.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_image::fuzz_records(bytes));
