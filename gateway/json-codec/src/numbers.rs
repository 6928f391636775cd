//! The grammar of numbers in JSON.

/// Whether this is a number of RFC 8259 section 6.
pub fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match text {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', ..] => after_digits(text),
        _ => return false,
    };
    let rest = match rest {
        [b'.', b'0'..=b'9', ..] => after_digits(&rest[1..]),
        _ => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => {
            !digits.is_empty() && after_digits(digits).is_empty()
        }
        _ => false,
    }
}

/// Whether this is an integer in the one form that everything prints.
pub fn is_plain_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let has_leading_zero = digits.len() > 1 && digits[0] == b'0';
    !digits.is_empty() && !has_leading_zero && after_digits(digits).is_empty() && text != b"-0"
}

fn after_digits(text: &[u8]) -> &[u8] {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    &text[length..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_json_s_grammar() {
        for text in ["0", "-0", "10", "1.5", "-1.5e10", "1E+5", "1e-05"] {
            assert!(is_number(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "1.e5", "1-2", "--1", "1e5.5", "0x1"] {
            assert!(!is_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn integers_are_plain_in_one_form() {
        for text in ["0", "7", "-7", "10"] {
            assert!(is_plain_integer(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "-0", "+7", "07", "1.0", "1e2", " 1"] {
            assert!(!is_plain_integer(text.as_bytes()), "{text}");
        }
    }
}
