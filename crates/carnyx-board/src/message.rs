//! Protocol buffers, as far as logs need them: messages are written, field by field.
//!
//! A message is a list of fields, each with a number and a wire type: variable-length integers, fixed 64 bits, and
//! counted bytes, which texts and inner messages are. Reference: the [encoding](https://protobuf.dev/programming-guides/encoding/).

/// A message that is being written: each method adds one field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Counted = 2,
}

impl Message {
    pub(crate) fn new() -> Message {
        Message::default()
    }

    /// An unsigned integer, or an enumeration's number.
    pub(crate) fn uint(mut self, field: u32, value: u64) -> Message {
        self.key(field, Wire::Varint);
        self.varint(value);
        self
    }

    /// A signed integer; negative ones take ten bytes.
    pub(crate) fn int(self, field: u32, value: i64) -> Message {
        self.uint(field, value as u64)
    }

    pub(crate) fn bool(self, field: u32, value: bool) -> Message {
        self.uint(field, u64::from(value))
    }

    pub(crate) fn double(mut self, field: u32, value: f64) -> Message {
        self.key(field, Wire::Fixed64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn bytes(mut self, field: u32, value: &[u8]) -> Message {
        self.key(field, Wire::Counted);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(crate) fn text(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    pub(crate) fn message(self, field: u32, value: &Message) -> Message {
        self.bytes(field, &value.0)
    }

    /// A field for each of these messages.
    pub(crate) fn messages(self, field: u32, values: impl IntoIterator<Item = Message>) -> Message {
        values.into_iter().fold(self, |message, value| message.message(field, &value))
    }

    /// An entry of a map from texts to messages.
    pub(crate) fn entry(self, field: u32, key: &str, value: &Message) -> Message {
        self.message(field, &Message::new().text(1, key).message(2, value))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field << 3 | wire as u32));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the encoding's description.
    #[test]
    fn fields_are_written_as_the_description_says() {
        assert_eq!(Message::new().uint(1, 150).as_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(
            Message::new().text(2, "testing").as_bytes(),
            [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]
        );
        let inner = Message::new().uint(1, 150);
        assert_eq!(Message::new().message(3, &inner).as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let minus_two = [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Message::new().int(1, -2).as_bytes(), minus_two);
        assert_eq!(Message::new().double(1, 1.0).as_bytes(), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(Message::new().bool(16, true).as_bytes(), [0x80, 0x01, 0x01]);
    }
}
