//! Parses JSON to a message's wire bytes.
//!
//! It accepts the one usual form of every value. Other valid forms, unknown members and every error are not certain: the
//! complete parser accepts them, or says what is wrong.

use crate::json::{Lexer, Limits, is_plain_integer};
use crate::keys::Keys;
use crate::parse_known::unbase64;
use crate::tables::{Enum, Field, Form, Message, Shape, Table, Type};
use crate::wire::{DEEPEST, DELIMITED, Sure, Unsure, begin, put_length, put_tag, put_varint, zigzag};

pub struct Parser<'t, 'j> {
    table: &'t Table,
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

    /// Parses a scalar without its tag. Returns whether it is its type's default.
    #[inline]
    pub(crate) fn scalar(&mut self, field: &'t Field) -> Sure<bool> {
        match field.kind {
            Type::String => {
                let text = self.json.string()?;
                self.bytes(&text);
                Ok(text.is_empty())
            }
            Type::Bytes => {
                let bytes = unbase64(&self.json.string()?)?;
                self.bytes(&bytes);
                Ok(bytes.is_empty())
            }
            Type::Bool => {
                let value = self.json.boolean()?;
                self.out.push(u8::from(value));
                Ok(!value)
            }
            Type::Double => {
                let value = self.floating()?;
                self.out.extend_from_slice(&value.to_le_bytes());
                Ok(value.to_bits() == 0)
            }
            Type::Float => self.single(),
            Type::Enum => self.enumeration(&self.table.enums[field.below]),
            Type::Message | Type::Group => Err(Unsure),
            kind if self.json.peek() == b'"' => {
                let text = self.json.string()?;
                self.integer(kind, &text)
            }
            kind => {
                let text = self.json.number()?;
                self.integer(kind, text.as_bytes())
            }
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        put_varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn single(&mut self) -> Sure<bool> {
        let wide = self.floating()?;
        let value = wide as f32;
        if value.is_infinite() && wide.is_finite() {
            return Err(Unsure);
        }
        self.out.extend_from_slice(&value.to_le_bytes());
        Ok(value.to_bits() == 0)
    }

    fn floating(&mut self) -> Sure<f64> {
        if self.json.peek() != b'"' {
            return self.json.double();
        }
        match &*self.json.string()? {
            b"NaN" => Ok(f64::NAN),
            b"Infinity" => Ok(f64::INFINITY),
            b"-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(Unsure),
        }
    }

    fn enumeration(&mut self, enumeration: &'t Enum) -> Sure<bool> {
        if enumeration.is_null {
            return Err(Unsure);
        }
        let number = if self.json.peek() == b'"' {
            enumeration.number(&self.json.string()?).ok_or(Unsure)?
        } else {
            let number = within(self.json.number()?.as_bytes())?;
            if !enumeration.open && !enumeration.has(number) {
                return Err(Unsure);
            }
            number
        };
        put_varint(&mut self.out, i64::from(number) as u64);
        Ok(number == 0)
    }

    #[inline]
    fn integer(&mut self, kind: Type, text: &[u8]) -> Sure<bool> {
        let bits = match kind {
            Type::Int32 | Type::Sfixed32 => i64::from(within::<i32>(text)?) as u64,
            Type::Sint32 => zigzag(i64::from(within::<i32>(text)?)),
            Type::Uint32 | Type::Fixed32 => u64::from(within::<u32>(text)?),
            Type::Int64 | Type::Sfixed64 => within::<i64>(text)? as u64,
            Type::Sint64 => zigzag(within(text)?),
            Type::Uint64 | Type::Fixed64 => within(text)?,
            _ => return Err(Unsure),
        };
        match kind {
            Type::Sfixed32 | Type::Fixed32 => self.out.extend_from_slice(&(bits as u32).to_le_bytes()),
            Type::Sfixed64 | Type::Fixed64 => self.out.extend_from_slice(&bits.to_le_bytes()),
            _ => put_varint(&mut self.out, bits),
        }
        Ok(bits == 0)
    }
}

/// Returns an integer of the type's range.
fn within<I: std::str::FromStr>(text: &[u8]) -> Sure<I> {
    let is_plain = text.len() <= 20 && is_plain_integer(text);
    let text = std::str::from_utf8(text).ok().filter(|_| is_plain).ok_or(Unsure)?;
    text.parse().map_err(|_| Unsure)
}
