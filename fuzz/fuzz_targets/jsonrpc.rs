#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| loggia_fuzz::jsonrpc(data));
