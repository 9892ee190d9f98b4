#![no_main]
//! An image file of any origin: opened, read to its end, gone about in, written to.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_image::fuzz_open(bytes));
