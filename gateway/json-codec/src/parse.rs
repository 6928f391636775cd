//! Parses JSON to a message's wire bytes.
//!
//! It accepts the one usual form of every value. Other valid forms, unknown members and every error are not certain: the
//! complete parser accepts them, or says what is wrong.

use crate::json::{Lexer, Limits};
use crate::keys::Keys;
use crate::kinds::{Form, Shape, Type};
use crate::tables::{Field, Message, Table};
use crate::wire::{DEEPEST, DELIMITED, Sure, Unsure, begin, put_length, put_tag};

pub struct Parser<'t, 'j> {
    pub(crate) table: &'t Table,
    pub(crate) json: Lexer<'j>,
    pub(crate) out: Vec<u8>,
    /// Which members each message that is parsed has had, as a bit each.
    seen: Vec<u64>,
}

/// Returns the wire bytes of a JSON text as a message, or of a message with the one field whose value the text is.
pub fn parse(table: &Table, index: usize, field: Option<usize>, body: &[u8], limits: Limits) -> Sure<Vec<u8>> {
    let text = std::str::from_utf8(body).map_err(|_| Unsure)?;
    let out = Vec::with_capacity(text.len());
    let mut parser = Parser { table, json: Lexer::new(text, limits), out, seen: Vec::with_capacity(8) };
    match field {
        None => parser.message(index, 0)?,
        Some(field) => parser.member(table.messages[index].fields.get(field).ok_or(Unsure)?, 0)?,
    }
    parser.json.end()?;
    Ok(parser.out)
}

impl<'t> Parser<'t, '_> {
    /// Parses a message nested in `depth` others.
    pub(crate) fn message(&mut self, index: usize, depth: u32) -> Sure<()> {
        if depth >= DEEPEST {
            return Err(Unsure);
        }
        let table = self.table;
        let message = &table.messages[index];
        if message.form != Form::Plain {
            return self.known(message, depth);
        }
        if message.requires {
            return Err(Unsure);
        }
        let base = self.seen.len();
        self.seen.resize(base + message.fields.len().div_ceil(64), 0);
        self.members(message, base, depth)?;
        self.seen.truncate(base);
        Ok(())
    }

    fn members(&mut self, message: &'t Message, base: usize, depth: u32) -> Sure<()> {
        let mut more = self.json.open(b'{', b'}')?;
        let (mut next, mut oneofs) = (0, 0_u64);
        while more {
            let index = message.named(&self.json.string()?, next).ok_or(Unsure)?;
            next = index + 1;
            let (word, bit) = (base + index / 64, 1 << (index % 64));
            if self.seen[word] & bit != 0 {
                return Err(Unsure);
            }
            self.seen[word] |= bit;
            self.json.mark(b':')?;
            let field = &message.fields[index];
            if self.json.peek() == b'n' && !self.takes_null(field) {
                if !self.json.word(b"null") {
                    return Err(Unsure);
                }
            } else {
                if let Some(oneof) = field.oneof {
                    let bit = 1_u64.checked_shl(oneof).ok_or(Unsure)?;
                    if oneofs & bit != 0 {
                        return Err(Unsure);
                    }
                    oneofs |= bit;
                }
                self.member(field, depth)?;
            }
            more = self.json.another(b'}')?;
        }
        Ok(())
    }

    /// Whether null is a value of the field, and not its absence.
    fn takes_null(&self, field: &Field) -> bool {
        match (field.shape, field.kind) {
            (Shape::One, Type::Message) => {
                matches!(self.table.messages[field.below].form, Form::Value | Form::Unknown)
            }
            (Shape::One, Type::Enum) => self.table.enums[field.below].is_null,
            _ => false,
        }
    }

    fn member(&mut self, field: &'t Field, depth: u32) -> Sure<()> {
        match field.shape {
            Shape::One => self.one(field, depth),
            Shape::List => self.list(field, depth),
            Shape::Map => self.map(field, depth),
        }
    }

    fn one(&mut self, field: &'t Field, depth: u32) -> Sure<()> {
        let start = self.out.len();
        let is_default = self.tagged(field, depth)?;
        if is_default && !field.presence {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// Parses a value with its tag. Returns whether it is its type's default.
    fn tagged(&mut self, field: &'t Field, depth: u32) -> Sure<bool> {
        put_tag(&mut self.out, field.number, field.kind.wire_type());
        if field.kind != Type::Message {
            return self.scalar(field);
        }
        let start = begin(&mut self.out);
        self.message(field.below, depth + 1)?;
        put_length(&mut self.out, start);
        Ok(false)
    }

    fn list(&mut self, field: &'t Field, depth: u32) -> Sure<()> {
        let mut more = self.json.open(b'[', b']')?;
        if !more {
            return Ok(());
        }
        if field.kind.wire_type() == DELIMITED {
            while more {
                self.tagged(field, depth)?;
                more = self.json.another(b']')?;
            }
            return Ok(());
        }
        put_tag(&mut self.out, field.number, DELIMITED);
        let start = begin(&mut self.out);
        while more {
            self.scalar(field)?;
            more = self.json.another(b']')?;
        }
        put_length(&mut self.out, start);
        Ok(())
    }

    fn map(&mut self, field: &'t Field, depth: u32) -> Sure<()> {
        let table = self.table;
        let [key_field, value_field] = &table.messages[field.below].fields[..] else { return Err(Unsure) };
        let mut more = self.json.open(b'{', b'}')?;
        let mut keys = Keys::default();
        while more {
            put_tag(&mut self.out, field.number, DELIMITED);
            let start = begin(&mut self.out);
            let key = self.json.string()?;
            put_tag(&mut self.out, 1, key_field.kind.wire_type());
            let key_start = self.out.len();
            self.key(key_field, &key)?;
            let key_end = self.out.len();
            self.json.mark(b':')?;
            self.tagged(value_field, depth + 1)?;
            let moved = self.out.len();
            put_length(&mut self.out, start);
            let by = self.out.len() - moved;
            keys.add(&self.out, key_start + by..key_end + by)?;
            more = self.json.another(b'}')?;
        }
        Ok(())
    }

    fn key(&mut self, field: &Field, key: &[u8]) -> Sure<()> {
        match field.kind {
            Type::String => self.bytes(key),
            Type::Bool if key == b"true" => self.out.push(1),
            Type::Bool if key == b"false" => self.out.push(0),
            _ => _ = self.integer(field.kind, key)?,
        }
        Ok(())
    }
}
