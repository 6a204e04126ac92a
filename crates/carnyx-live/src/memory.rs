//! How much memory the process has.

/// The bytes of the process that are in memory now, where the system tells them in `/proc`.
pub(crate) fn of_process() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmRSS:     31234 kB` in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_one_line_of_many() {
        let status = "Name:\tcarnyx\nVmPeak:\t  900 kB\nVmRSS:\t   31234 kB\nThreads:\t2\n";
        assert_eq!(resident(status), Some(31234 * 1024));
        assert_eq!(resident("Name:\tcarnyx\n"), None);
        if cfg!(target_os = "linux") {
            assert!(of_process().is_some_and(|bytes| bytes > 100_000));
        }
    }
}
