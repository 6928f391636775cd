//! What the printer and the parser know of messages and enums: tables, made once at start-up.
//!
//! `diptych/codec/wire_tables.py` makes the specifications from descriptors.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::kinds::{Form, Shape, Type};
use crate::text;

/// (number, JSON name, proto name, type, shape, presence, index of its message or enum, index of its oneof or -1)
pub type FieldSpec = (u32, String, String, usize, String, bool, usize, i32);
/// (form, whether it has extensions, whether it has required fields, fields in their declared order, names that JSON
/// accepts with their fields' indices)
pub type MessageSpec = (String, bool, bool, Vec<FieldSpec>, Vec<(String, u16)>);
/// (whether it is open, whether it is NullValue, values in their declared order)
pub type EnumSpec = (bool, bool, Vec<(String, i32)>);

pub struct Field {
    pub number: u32,
    name: Vec<u8>,
    /// The JSON name and the proto name, each as a member starts: `"name":`.
    pub keys: [Vec<u8>; 2],
    pub kind: Type,
    pub shape: Shape,
    pub presence: bool,
    pub below: usize,
    pub oneof: Option<u32>,
}

pub struct Message {
    pub form: Form,
    pub extendable: bool,
    pub requires: bool,
    pub fields: Vec<Field>,
    by_number: Vec<u16>,
    by_large_number: HashMap<u32, u16, Hashing>,
    by_name: HashMap<Vec<u8>, u16, Hashing>,
}

pub struct Enum {
    pub open: bool,
    pub is_null: bool,
    quoted: HashMap<i32, Vec<u8>, Hashing>,
    /// The same for small numbers.
    small: Vec<Vec<u8>>,
    by_name: HashMap<Vec<u8>, i32, Hashing>,
}

pub struct Table {
    pub messages: Vec<Message>,
    pub enums: Vec<Enum>,
}

const NO_FIELD: u16 = u16::MAX;
/// Fields and values of enums with smaller numbers are found by indexing.
const SMALL: u32 = 64;

impl Message {
    /// Returns the index of the field with this number.
    #[inline]
    pub fn at(&self, number: u32) -> Option<usize> {
        let found = match self.by_number.get(number as usize) {
            Some(found) => *found,
            None => *self.by_large_number.get(&number)?,
        };
        (found != NO_FIELD).then_some(found as usize)
    }

    /// Returns the index of the field with this name; `guess` is looked at first, since members often have an order.
    #[inline]
    pub fn named(&self, name: &[u8], guess: usize) -> Option<usize> {
        if self.fields.get(guess).is_some_and(|field| field.name == name) {
            return Some(guess);
        }
        self.by_name.get(name).map(|index| *index as usize)
    }
}

impl Enum {
    /// Returns the first declared name of a number, in quotes.
    #[inline]
    pub fn quoted(&self, number: i32) -> Option<&[u8]> {
        match usize::try_from(number).ok().and_then(|at| self.small.get(at)) {
            Some(name) if !name.is_empty() => Some(name),
            _ => self.quoted.get(&number).map(Vec::as_slice),
        }
    }

    pub fn number(&self, name: &[u8]) -> Option<i32> {
        self.by_name.get(name).copied()
    }

    pub fn has(&self, number: i32) -> bool {
        self.quoted.contains_key(&number)
    }
}

impl Table {
    /// Makes a table; an error names what is inconsistent in the specifications.
    pub fn new(messages: Vec<MessageSpec>, enums: Vec<EnumSpec>) -> Result<Table, String> {
        let (message_count, enum_count) = (messages.len(), enums.len());
        let table = Table {
            messages: messages.into_iter().map(message).collect::<Result<_, _>>()?,
            enums: enums.into_iter().map(enumeration).collect(),
        };
        for field in table.messages.iter().flat_map(|message| &message.fields) {
            let count = match field.kind {
                Type::Message | Type::Group => message_count,
                Type::Enum => enum_count,
                _ => usize::MAX,
            };
            if field.below >= count {
                return Err(format!("field {} refers to entry {} of {count}", field.number, field.below));
            }
            if field.shape == Shape::Map && !table.messages[field.below].is_entry() {
                return Err(format!("field {} is a map without a key and a value", field.number));
            }
        }
        match table.messages.iter().find(|message| message.form == Form::Wrapper && message.fields.len() != 1) {
            Some(_) => Err("a wrapper has one field".to_owned()),
            None => Ok(table),
        }
    }
}

impl Message {
    fn is_entry(&self) -> bool {
        matches!(&self.fields[..], [key, value] if key.number == 1 && value.number == 2)
    }
}

fn message((form, extendable, requires, fields, names): MessageSpec) -> Result<Message, String> {
    let fields = fields.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    if fields.len() >= NO_FIELD as usize {
        return Err(format!("a message has {} fields; expected fewer than {NO_FIELD}", fields.len()));
    }
    let mut by_number = vec![NO_FIELD; SMALL as usize];
    let mut by_large_number = HashMap::default();
    for (index, field) in fields.iter().enumerate() {
        match by_number.get_mut(field.number as usize) {
            Some(slot) => *slot = index as u16,
            None => _ = by_large_number.insert(field.number, index as u16),
        }
    }
    let count = fields.len();
    if names.iter().any(|(_, index)| *index as usize >= count) {
        return Err("a name refers to no field".to_owned());
    }
    let by_name = names.into_iter().map(|(name, index)| (name.into_bytes(), index)).collect();
    Ok(Message { form: Form::of(&form), extendable, requires, fields, by_number, by_large_number, by_name })
}

fn field((number, json, proto, kind, shape, presence, below, oneof): FieldSpec) -> Result<Field, String> {
    let kind = kind.checked_sub(1).and_then(|at| Type::ALL.get(at)).ok_or(format!("unknown field type {kind}"))?;
    let shape = match shape.as_str() {
        "one" => Shape::One,
        "list" => Shape::List,
        "map" => Shape::Map,
        other => return Err(format!("unknown shape {other:?}")),
    };
    let keys = [key(&json), key(&proto)];
    Ok(Field {
        number,
        name: json.into_bytes(),
        keys,
        kind: *kind,
        shape,
        presence,
        below,
        oneof: u32::try_from(oneof).ok(),
    })
}

fn key(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    text::put_string(&mut out, name);
    out.push(b':');
    out
}

fn enumeration((open, is_null, values): EnumSpec) -> Enum {
    let mut quoted = HashMap::default();
    for (name, number) in &values {
        quoted.entry(*number).or_insert_with(|| format!("\"{name}\"").into_bytes());
    }
    let small = (0..SMALL as i32).map(|number| quoted.get(&number).cloned().unwrap_or_default()).collect();
    let by_name = values.into_iter().map(|(name, number)| (name.into_bytes(), number)).collect();
    Enum { open, is_null, quoted, small, by_name }
}

type Hashing = BuildHasherDefault<Fnv>;

/// FNV-1a: the keys are the schema's, not the client's, so a hash need not resist collisions.
#[derive(Default)]
pub struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u32(number as u32);
    }

    fn finish(&self) -> u64 {
        // hashbrown takes the bucket from the low bits and the tag from the high ones.
        self.0 ^ self.0 >> 32
    }
}
