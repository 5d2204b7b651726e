//! `cargo +nightly fuzz run deed`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::deed(data);
});
