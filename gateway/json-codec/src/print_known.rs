//! Prints the well-known types, which have JSON forms of their own.

use crate::keys::Keys;
use crate::kinds::Form;
use crate::print::Printer;
use crate::tables::Message;
use crate::text;
use crate::times::{put_duration, put_timestamp};
use crate::wire::{DELIMITED, FIXED64, Reader, Record, Sure, Unsure, VARINT};

impl<'t> Printer<'t> {
    pub(crate) fn known(&mut self, message: &'t Message, bytes: &[u8], depth: u32) -> Sure<()> {
        match message.form {
            Form::Timestamp => seconds_and_nanos(bytes).and_then(|(s, n)| put_timestamp(&mut self.out, s, n)),
            Form::Duration => seconds_and_nanos(bytes).and_then(|(s, n)| put_duration(&mut self.out, s, n)),
            Form::FieldMask => self.field_mask(bytes),
            Form::Wrapper => self.wrapper(message, bytes),
            Form::Struct => self.object(bytes, depth),
            Form::Value => self.value(bytes, depth),
            Form::ListValue => self.array(bytes, depth),
            Form::Plain | Form::Unknown => Err(Unsure),
        }
    }

    fn field_mask(&mut self, bytes: &[u8]) -> Sure<()> {
        let mut reader = Reader::new(bytes, 0);
        let mut separator = None;
        self.out.push(b'"');
        while !reader.is_at_end() {
            let path = delimited(&mut reader, bytes, 1)?;
            self.out.extend(separator);
            separator = Some(b',');
            self.path(path)?;
        }
        self.out.push(b'"');
        Ok(())
    }

    /// Prints a path in lowerCamelCase. Another path than one of field names may not read back.
    fn path(&mut self, path: &[u8]) -> Sure<()> {
        let mut is_upper = false;
        for byte in path {
            match byte {
                b'a'..=b'z' if is_upper => self.out.push(byte.to_ascii_uppercase()),
                b'a'..=b'z' => self.out.push(*byte),
                b'0'..=b'9' | b'.' if !is_upper => self.out.push(*byte),
                b'_' if !is_upper => {}
                _ => return Err(Unsure),
            }
            is_upper = *byte == b'_';
        }
        if path.is_empty() || is_upper { Err(Unsure) } else { Ok(()) }
    }

    fn wrapper(&mut self, message: &'t Message, bytes: &[u8]) -> Sure<()> {
        let field = &message.fields[0];
        let Some(record) = only(bytes)? else { return self.scalar(field, 0, b"") };
        if record.number != field.number || record.wire_type != field.kind.wire_type() {
            return Err(Unsure);
        }
        self.scalar(field, record.bits, &bytes[record.start..record.end])
    }

    /// struct.proto: a Value has exactly one member.
    fn value(&mut self, bytes: &[u8], depth: u32) -> Sure<()> {
        let record = only(bytes)?.ok_or(Unsure)?;
        let span = &bytes[record.start..record.end];
        match (record.number, record.wire_type) {
            (1, VARINT) => self.out.extend_from_slice(b"null"),
            (2, FIXED64) => {
                let number = Some(f64::from_bits(record.bits)).filter(|number| number.is_finite()).ok_or(Unsure)?;
                text::put_double(&mut self.out, number);
            }
            (3, DELIMITED) => text::put_string(&mut self.out, std::str::from_utf8(span).map_err(|_| Unsure)?),
            (4, VARINT) => self.out.extend_from_slice(if record.bits == 0 { b"false" } else { b"true" }),
            (5, DELIMITED) => return self.nested(depth, |printer, depth| printer.object(span, depth)),
            (6, DELIMITED) => return self.nested(depth, |printer, depth| printer.array(span, depth)),
            _ => return Err(Unsure),
        }
        Ok(())
    }

    fn object(&mut self, bytes: &[u8], depth: u32) -> Sure<()> {
        let mut reader = Reader::new(bytes, 0);
        let mut separator = None;
        let mut keys = Keys::default();
        self.out.push(b'{');
        while !reader.is_at_end() {
            let entry = delimited(&mut reader, bytes, 1)?;
            let mut inner = Reader::new(entry, 0);
            // Runtimes write both, in this order.
            let (key, value) = (delimited(&mut inner, entry, 1)?, delimited(&mut inner, entry, 2)?);
            if !inner.is_at_end() {
                return Err(Unsure);
            }
            self.out.extend(separator);
            separator = Some(b',');
            let start = self.out.len();
            text::put_string(&mut self.out, std::str::from_utf8(key).map_err(|_| Unsure)?);
            keys.add(&self.out, start..self.out.len())?;
            self.out.push(b':');
            self.nested(depth + 1, |printer, depth| printer.value(value, depth))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, bytes: &[u8], depth: u32) -> Sure<()> {
        let mut reader = Reader::new(bytes, 0);
        let mut separator = None;
        self.out.push(b'[');
        while !reader.is_at_end() {
            let value = delimited(&mut reader, bytes, 1)?;
            self.out.extend(separator);
            separator = Some(b',');
            self.nested(depth, |printer, depth| printer.value(value, depth))?;
        }
        self.out.push(b']');
        Ok(())
    }
}

/// Reads the two fields of a Timestamp or a Duration.
fn seconds_and_nanos(bytes: &[u8]) -> Sure<(i64, i64)> {
    let mut reader = Reader::new(bytes, 0);
    let (mut seconds, mut nanos) = (0, 0);
    while !reader.is_at_end() {
        let record = reader.record()?;
        match (record.number, record.wire_type) {
            (1, VARINT) => seconds = record.bits as i64,
            (2, VARINT) => nanos = i64::from(record.bits as i32),
            _ => return Err(Unsure),
        }
    }
    Ok((seconds, nanos))
}

/// Reads a delimited value of the field `number`, the only field that is certain here.
fn delimited<'a>(reader: &mut Reader<'a>, bytes: &'a [u8], number: u32) -> Sure<&'a [u8]> {
    let record = reader.record()?;
    if record.number != number || record.wire_type != DELIMITED {
        return Err(Unsure);
    }
    Ok(&bytes[record.start..record.end])
}

/// Returns the one record of a message that has at most one.
fn only(bytes: &[u8]) -> Sure<Option<Record>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes, 0);
    let record = reader.record()?;
    if reader.is_at_end() { Ok(Some(record)) } else { Err(Unsure) }
}
