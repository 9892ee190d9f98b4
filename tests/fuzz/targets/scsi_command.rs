#![no_main]
//! A CDB from any program, and a drive that says what the rest of the bytes say.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_scsi::fuzz_command(bytes));
