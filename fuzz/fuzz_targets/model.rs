#![no_main]

//! What a file says of a model: layers, how they are connected, traces, and how it was compiled.
//!
//! The input is a `.keras` archive's `config.json`, or that, a zero byte, and its `carnyx.json`. The weights are those of
//! one of the recorded files, so that a configuration close to that file's is read to the end.

use carnyx_file::{Archive, Value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const RECORDED: &[u8] = include_bytes!("../../tests/keras/files/sequential.keras");

static ARCHIVE: LazyLock<Archive> = LazyLock::new(|| Archive::read_from(RECORDED, "recorded").unwrap());

/// A file that lives in memory where the system has such a place.
static PATH: LazyLock<String> = LazyLock::new(|| {
    let folder = if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    folder.join(format!("fuzz-{}.keras", std::process::id())).display().to_string()
});

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let (config, progress) = (parts.next().unwrap_or_default(), parts.next());
    let Some(config) = std::str::from_utf8(config).ok().and_then(|text| text.parse::<Value>().ok()) else { return };
    let extra = progress.map(|content| ("carnyx.json".to_owned(), content.to_vec())).into_iter().collect();
    let archive = Archive { config, extra, ..ARCHIVE.clone() };
    if archive.write(&*PATH).is_err() {
        return;
    }
    // A network that can be read can be read as a model or gives an error, and the other way round.
    if let Ok(model) = carnyx_nn::load(&*PATH) {
        let _ = model.summary();
        model.save(&*PATH).unwrap();
        carnyx_nn::load(&*PATH).unwrap();
    } else {
        let _ = carnyx_nn::load_network(&*PATH);
    }
});
