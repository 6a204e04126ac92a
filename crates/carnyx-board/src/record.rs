//! Records: what an event file is made of, each with checksums of its length and of its bytes.
//!
//! ```text
//! u64 length | u32 checksum of the length | the bytes | u32 checksum of the bytes
//! ```
//!
//! All little-endian. The checksum is CRC-32C (Castagnoli), masked, since the checksum of bytes that hold checksums of
//! their own is no good one. Reference: [TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).

/// What each byte does to a checksum: the reversed polynomial `0x1EDC6F41`.
const TABLE: [u32; 256] = table();

/// Adds a record to a file.
pub(crate) fn append(file: &mut Vec<u8>, bytes: &[u8]) {
    let length = (bytes.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc(&length)).to_le_bytes());
    file.extend(bytes);
    file.extend(masked(crc(bytes)).to_le_bytes());
}

/// CRC-32C.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

pub(crate) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the algorithm, and the vectors of RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_the_known_ones() {
        assert_eq!(crc(b"123456789"), 0xe306_9283);
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc(&ascending), 0x46dd_794e);
    }

    /// The first twelve bytes of every event file that TensorFlow writes: a record of 24 bytes.
    #[test]
    fn a_record_begins_as_those_of_tensorflow() {
        let mut file = Vec::new();
        append(&mut file, &[7; 24]);
        assert_eq!(file[..12], [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(file.len(), 8 + 4 + 24 + 4);
        assert_eq!(file[36..], masked(crc(&[7; 24])).to_le_bytes());
    }
}
