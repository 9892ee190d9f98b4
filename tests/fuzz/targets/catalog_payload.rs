#![no_main]
//! Bytes of any origin, taken for the payload of a catalog's backup.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_vault::fuzz_payload(bytes));
