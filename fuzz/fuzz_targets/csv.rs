#![no_main]

use carnyx_data::{Features, Preprocessing, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Preprocessing::read_from(bytes, "fuzz");
    let Ok(table) = Table::read_from(bytes, "fuzz") else { return };
    let _ = (table.describe().to_string(), table.with_missing(&["?"]).split(0.5, 1));
    for name in table.names().iter().map(String::as_str) {
        let _ = (table.text(name), table.column(name), table.without(name), table.numbers(name));
        let _ = (table.split_stratified(name, 0.5, 1), table.split_by(name, "a"));
        for features in [Features::new().numbers(&[name]), Features::new().categories(&[name]), Features::new().label(name)] {
            let _ = features.adapt(&table);
        }
    }
});
