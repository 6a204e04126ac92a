#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = carnyx_data::read_idx_from(bytes, "fuzz");
});
