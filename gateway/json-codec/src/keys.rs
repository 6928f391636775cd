//! Finds keys of one object or map that stand there twice.

use std::collections::HashSet;
use std::ops::Range;

use crate::wire::{Sure, Unsure};

/// Up to this many keys are compared with each other, which is faster than hashing.
const FEW: usize = 8;

/// The keys of one object, as ranges of the output, which stays as it is while they are added.
#[derive(Default)]
pub struct Keys {
    few: Vec<Range<usize>>,
    many: HashSet<Vec<u8>>,
}

impl Keys {
    /// Adds the key at `range` of `out`. A key that is there already is not certain.
    pub fn add(&mut self, out: &[u8], range: Range<usize>) -> Sure<()> {
        let key = &out[range.clone()];
        if self.few.len() < FEW {
            if self.few.iter().any(|other| &out[other.clone()] == key) {
                return Err(Unsure);
            }
            self.few.push(range);
            return Ok(());
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().map(|other| out[other.clone()].to_vec()));
        }
        if self.many.insert(key.to_vec()) { Ok(()) } else { Err(Unsure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_among_few_and_among_many() {
        let out: Vec<u8> = (0..100).collect();
        for count in [1, FEW - 1, FEW, FEW + 1, 50] {
            let mut keys = Keys::default();
            for at in 0..count {
                assert!(keys.add(&out, at..at + 1).is_ok());
            }
            assert!(keys.add(&out, 0..1).is_err());
            assert!(keys.add(&out, count - 1..count).is_err());
            assert!(keys.add(&out, count..count + 1).is_ok());
        }
    }
}
