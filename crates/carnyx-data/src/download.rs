//! Fetches published files over HTTP.
//!
//! Invariant: a file gets its name only after its length and its checksum were found right.

use crate::file;
use crate::source::PublishedFile;
use carnyx_graph::{Error, Result};
use sha2::{Digest, Sha256};
use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// Downloads `file` into `folder` from the first of `mirrors` that has it.
pub(crate) fn fetch(mirrors: &[&str], file: &PublishedFile, folder: &Path) -> Result {
    let mut error = Error::new("file", format!("cannot download `{}`", file.name));
    for mirror in mirrors {
        let address = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        let target = folder.join(file.name);
        match file::write_whole(&target, |writer| receive(&address, file, writer)) {
            Ok(()) => return Ok(()),
            Err(e) => {
                let cause = e.source().map_or_else(String::new, |source| format!(": {source}"));
                error = error.note(format!("`{address}`: {}{cause}", e.title()));
            }
        }
    }
    Err(error.help(format!("check the connection, or put the file into `{}` yourself", folder.display())))
}

fn receive(address: &str, file: &PublishedFile, writer: &mut dyn Write) -> Result {
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .new_agent();
    let response = agent.get(address).call().map_err(|e| Error::new("file", "no answer").because(e))?;
    let mut body = response.into_body().into_reader();
    let mut checksum = Sha256::new();
    let mut received = 0;
    let mut chunk = vec![0; 64 << 10];
    loop {
        let bytes = body.read(&mut chunk).map_err(|e| {
            Error::new("file", format!("the connection ended after {received} of {} bytes", file.bytes))
                .because(e)
        })?;
        if bytes == 0 {
            break;
        }
        received += bytes as u64;
        if received > file.bytes {
            return Err(Error::new("file", format!("there are more than {} bytes", file.bytes)));
        }
        checksum.update(&chunk[..bytes]);
        writer
            .write_all(&chunk[..bytes])
            .map_err(|e| Error::new("file", "cannot write the file").because(e))?;
    }
    if received < file.bytes {
        return Err(Error::new(
            "file",
            format!("the connection ended after {received} of {} bytes", file.bytes),
        ));
    }
    let checksum = checksum.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    });
    if checksum != file.sha256 {
        return Err(Error::new("file", format!("the SHA-256 is {checksum}, not {}", file.sha256)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    const FILE: PublishedFile = PublishedFile {
        name: "hello.gz",
        bytes: 6,
        sha256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
    };

    /// A server on this computer that gives one of `answers` to each connection, in order; its address.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let own_address = address.clone();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request: Vec<String> =
                    lines.map_while(std::io::Result::ok).take_while(|l| !l.is_empty()).collect();
                assert!(request[0].starts_with("GET "), "{request:?}");
                stream.write_all(answer.replace("SELF", &own_address).as_bytes()).unwrap();
            }
        });
        address
    }

    fn ok(body: &str, length: usize) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    /// What `fetch` says, and what is in the folder afterwards.
    fn outcome(answers: Vec<String>) -> (Result, Vec<(String, String)>) {
        let folder = tempfile::tempdir().unwrap();
        let address = server(answers);
        let result = fetch(&[&address], &FILE, folder.path()).map_err(|e| {
            let text =
                e.to_string().replace(&address, "SELF").replace(folder.path().to_str().unwrap(), "FOLDER");
            Error::new("file", text)
        });
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        });
        (result, files.collect())
    }

    #[test]
    fn a_download_and_a_redirect_arrive() {
        let there = [("hello.gz".to_owned(), "hello\n".to_owned())];
        let (result, files) = outcome(vec![ok("hello\n", 6)]);
        result.unwrap();
        assert_eq!(files, there);
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: SELF/else\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let (result, files) = outcome(vec![moved.to_owned(), ok("hello\n", 6)]);
        result.unwrap();
        assert_eq!(files, there);
    }

    #[test]
    fn failures_leave_nothing_behind() {
        let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
        let cases = [
            (missing, "no answer: http status: 404"),
            (ok("hallo\n", 6), "the SHA-256 is "),
            (ok("hel", 6), "the connection ended after 3 of 6 bytes"),
            (ok("hel", 3), "the connection ended after 3 of 6 bytes"),
            (ok("hello\nhello", 11), "there are more than 6 bytes"),
            (String::new(), "no answer: "),
        ];
        for (answer, what) in cases {
            let (result, files) = outcome(vec![answer]);
            let error = result.unwrap_err();
            let start = "cannot download `hello.gz`\n  = note: `SELF/hello.gz`: ";
            assert!(error.title().starts_with(&format!("error[file]: {start}{what}")), "{what}: {error}");
            let end = "\n  = help: check the connection, or put the file into `FOLDER` yourself";
            assert!(error.title().ends_with(end), "{what}: {error}");
            assert_eq!(files, [], "{what}");
        }
    }

    #[test]
    fn the_second_mirror_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let (bad, good) = (server(vec![ok("hallo\n", 6)]), server(vec![ok("hello\n", 6)]));
        fetch(&[&bad, &good], &FILE, folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("hello.gz")).unwrap(), "hello\n");
    }
}
