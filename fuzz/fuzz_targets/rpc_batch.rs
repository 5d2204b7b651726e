//! `cargo +nightly fuzz run rpc_batch`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    confirmd_fuzz::rpc_batch(data);
});
