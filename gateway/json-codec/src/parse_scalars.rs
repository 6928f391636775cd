//! Parses the scalars of fields.

use crate::kinds::Type;
use crate::numbers::is_plain_integer;
use crate::parse::Parser;
use crate::parse_known::unbase64;
use crate::tables::{Enum, Field};
use crate::wire::{Sure, Unsure, put_varint, zigzag};

impl<'t> Parser<'t, '_> {
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
    pub(crate) fn integer(&mut self, kind: Type, text: &[u8]) -> Sure<bool> {
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
