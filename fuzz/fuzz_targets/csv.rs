#![no_main]

use carnyx_data::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = Table::read_from(bytes, "fuzz") {
        let names: Vec<String> = table.names().iter().map(ToString::to_string).collect();
        for name in names {
            let _ = (table.text(&name), table.column(&name), table.without(&name));
        }
    }
});
