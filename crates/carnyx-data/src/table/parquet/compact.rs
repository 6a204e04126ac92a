//! The compact protocol of Thrift, in which Parquet writes its metadata: fields with numbers, of a few types.
//!
//! Invariant: a value takes memory in proportion to the bytes that it is written in, and nesting is bounded.

/// Deeper nesting than any metadata have.
const DEPTH: usize = 24;

/// What is written in the metadata.
#[derive(Debug)]
pub(super) enum Value<'b> {
    Boolean(bool),
    Integer(i64),
    Bytes(&'b [u8]),
    List(Vec<Value<'b>>),
    Struct(Vec<(i64, Value<'b>)>),
    /// A value that nobody here asks for.
    Other,
}

impl<'b> Value<'b> {
    pub(super) fn field(&self, id: i64) -> Option<&Value<'b>> {
        let Value::Struct(fields) = self else { return None };
        fields.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    pub(super) fn integer(&self, id: i64) -> Option<i64> {
        match self.field(id)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, id: i64) -> Option<bool> {
        match self.field(id)? {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn text(&self, id: i64) -> Option<&'b str> {
        match self.field(id)? {
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The elements of a list; none, if there is no such list.
    pub(super) fn list(&self, id: i64) -> &[Value<'b>] {
        match self.field(id) {
            Some(Value::List(elements)) => elements,
            _ => &[],
        }
    }
}

/// The struct at the beginning of `bytes`, and how many bytes it is written in; `None`, if there is none.
pub(super) fn read(bytes: &[u8]) -> Option<(Value<'_>, usize)> {
    let mut reader = Reader { rest: bytes };
    let value = reader.fields(DEPTH)?;
    Some((value, bytes.len() - reader.rest.len()))
}

/// A number in as many bytes as it needs, seven bits each, and the bytes after it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            return Some((number, &bytes[i + 1..]));
        }
    }
    None
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn varint(&mut self) -> Option<u64> {
        let (number, rest) = varint(self.rest)?;
        self.rest = rest;
        Some(number)
    }

    /// A number with a sign: 0, -1, 1, -2, 2, ….
    fn zigzag(&mut self) -> Option<i64> {
        self.varint().map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self, depth: usize) -> Option<Value<'b>> {
        let (mut fields, mut id) = (Vec::new(), 0i64);
        loop {
            let head = self.byte()?;
            let (step, kind) = (head >> 4, head & 0x0f);
            if kind == 0 {
                return Some(Value::Struct(fields));
            }
            id = match i64::from(step) {
                0 => self.zigzag()?,
                step => id.checked_add(step)?,
            };
            let value = match kind {
                1 => Value::Boolean(true),
                2 => Value::Boolean(false),
                kind => self.value(kind, depth)?,
            };
            fields.push((id, value));
        }
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'b>> {
        let depth = depth.checked_sub(1)?;
        Some(match kind {
            1 | 2 => Value::Boolean(self.byte()? == 1),
            3 => Value::Integer(i64::from(self.byte()? as i8)),
            4..=6 => Value::Integer(self.zigzag()?),
            7 => self.take(8).map(|_| Value::Other)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Each element is a byte at least, so a size that lies ends with the bytes.
                let elements = (0..size).map(|_| self.value(head & 0x0f, depth));
                Value::List(elements.collect::<Option<_>>()?)
            }
            11 => {
                let size = self.varint()?;
                let kinds = if size > 0 { self.byte()? } else { 0 };
                for _ in 0..size {
                    self.value(kinds >> 4, depth)?;
                    self.value(kinds & 0x0f, depth)?;
                }
                Value::Other
            }
            12 => self.fields(depth)?,
            _ => return None,
        })
    }
}
