#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match carnyx_file::read_hdf5(bytes, "fuzz") {
        Ok(root) => {
            // Names of groups can be such that no file of ours has them; whatever is written must be readable.
            if let Ok(written) = carnyx_file::write_hdf5(&root) {
                carnyx_file::read_hdf5(&written, "again").unwrap();
            }
        }
        // A panic of the library was caught: not a crash of a user's program, but worth a look.
        Err(error) => assert!(!error.title().contains("not understood"), "{error}"),
    }
});
