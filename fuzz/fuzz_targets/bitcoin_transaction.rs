//! `cargo +nightly fuzz run bitcoin_transaction`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::bitcoin_transaction(data);
});
