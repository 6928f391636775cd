//! Prints the scalars of fields.

use crate::kinds::Type;
use crate::print::Printer;
use crate::tables::{Enum, Field};
use crate::text;
use crate::wire::{Sure, Unsure, unzigzag};

impl<'t> Printer<'t> {
    #[inline]
    pub(crate) fn scalar(&mut self, field: &'t Field, bits: u64, span: &[u8]) -> Sure<()> {
        let out = &mut self.out;
        match field.kind {
            Type::String => text::put_string(out, std::str::from_utf8(span).map_err(|_| Unsure)?),
            Type::Bytes => text::put_base64(out, span),
            Type::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
            Type::Int32 | Type::Sfixed32 => text::put_integer(out, bits as i32),
            Type::Uint32 | Type::Fixed32 => text::put_integer(out, bits as u32),
            Type::Sint32 => text::put_integer(out, unzigzag(bits & 0xffff_ffff) as i32),
            Type::Int64 | Type::Sfixed64 => text::put_quoted(out, bits as i64),
            Type::Uint64 | Type::Fixed64 => text::put_quoted(out, bits),
            Type::Sint64 => text::put_quoted(out, unzigzag(bits)),
            Type::Double => text::put_double(out, f64::from_bits(bits)),
            Type::Float => text::put_float(out, f32::from_bits(bits as u32)),
            Type::Enum => return self.enumeration(&self.table.enums[field.below], bits as i32),
            Type::Message | Type::Group => return Err(Unsure),
        }
        Ok(())
    }

    fn enumeration(&mut self, enumeration: &'t Enum, number: i32) -> Sure<()> {
        if enumeration.is_null {
            self.out.extend_from_slice(b"null");
        } else if self.options.enums_as_ints {
            text::put_integer(&mut self.out, number);
        } else if let Some(name) = enumeration.quoted(number) {
            self.out.extend_from_slice(name);
        } else if enumeration.open {
            text::put_integer(&mut self.out, number);
        } else {
            return Err(Unsure); // runtimes keep it as an unknown field
        }
        Ok(())
    }
}
