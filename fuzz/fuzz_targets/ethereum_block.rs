//! `cargo +nightly fuzz run ethereum_block`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::ethereum_block(data);
});
