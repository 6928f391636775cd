//! Writes scalars as JSON: strings, base64, integers, and numbers as Python's `repr` writes them, whole ones without ".0".

use std::fmt::Write as _;

/// Bytes that JSON strings escape.
static ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};
const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn put_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if ESCAPED[*byte as usize] {
            out.extend_from_slice(&bytes[written..at]);
            put_escape(out, *byte);
            written = at + 1;
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

pub fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() / 3 * 4 + 6);
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let digit = |shift: u32| BASE64[(bits >> shift & 63) as usize];
        let mut digits = [digit(18), digit(12), digit(6), digit(0)];
        digits[chunk.len() + 1..].fill(b'=');
        out.extend_from_slice(&digits);
    }
    out.push(b'"');
}

pub fn put_integer<I: itoa::Integer>(out: &mut Vec<u8>, value: I) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// JSON writes 64-bit integers as strings, since a double does not hold them.
pub fn put_quoted<I: itoa::Integer>(out: &mut Vec<u8>, value: I) {
    out.push(b'"');
    put_integer(out, value);
    out.push(b'"');
}

pub fn put_double(out: &mut Vec<u8>, value: f64) {
    match name(value) {
        Some(name) => out.extend_from_slice(name),
        None => put_finite(out, value),
    }
}

/// Writes a float with the fewest digits that read as the same float.
pub fn put_float(out: &mut Vec<u8>, value: f32) {
    if let Some(name) = name(f64::from(value)) {
        out.extend_from_slice(name);
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let text = if is_special(value) { &in_six_digits_or_more(value) } else { buffer.format_finite(value) };
    // In this range ryu and repr write the same.
    if value == 0.0 || ((1e-3..1e13).contains(&value.abs()) && !is_special(value)) {
        out.extend_from_slice(without_fraction(text).as_bytes());
    } else {
        put_finite(out, text.parse().unwrap_or(f64::from(value)));
    }
}

/// Returns a whole number without its fraction; not -0.0, since many parsers read -0 as an integer without a sign.
fn without_fraction(text: &str) -> &str {
    if text == "-0.0" { text } else { text.strip_suffix(".0").unwrap_or(text) }
}

/// Returns the string that JSON has for a number that is not finite.
fn name(value: f64) -> Option<&'static [u8]> {
    match value {
        _ if value.is_finite() => None,
        _ if value.is_nan() => Some(b"\"NaN\""),
        _ if value > 0.0 => Some(b"\"Infinity\""),
        _ => Some(b"\"-Infinity\""),
    }
}

/// Whether the shortest digits may differ from those of json_format, which tries six digits, then seven, eight and nine.
fn is_special(value: f32) -> bool {
    let bits = value.to_bits();
    value != 0.0 && (bits & 0x7f_ffff == 0 || bits & 0x7f80_0000 == 0)
}

fn in_six_digits_or_more(value: f32) -> String {
    let reads_back = |text: &String| text.parse::<f64>().is_ok_and(|double| double as f32 == value);
    (5..8).map(|digits| format!("{value:.digits$e}")).find(reads_back).unwrap_or(format!("{value:.8e}"))
}

/// Writes a finite double nearly as `repr` does: exponents below -4 or above 15, signed and of two digits or more.
fn put_finite(out: &mut Vec<u8>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        out.extend_from_slice(without_fraction(text).as_bytes());
        return;
    }
    match text.split_once('e') {
        Some((digits, exponent)) => put_scientific(out, digits, exponent.parse().unwrap_or(0)),
        None => put_fraction(out, text),
    }
}

fn put_scientific(out: &mut Vec<u8>, digits: &str, exponent: i32) {
    let mut text = String::with_capacity(24);
    let sign = if exponent < 0 { '-' } else { '+' };
    // Writing to a String cannot fail.
    let _ = write!(text, "{digits}e{sign}{:02}", exponent.unsigned_abs());
    out.extend_from_slice(text.as_bytes());
}

/// ryu writes 0.0000123 where repr writes 1.23e-05.
fn put_fraction(out: &mut Vec<u8>, text: &str) {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let fraction = text.strip_prefix("0.").unwrap_or(text);
    let digits = fraction.trim_start_matches('0');
    let exponent = -((fraction.len() - digits.len()) as i32 + 1);
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    put_scientific(out, &format!("{sign}{first}{point}{rest}"), exponent);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_written_as_python_writes_them_but_for_whole_ones() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (123456.0, "123456"),
            (-10.0, "-10"),
            (1e15, "1000000000000000"),
            (9007199254740993.0, "9007199254740992"),
            (1e16, "1e+16"),
            (1.2345678901234568e17, "1.2345678901234568e+17"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-5, "-1.5e-05"),
            (1.23e-7, "1.23e-07"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(written(|out| put_double(out, value)), text);
        }
    }

    #[test]
    fn floats_are_short() {
        for (value, text) in [
            (0.1_f32, "0.1"),
            (-0.0, "-0.0"),
            (1.0 / 3.0, "0.33333334"),
            (123456789.0, "123456790"),
            (1e10, "10000000000"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000"),
            (1e-5, "1e-05"),
            (1e-4, "0.0001"),
            (f32::MAX, "3.4028235e+38"),
            (f32::from_bits(1), "1.4013e-45"),
            (2.0, "2"),
            (f32::from_bits(115 << 23), "0.00024414062"),
            (f32::INFINITY, "\"Infinity\""),
        ] {
            assert_eq!(written(|out| put_float(out, value)), text);
        }
    }

    #[test]
    fn strings_are_escaped() {
        let text = written(|out| put_string(out, "\0\u{8}\u{c}\n\r\t\u{1f}\"\\/<é\u{2028}\u{7f}😀"));
        assert_eq!(text, "\"\\u0000\\b\\f\\n\\r\\t\\u001f\\\"\\\\/<é\u{2028}\u{7f}😀\"");
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", "\"\""), ("a", "\"YQ==\""), ("ab", "\"YWI=\""), ("abc", "\"YWJj\"")] {
            assert_eq!(written(|out| put_base64(out, bytes.as_bytes())), text);
        }
    }
}
