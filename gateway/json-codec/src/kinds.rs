//! What kinds of fields and messages there are.

use crate::wire::{DELIMITED, FIXED32, FIXED64, VARINT};

/// The numbers of `google.protobuf.FieldDescriptorProto.Type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Group,
    Message,
    Bytes,
    Uint32,
    Enum,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
}

impl Type {
    pub const ALL: [Type; 18] = [
        Type::Double,
        Type::Float,
        Type::Int64,
        Type::Uint64,
        Type::Int32,
        Type::Fixed64,
        Type::Fixed32,
        Type::Bool,
        Type::String,
        Type::Group,
        Type::Message,
        Type::Bytes,
        Type::Uint32,
        Type::Enum,
        Type::Sfixed32,
        Type::Sfixed64,
        Type::Sint32,
        Type::Sint64,
    ];

    pub fn wire_type(self) -> u64 {
        match self {
            Type::Double | Type::Fixed64 | Type::Sfixed64 => FIXED64,
            Type::Float | Type::Fixed32 | Type::Sfixed32 => FIXED32,
            Type::String | Type::Message | Type::Bytes => DELIMITED,
            _ => VARINT,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    One,
    List,
    Map,
}

/// How a message is printed: by its fields, or in a form of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Plain,
    Timestamp,
    Duration,
    FieldMask,
    Wrapper,
    Struct,
    Value,
    ListValue,
    /// A form that depends on more than the table, such as Any's: never certain.
    Unknown,
}

impl Form {
    pub fn of(name: &str) -> Form {
        match name {
            "" => Form::Plain,
            "Timestamp" => Form::Timestamp,
            "Duration" => Form::Duration,
            "FieldMask" => Form::FieldMask,
            "Wrapper" => Form::Wrapper,
            "Struct" => Form::Struct,
            "Value" => Form::Value,
            "ListValue" => Form::ListValue,
            _ => Form::Unknown,
        }
    }
}
