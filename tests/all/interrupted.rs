//! Programs that are killed while they train, and started again: they end as if they had never been killed.
//!
//! When a kill strikes depends on the clock; what is compared after it does not.

use carnyx_tests::Numbers;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills of each kind of backup.
const KILLS: usize = 18;
const FILES: [&str; 4] = ["result.txt", "log.csv", "best.keras", "latest.weights.h5"];

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("carnyx-interrupted-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn trainee(folder: &Path, threads: usize, backup: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainee"));
    command.arg(folder).arg(threads.to_string()).arg(backup).stdout(Stdio::null());
    command
}

/// All that a training leaves behind.
fn left(folder: &Path) -> Vec<Vec<u8>> {
    FILES.map(|file| std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))).to_vec()
}

fn assert_same(actual: &[Vec<u8>], expected: &[Vec<u8>], when: &str) {
    for ((file, actual), expected) in FILES.iter().zip(actual).zip(expected) {
        assert!(actual == expected, "`{file}` differs {when}");
    }
}

/// The files in a folder that are being written, or were when a kill struck.
fn unfinished(folder: &Path) -> BTreeSet<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "part")).collect()
}

/// Waits for a file that is being written, or for the end of the process.
fn wait_for_writing(child: &mut Child, backups: &Path, before: &BTreeSet<PathBuf>) {
    while child.try_wait().unwrap().is_none() && unfinished(backups).is_subset(before) {}
}

#[test]
fn killed_programs_end_as_if_they_had_not_been_killed() {
    let whole = folder("whole");
    assert!(trainee(&whole, 1, "none").status().unwrap().success());
    let expected = left(&whole);

    let mut numbers = Numbers(3);
    let (mut kills, mut while_writing, mut completed) = (0, 0, 0);
    for (threads, backup) in [(1, "1"), (3, "epochs"), (2, "4")] {
        let folder = folder(&format!("{threads}-{backup}"));
        let backups = folder.join("backup");
        let began = Instant::now();
        assert!(trainee(&folder, threads, backup).status().unwrap().success());
        let duration = began.elapsed();
        assert_same(
            &left(&folder),
            &expected,
            &format!("without a kill, {threads} threads, backup {backup}"),
        );

        let mut killed = 0;
        while killed < KILLS {
            if FILES.iter().all(|file| folder.join(file).exists()) && !backups.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
                std::fs::create_dir_all(&folder).unwrap();
            }
            let before = unfinished(&backups);
            let mut child = trainee(&folder, threads, backup).spawn().unwrap();
            if numbers.below(2) == 0 {
                std::thread::sleep(duration.mul_f32(0.7 * numbers.unit()));
            } else {
                for _ in 0..=numbers.below(3) {
                    wait_for_writing(&mut child, &backups, &before);
                    std::thread::sleep(Duration::from_micros(numbers.below(300)));
                }
            }
            child.kill().unwrap();
            if child.wait().unwrap().success() {
                completed += 1;
                assert_same(&left(&folder), &expected, &format!("after {killed} kills, backup {backup}"));
            } else {
                killed += 1;
                while_writing += unfinished(&backups).difference(&before).count();
            }
        }
        assert!(trainee(&folder, threads, backup).status().unwrap().success());
        assert_same(&left(&folder), &expected, &format!("at last, {threads} threads, backup {backup}"));
        assert!(!backups.exists(), "a backup is removed when the fit has ended");
        std::fs::remove_dir_all(&folder).unwrap();
        kills += killed;
    }
    std::fs::remove_dir_all(&whole).unwrap();
    println!(
        "{kills} kills, {while_writing} of them while a backup was written; {completed} runs were faster"
    );
    assert!(kills >= 50);
}

/// A limit on the size of files stands for a full disk: the same system calls fail.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_no_training() {
    let (roomy, full) = (folder("roomy"), folder("full"));
    assert!(trainee(&roomy, 1, "4").status().unwrap().success());
    std::fs::write(full.join("best.keras"), "a good model").unwrap();
    // Small enough for the log and the results, which are text, and too small for a model.
    let limited = format!("trap '' XFSZ; ulimit -f 16; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_trainee"));
    let output = Command::new("bash").args(["-c", &limited, "trainee"]).arg(&full).args(["1", "4"]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(std::fs::read(full.join("best.keras")).unwrap(), b"a good model", "{said}");
    for file in ["log.csv", "result.txt"] {
        assert!(left_file(&full, file) == left_file(&roomy, file), "`{file}` differs: {said}");
    }
    assert_eq!(said.matches("cannot write").count(), 3, "each of three is said once: {said}");
    for word in ["best.keras", "latest.weights.h5", "backup.safetensors"] {
        assert!(said.contains(word), "{said}");
    }
    for folder in [roomy, full] {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[cfg(unix)]
fn left_file(folder: &Path, file: &str) -> Vec<u8> {
    std::fs::read(folder.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}
