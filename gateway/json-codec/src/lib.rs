//! Converts protobuf's wire bytes to JSON and back, by tables made from descriptors at start-up.
//!
//! What the codec does not know for certain it refuses (`wire::Unsure`), and the caller converts it in its complete, slow
//! way. It never reads beyond its input, and recursion is bounded by protobuf's nesting limit.

#![deny(unsafe_code)]

pub mod json;
mod keys;
mod kinds;
mod numbers;
pub mod parse;
mod parse_known;
mod parse_scalars;
pub mod print;
mod print_known;
mod print_scalars;
pub mod tables;
mod text;
mod times;
pub mod wire;

#[cfg(feature = "python")]
mod python;
