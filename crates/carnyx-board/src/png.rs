//! Pictures as PNG files: what TensorBoard shows.
//!
//! Eight bits a channel, no filter, compressed as a whole. Reference: [PNG](https://www.w3.org/TR/png-3/).

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Pixels, row by row, of one to four channels: grey, grey and opacity, red-green-blue, the same and opacity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
    pub(crate) bytes: Vec<u8>,
}

/// The picture as a file.
pub(crate) fn encode(pixels: &Pixels) -> Vec<u8> {
    let color_type = [0, 4, 2, 6][pixels.channels - 1];
    let mut header = Vec::new();
    header.extend((pixels.width as u32).to_be_bytes());
    header.extend((pixels.height as u32).to_be_bytes());
    header.extend([8, color_type, 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &compressed(pixels));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// Width and height of the picture in a PNG file, if it is one.
pub(crate) fn size(file: &[u8]) -> Option<(u32, u32)> {
    let rest = file.strip_prefix(&SIGNATURE)?;
    let header = rest.get(4..)?.strip_prefix(b"IHDR")?;
    let number = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some((number(0)?, number(4)?))
}

fn compressed(pixels: &Pixels) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.bytes.chunks(pixels.width * pixels.channels) {
        // Each row begins with its filter: none.
        let written = encoder.write_all(&[0]).and_then(|()| encoder.write_all(row));
        written.expect("memory takes whatever is written to it");
    }
    encoder.finish().expect("memory takes whatever is written to it")
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(content);
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(content);
    file.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn a_file_has_its_chunks_and_its_rows() {
        let pixels = Pixels { width: 2, height: 2, channels: 3, bytes: (1..=12).collect() };
        let file = encode(&pixels);
        assert_eq!(size(&file), Some((2, 2)));
        assert_eq!(file[24..26], [8, 2], "eight bits, red-green-blue");
        // The end of every PNG file, with the checksum of a chunk without content.
        assert!(file.ends_with(&[0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]));
        let length = u32::from_be_bytes(file[33..37].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        ZlibDecoder::new(&file[41..41 + length]).read_to_end(&mut rows).unwrap();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn other_bytes_have_no_size() {
        assert_eq!(size(b"<svg>"), None);
        assert_eq!(size(&SIGNATURE), None);
    }
}
