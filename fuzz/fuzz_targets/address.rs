//! `cargo +nightly fuzz run address`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::address(data);
});
