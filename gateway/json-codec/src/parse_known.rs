//! Parses the JSON forms of the well-known types.

use crate::keys::Keys;
use crate::kinds::Form;
use crate::parse::Parser;
use crate::tables::Message;
use crate::times::{read_duration, read_timestamp};
use crate::wire::{DEEPEST, DELIMITED, FIXED64, Sure, Unsure, VARINT, begin, put_length, put_tag, put_varint};

impl<'t> Parser<'t, '_> {
    pub(crate) fn known(&mut self, message: &'t Message, depth: u32) -> Sure<()> {
        match message.form {
            Form::Timestamp => self.json.string().and_then(|text| read_timestamp(&text)).map(|read| self.time(read)),
            Form::Duration => self.json.string().and_then(|text| read_duration(&text)).map(|read| self.time(read)),
            Form::FieldMask => self.field_mask(),
            Form::Wrapper => self.wrapper(message),
            Form::Struct => self.object(depth),
            Form::Value => self.value(depth),
            Form::ListValue => self.array(depth),
            Form::Plain | Form::Unknown => Err(Unsure),
        }
    }

    fn time(&mut self, (seconds, nanos): (i64, i64)) {
        for (number, value) in [(1, seconds), (2, nanos)] {
            if value != 0 {
                put_tag(&mut self.out, number, VARINT);
                put_varint(&mut self.out, value as u64);
            }
        }
    }

    fn field_mask(&mut self) -> Sure<()> {
        let text = self.json.string()?;
        if text.is_empty() {
            return Ok(());
        }
        for path in text.split(|byte| *byte == b',') {
            let path = snake_case(path)?;
            put_tag(&mut self.out, 1, DELIMITED);
            self.bytes(&path);
        }
        Ok(())
    }

    fn wrapper(&mut self, message: &'t Message) -> Sure<()> {
        let field = message.fields.first().ok_or(Unsure)?;
        let start = self.out.len();
        put_tag(&mut self.out, field.number, field.kind.wire_type());
        if self.scalar(field)? {
            self.out.truncate(start);
        }
        Ok(())
    }

    fn value(&mut self, depth: u32) -> Sure<()> {
        match self.json.peek() {
            b'n' if self.json.word(b"null") => self.out.extend_from_slice(&[1 << 3 | VARINT as u8, 0]),
            b'"' => {
                put_tag(&mut self.out, 3, DELIMITED);
                let text = self.json.string()?;
                self.bytes(&text);
            }
            b't' | b'f' => {
                put_tag(&mut self.out, 4, VARINT);
                let value = self.json.boolean()?;
                self.out.push(u8::from(value));
            }
            b'{' => return self.nested(5, depth, Self::object),
            b'[' => return self.nested(6, depth, Self::array),
            _ => {
                put_tag(&mut self.out, 2, FIXED64);
                let value = self.json.double()?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Sure<()> {
        let mut more = self.json.open(b'{', b'}')?;
        let mut keys = Keys::default();
        while more {
            put_tag(&mut self.out, 1, DELIMITED);
            let start = begin(&mut self.out);
            put_tag(&mut self.out, 1, DELIMITED);
            let key_start = self.out.len();
            let key = self.json.string()?;
            self.bytes(&key);
            let key_end = self.out.len();
            self.json.mark(b':')?;
            self.nested(2, depth + 1, Self::value)?;
            let moved = self.out.len();
            put_length(&mut self.out, start);
            let by = self.out.len() - moved;
            keys.add(&self.out, key_start + by..key_end + by)?;
            more = self.json.another(b'}')?;
        }
        Ok(())
    }

    fn array(&mut self, depth: u32) -> Sure<()> {
        let mut more = self.json.open(b'[', b']')?;
        while more {
            self.nested(1, depth, Self::value)?;
            more = self.json.another(b']')?;
        }
        Ok(())
    }

    /// Parses a message below as the field `number`, unless that is too deep.
    fn nested(&mut self, number: u32, depth: u32, parse: impl FnOnce(&mut Self, u32) -> Sure<()>) -> Sure<()> {
        if depth + 1 >= DEEPEST {
            return Err(Unsure);
        }
        put_tag(&mut self.out, number, DELIMITED);
        let start = begin(&mut self.out);
        parse(self, depth + 1)?;
        put_length(&mut self.out, start);
        Ok(())
    }
}

/// Returns a path of field names in lowerCamelCase as proto names.
fn snake_case(path: &[u8]) -> Sure<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len() + 4);
    for byte in path {
        match byte {
            b'A'..=b'Z' => out.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]),
            b'a'..=b'z' | b'0'..=b'9' | b'.' => out.push(*byte),
            _ => return Err(Unsure),
        }
    }
    if out.is_empty() { Err(Unsure) } else { Ok(out) }
}

/// Decodes base64 or base64url, padded or not.
pub(crate) fn unbase64(text: &[u8]) -> Sure<Vec<u8>> {
    let length = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let padding = text.len() - length;
    if length % 4 == 1 || padding > 2 || (padding > 0 && text.len() % 4 != 0) {
        return Err(Unsure);
    }
    let is_standard = text.iter().any(|byte| matches!(byte, b'+' | b'/'));
    if is_standard && text.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        return Err(Unsure);
    }
    let mut out = Vec::with_capacity(length * 3 / 4);
    for chunk in text[..length].chunks(4) {
        let mut bits = 0_u32;
        for byte in chunk {
            bits = bits << 6 | u32::from(DIGITS[usize::from(*byte)]);
            if DIGITS[usize::from(*byte)] == NO_DIGIT {
                return Err(Unsure);
            }
        }
        let bytes = (bits << (6 * (4 - chunk.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[1..chunk.len()]);
    }
    Ok(out)
}

const NO_DIGIT: u8 = 0xff;
static DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [("", ""), ("YQ==", "a"), ("YQ", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YWJjZA", "abcd")]
        {
            assert_eq!(unbase64(text.as_bytes()).unwrap(), bytes.as_bytes());
        }
        assert_eq!(unbase64(b"-_8").unwrap(), [0xfb, 0xff]);
        assert_eq!(unbase64(b"+/8=").unwrap(), [0xfb, 0xff]);
        for text in ["Y", "YQ=", "YQ===", "=", "Y Q=", "+/-_", "YWJj=", "é", "Y=Q="] {
            assert!(unbase64(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_are_converted() {
        assert_eq!(snake_case(b"aBc.d1").unwrap(), b"a_bc.d1");
        for path in ["", "a_b", "a b", "é"] {
            assert!(snake_case(path.as_bytes()).is_err(), "{path}");
        }
    }
}
