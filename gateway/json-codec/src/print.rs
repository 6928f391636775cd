//! Prints a message's wire bytes as compact JSON.
//!
//! The bytes are those that a protobuf runtime serialized. A field is noted in a slot first, since JSON has the fields in
//! their declared order; the elements of lists and maps are read again when they are printed.

use crate::keys::Keys;
use crate::kinds::{Form, Shape, Type};
use crate::tables::{Field, Message, Table};
use crate::wire::{DEEPEST, DELIMITED, Reader, Record, Sure, Unsure};

#[derive(Clone, Copy)]
pub struct Options {
    /// Print fields without presence even if they have their default value.
    pub emit_defaults: bool,
    pub preserve_names: bool,
    pub enums_as_ints: bool,
}

/// What was found of one field: the last value of a single one, the range of the records of a repeated one.
#[derive(Clone, Copy)]
struct Slot {
    found: bool,
    bits: u64,
    start: usize,
    end: usize,
}

const EMPTY: Slot = Slot { found: false, bits: 0, start: 0, end: 0 };

pub struct Printer<'t> {
    pub(crate) table: &'t Table,
    pub(crate) options: Options,
    pub(crate) out: Vec<u8>,
    /// The slots of the message that is printed, after those of the messages around it.
    slots: Vec<Slot>,
}

/// Returns the JSON of a message; `index` is its place in the table.
pub fn print(table: &Table, index: usize, bytes: &[u8], options: Options) -> Sure<Vec<u8>> {
    let mut printer = Printer::new(table, options);
    printer.print(index, bytes)?;
    Ok(printer.out)
}

impl<'t> Printer<'t> {
    pub fn new(table: &'t Table, options: Options) -> Self {
        Printer { table, options, out: Vec::new(), slots: Vec::with_capacity(64) }
    }

    /// Returns the JSON of one message; the next call overwrites it.
    pub fn print(&mut self, index: usize, bytes: &[u8]) -> Sure<&[u8]> {
        self.out.clear();
        self.slots.clear();
        // JSON is three times as long as most messages; a large one is mostly strings or bytes.
        self.out.reserve(bytes.len() + (bytes.len() * 3).min(64 * 1024) + 256);
        self.message(index, bytes, 0)?;
        Ok(&self.out)
    }

    /// Prints a message nested in `depth` others.
    pub(crate) fn message(&mut self, index: usize, bytes: &[u8], depth: u32) -> Sure<()> {
        if depth >= DEEPEST {
            return Err(Unsure);
        }
        let message = self.described(index);
        if message.form != Form::Plain {
            return self.known(message, bytes, depth);
        }
        let base = self.slots.len();
        self.slots.resize(base + message.fields.len(), EMPTY);
        self.note(message, bytes, base)?;
        self.out.push(b'{');
        let mut separator = None;
        for (index, field) in message.fields.iter().enumerate() {
            let slot = self.slots[base + index];
            if slot.found || (self.options.emit_defaults && !field.presence) {
                self.out.extend(separator);
                separator = Some(b',');
                self.member(field, slot, bytes, depth)?;
            }
        }
        self.out.push(b'}');
        self.slots.truncate(base);
        Ok(())
    }

