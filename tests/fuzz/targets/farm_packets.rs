#![no_main]
//! Packets of the protocol of farms on other hosts.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pseudotape_farm_net::fuzz_packets(bytes));
