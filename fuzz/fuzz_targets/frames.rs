#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gsock_fuzz::run(gsock_fuzz::frames::one, data));
