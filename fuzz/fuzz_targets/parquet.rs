#![no_main]

use carnyx_data::Table;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let _ = Table::read_parquet_from(Cursor::new(bytes), "fuzz");
});
