//! `cargo +nightly fuzz run amount`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::amount(data);
});
