#![no_main]

use carnyx_file::{read_safetensors, write_safetensors};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(tensors) = read_safetensors(bytes, "fuzz") {
        let written = write_safetensors(&tensors).unwrap();
        // Bytes and not arrays are compared: NaN is not equal to itself.
        let again = read_safetensors(&written, "again").unwrap();
        assert_eq!(write_safetensors(&again).unwrap(), written);
    }
});
