#![no_main]

use carnyx_file::Archive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(archive) = Archive::read_from(bytes, "fuzz")
        && let Ok(written) = archive.to_bytes()
    {
        Archive::read_from(&written, "again").unwrap();
    }
});