    pub(crate) fn described(&self, index: usize) -> &'t Message {
        &self.table.messages[index]
    }

    /// Notes where the fields are.
    fn note(&mut self, message: &Message, bytes: &[u8], base: usize) -> Sure<()> {
        let mut reader = Reader::new(bytes, 0);
        let mut oneofs = 0_u64;
        while !reader.is_at_end() {
            let start = reader.at;
            let record = reader.record()?;
            let Some(index) = message.at(record.number) else {
                if message.extendable {
                    return Err(Unsure); // an extension is printed by its name
                }
                continue;
            };
            let field = &message.fields[index];
            let slot = &mut self.slots[base + index];
            if field.shape == Shape::One {
                note_one(field, record, slot, &mut oneofs)?;
            } else if !is_empty_pack(field, record) {
                slot.start = if slot.found { slot.start } else { start };
                slot.end = reader.at;
                slot.found = true;
            }
        }
        Ok(())
    }

    fn member(&mut self, field: &'t Field, slot: Slot, bytes: &[u8], depth: u32) -> Sure<()> {
        self.out.extend_from_slice(&field.keys[usize::from(self.options.preserve_names)]);
        match field.shape {
            Shape::One => self.one(field, slot.bits, &bytes[slot.start..slot.end], depth),
            Shape::List => self.list(field, &bytes[slot.start..slot.end], depth),
            Shape::Map => self.map(field, &bytes[slot.start..slot.end], depth),
        }
    }

    fn list(&mut self, field: &'t Field, bytes: &[u8], depth: u32) -> Sure<()> {
        let mut reader = Reader::new(bytes, 0);
        let mut separator = None;
        self.out.push(b'[');
        while let Some(record) = next_of(field, &mut reader)? {
            let span = &bytes[record.start..record.end];
            if record.wire_type == field.kind.wire_type() {
                self.out.extend(separator);
                separator = Some(b',');
                self.one(field, record.bits, span, depth)?;
            } else {
                self.packed(field, record, span, &mut separator)?;
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn packed(&mut self, field: &'t Field, record: Record, span: &[u8], separator: &mut Option<u8>) -> Sure<()> {
        if record.wire_type != DELIMITED {
            return Err(Unsure);
        }
        let mut reader = Reader::new(span, 0);
        while !reader.is_at_end() {
            let bits = reader.number(field.kind.wire_type())?;
            self.out.extend(*separator);
            *separator = Some(b',');
            self.scalar(field, bits, b"")?;
        }
        Ok(())
    }

    fn map(&mut self, field: &'t Field, bytes: &[u8], depth: u32) -> Sure<()> {
        let [key_field, value_field] = &self.described(field.below).fields[..] else { return Err(Unsure) };
        let mut reader = Reader::new(bytes, 0);
        let mut separator = None;
        let mut keys = Keys::default();
        self.out.push(b'{');
        while let Some(record) = next_of(field, &mut reader)? {
            let span = bytes.get(record.start..record.end).filter(|_| record.wire_type == DELIMITED).ok_or(Unsure)?;
            let (key, value) = entry(span, key_field, value_field)?;
            self.out.extend(separator);
            separator = Some(b',');
            let start = self.out.len();
            self.key(key_field, key, span)?;
            keys.add(&self.out, start..self.out.len())?;
            self.out.push(b':');
            self.one(value_field, value.bits, &span[value.start..value.end], depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Prints a map's key, which is always a string.
    fn key(&mut self, field: &'t Field, slot: Slot, span: &[u8]) -> Sure<()> {
        let quote = match field.kind {
            Type::Bool | Type::Int32 | Type::Uint32 | Type::Sint32 | Type::Fixed32 | Type::Sfixed32 => Some(b'"'),
            _ => None,
        };
        self.out.extend(quote);
        self.scalar(field, slot.bits, &span[slot.start..slot.end])?;
        self.out.extend(quote);
        Ok(())
    }

    fn one(&mut self, field: &'t Field, bits: u64, span: &[u8], depth: u32) -> Sure<()> {
        match field.kind {
            Type::Message => self.message(field.below, span, depth + 1),
            _ => self.scalar(field, bits, span),
        }
    }

    /// Calls `print` with the depth of a message below, unless that is too deep.
    pub(crate) fn nested(&mut self, depth: u32, print: impl FnOnce(&mut Self, u32) -> Sure<()>) -> Sure<()> {
        if depth + 1 >= DEEPEST { Err(Unsure) } else { print(self, depth + 1) }
    }
}

fn note_one(field: &Field, record: Record, slot: &mut Slot, oneofs: &mut u64) -> Sure<()> {
    let is_merged = slot.found && field.kind == Type::Message;
    if is_merged || record.wire_type != field.kind.wire_type() {
        return Err(Unsure);
    }
    if let Some(oneof) = field.oneof {
        let bit = 1_u64.checked_shl(oneof).ok_or(Unsure)?;
        if *oneofs & bit != 0 {
            return Err(Unsure);
        }
        *oneofs |= bit;
    }
    // The default value of a field without presence is the same as none.
    let found = field.presence || record.bits != 0 || record.end > record.start;
    *slot = Slot { found, bits: record.bits, start: record.start, end: record.end };
    Ok(())
}

fn is_empty_pack(field: &Field, record: Record) -> bool {
    record.wire_type == DELIMITED && record.start == record.end && field.kind.wire_type() != DELIMITED
}

/// Returns the next record of a field; other fields may be between.
fn next_of(field: &Field, reader: &mut Reader) -> Sure<Option<Record>> {
    while !reader.is_at_end() {
        let record = reader.record()?;
        if record.number == field.number {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Returns the key and the value of a map's entry; a missing one has its default value.
fn entry(span: &[u8], key_field: &Field, value_field: &Field) -> Sure<(Slot, Slot)> {
    let (mut key, mut value) = (EMPTY, EMPTY);
    let mut reader = Reader::new(span, 0);
    while !reader.is_at_end() {
        let record = reader.record()?;
        let (slot, field) = match record.number {
            1 => (&mut key, key_field),
            2 => (&mut value, value_field),
            _ => return Err(Unsure),
        };
        if slot.found || record.wire_type != field.kind.wire_type() {
            return Err(Unsure);
        }
        *slot = Slot { found: true, bits: record.bits, start: record.start, end: record.end };
    }
    Ok((key, value))
}
