//! `cargo +nightly fuzz run time`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::time(data);
});
