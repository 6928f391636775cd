//! Reads JSON text (RFC 8259), and counts what `JsonLimits` counts: values and nesting.
//!
//! The text is checked to be UTF-8 before, so that every string in it is, too.

use std::borrow::Cow;

use crate::numbers::is_number;
use crate::wire::{Sure, Unsure};

/// What a text may have: `elements` brackets and commas outside strings, and `depth` brackets open at once.
#[derive(Clone, Copy)]
pub struct Limits {
    pub elements: usize,
    pub depth: usize,
}

pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    left: Limits,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, limits: Limits) -> Self {
        Lexer { text: text.as_bytes(), at: 0, left: limits }
    }

    /// Returns the first byte of what is next, after white space; 0 at the end, which no JSON text has.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return *byte;
            }
            self.at += 1;
        }
        0
    }

    /// Reads a mark such as a colon.
    #[inline]
    pub fn mark(&mut self, mark: u8) -> Sure<()> {
        if self.peek() != mark {
            return Err(Unsure);
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the bracket that opens an object or array. Returns whether it has members.
    pub fn open(&mut self, open: u8, close: u8) -> Sure<bool> {
        self.mark(open)?;
        self.left.depth = self.left.depth.checked_sub(1).ok_or(Unsure)?;
        self.count()?;
        if self.peek() != close {
            return Ok(true);
        }
        self.close();
        Ok(false)
    }

    /// Reads a comma or the closing bracket after a member. Returns whether another member follows.
    #[inline]
    pub fn another(&mut self, close: u8) -> Sure<bool> {
        match self.peek() {
            b',' => {
                self.at += 1;
                self.count()?;
                Ok(true)
            }
            byte if byte == close => {
                self.close();
                Ok(false)
            }
            _ => Err(Unsure),
        }
    }

    pub fn end(&mut self) -> Sure<()> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(Unsure) }
    }

    fn close(&mut self) {
        self.at += 1;
        self.left.depth += 1;
    }

    #[inline]
    fn count(&mut self) -> Sure<()> {
        self.left.elements = self.left.elements.checked_sub(1).ok_or(Unsure)?;
        Ok(())
    }

    /// Reads a word such as `null`, if it is next.
    pub fn word(&mut self, word: &[u8]) -> bool {
        self.peek();
        let is_next = self.rest().starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    pub fn boolean(&mut self) -> Sure<bool> {
        if self.word(b"true") {
            Ok(true)
        } else if self.word(b"false") {
            Ok(false)
        } else {
            Err(Unsure)
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads a string; it is valid UTF-8.
    #[inline]
    pub fn string(&mut self) -> Sure<Cow<'a, [u8]>> {
        self.mark(b'"')?;
        let plain = self.unescaped()?;
        if self.byte()? == b'"' {
            return Ok(Cow::Borrowed(plain));
        }
        let mut decoded = plain.to_vec();
        loop {
            self.escape(&mut decoded)?;
            decoded.extend_from_slice(self.unescaped()?);
            if self.byte()? == b'"' {
                return Ok(Cow::Owned(decoded));
            }
        }
    }

    /// Reads up to the next quote or backslash.
    #[inline]
    fn unescaped(&mut self) -> Sure<&'a [u8]> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).ok_or(Unsure)?;
        if rest[length] < 0x20 {
            return Err(Unsure);
        }
        self.at += length;
        Ok(&rest[..length])
    }

    #[inline]
    fn byte(&mut self) -> Sure<u8> {
        let byte = *self.text.get(self.at).ok_or(Unsure)?;
        self.at += 1;
        Ok(byte)
    }

    /// Reads what is after a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Sure<()> {
        let byte = match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = self.character()?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(Unsure),
        };
        out.push(byte);
        Ok(())
    }

    /// Reads the digits of one \u escape, or of the two of a surrogate pair.
    fn character(&mut self) -> Sure<char> {
        let high = self.unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or(Unsure);
        }
        if self.byte()? != b'\\' || self.byte()? != b'u' {
            return Err(Unsure);
        }
        let low = self.unit()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(Unsure);
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(Unsure)
    }

    fn unit(&mut self) -> Sure<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | char::from(self.byte()?).to_digit(16).ok_or(Unsure)?;
        }
        Ok(unit)
    }

    /// Reads a number, as text.
    #[inline]
    pub fn number(&mut self) -> Sure<&'a str> {
        self.peek();
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        self.at += length;
        let number = std::str::from_utf8(&rest[..length]).map_err(|_| Unsure)?;
        if is_number(number.as_bytes()) { Ok(number) } else { Err(Unsure) }
    }

    pub fn double(&mut self) -> Sure<f64> {
        let value = self.number()?.parse::<f64>().map_err(|_| Unsure)?;
        if value.is_finite() { Ok(value) } else { Err(Unsure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Limits = Limits { elements: 100, depth: 10 };

    #[test]
    fn strings_are_decoded() {
        let decoded =
            |text| Lexer::new(text, ENOUGH).string().map(|found| String::from_utf8(found.into_owned()).unwrap());
        assert_eq!(decoded(r#""""#).unwrap(), "");
        assert_eq!(decoded(r#""aé\n\u00e9\ud83d\ude00\/\"x""#).unwrap(), "aé\né😀/\"x");
        for text in
            ["\"", "\"\\", "\"\\u12", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "\"\\x\"", "a"]
        {
            assert!(decoded(text).is_err(), "{text}");
        }
    }

    #[test]
    fn brackets_and_commas_are_counted() {
        let read = |elements, depth| {
            let mut lexer = Lexer::new("[[1,1],[]]", Limits { elements, depth });
            lexer.open(b'[', b']')?;
            lexer.open(b'[', b']')?;
            lexer.number()?;
            lexer.another(b']')?;
            lexer.number()?;
            lexer.another(b']')?;
            lexer.another(b']')?;
            lexer.open(b'[', b']')?;
            lexer.another(b']')?;
            lexer.end()
        };
        assert_eq!(read(5, 2), Ok(()));
        assert_eq!(read(4, 2), Err(Unsure));
        assert_eq!(read(5, 1), Err(Unsure));
    }
}
