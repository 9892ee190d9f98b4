#![no_main]
//! A ring of the kernel's target core that holds anything at all.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_tcmu::fuzz_ring(bytes));
