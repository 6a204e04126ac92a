#![no_main]

use carnyx_data::Table;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::panic::set_hook;
use std::sync::Once;

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The reader catches the panics of the crate that it stands on; the fuzzer's own hook would end at them. A panic
    // that leaves the reader still ends the run.
    QUIET.call_once(|| set_hook(Box::new(|_| {})));
    let _ = Table::read_parquet_from(Cursor::new(bytes), "fuzz");
});
