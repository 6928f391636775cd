//! Reads and writes the protobuf wire format; it knows no messages.
//!
//! <https://protobuf.dev/programming-guides/encoding/>. Every read is checked against the end of the bytes.

/// The codec is not certain of the answer: the caller converts the message in the complete, slow way.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsure;

pub type Sure<T> = Result<T, Unsure>;

/// protobuf's runtimes refuse messages nested deeper than this.
pub const DEEPEST: u32 = 100;

pub const VARINT: u64 = 0;
pub const FIXED64: u64 = 1;
pub const DELIMITED: u64 = 2;
pub const FIXED32: u64 = 5;

/// One field as it is on the wire: `bits` of a number, or the range of the bytes of a delimited value.
#[derive(Clone, Copy)]
pub struct Record {
    pub number: u32,
    pub wire_type: u64,
    pub bits: u64,
    pub start: usize,
    pub end: usize,
}

/// Reads `bytes` from `at`, which never passes their end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads the next field. Groups are never certain.
    #[inline]
    pub fn record(&mut self) -> Sure<Record> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Unsure)?;
        let wire_type = tag & 7;
        let mut record = Record { number, wire_type, bits: 0, start: self.at, end: self.at };
        if wire_type == DELIMITED {
            let length = usize::try_from(self.varint()?).map_err(|_| Unsure)?;
            record.start = self.at;
            record.end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(Unsure)?;
            self.at = record.end;
        } else {
            record.bits = self.number(wire_type)?;
        }
        Ok(record)
    }

    /// Reads a number of a wire type other than delimited.
    #[inline]
    pub fn number(&mut self, wire_type: u64) -> Sure<u64> {
        match wire_type {
            VARINT => self.varint(),
            FIXED64 => Ok(u64::from_le_bytes(self.array()?)),
            FIXED32 => Ok(u64::from(u32::from_le_bytes(self.array()?))),
            _ => Err(Unsure),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Sure<[u8; N]> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Unsure)?;
        self.at += N;
        Ok(*found)
    }

    #[inline]
    fn byte(&mut self) -> Sure<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Unsure)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn varint(&mut self) -> Sure<u64> {
        let first = self.byte()?;
        let mut value = u64::from(first & 0x7f);
        if first < 0x80 {
            return Ok(value);
        }
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Unsure);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unsure)
    }
}

pub fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}

pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    put_varint(out, u64::from(number) << 3 | wire_type);
}

/// Leaves room for the length of a delimited value that is written next; `put_length` gets what this returns.
pub fn begin(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of a value before it; `start` is where the value starts.
pub fn put_length(out: &mut Vec<u8>, start: usize) {
    let mut length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    // Most values are short, so room is left for one byte, and a longer value moves.
    let mut bytes = [0_u8; 10];
    let mut count = 0;
    while length >= 0x80 {
        bytes[count] = length as u8 | 0x80;
        count += 1;
        length >>= 7;
    }
    bytes[count] = length as u8;
    out.splice(start - 1..start, bytes[..=count].iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_read_back_and_are_not_read_past_their_end() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Reader::new(&out, 0).varint(), Ok(value));
            out.pop();
            assert_eq!(Reader::new(&out, 0).varint(), Err(Unsure));
        }
        assert_eq!(Reader::new(&[0xff; 10], 0).varint(), Err(Unsure));
        assert_eq!(Reader::new(&[0xff; 11], 0).varint(), Err(Unsure));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert!(Reader::new(&[0x0a, 0x02, 0x61], 0).record().is_err());
        let mut huge = vec![0x0a];
        put_varint(&mut huge, u64::MAX);
        assert!(Reader::new(&huge, 0).record().is_err());
    }

    #[test]
    fn lengths_are_put_before_their_values() {
        for length in [0, 1, 127, 128, 20_000, 3_000_000] {
            let mut out = vec![0x0a];
            let start = begin(&mut out);
            out.resize(start + length, b'x');
            put_length(&mut out, start);
            let record = Reader::new(&out, 0).record().unwrap();
            assert_eq!((record.end - record.start, record.end), (length, out.len()));
        }
    }

    #[test]
    fn zigzag_reads_back() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
