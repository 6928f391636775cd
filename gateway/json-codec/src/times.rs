//! Timestamps and durations: seconds and nanoseconds to text and back.
//!
//! RFC 3339 section 5.6 with the limits of timestamp.proto and duration.proto. The calendar is Howard Hinnant's
//! `days_from_civil` and its inverse, <https://howardhinnant.github.io/date_algorithms.html>.

use crate::text::put_integer;
use crate::wire::{Sure, Unsure};

const FIRST: i64 = -62_135_596_800; // 0001-01-01T00:00:00Z
const LAST: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z
const LONGEST: i64 = 315_576_000_000; // ten thousand years
const DAY: i64 = 86_400;

pub fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i64) -> Sure<()> {
    if !(FIRST..=LAST).contains(&seconds) || !(0..=999_999_999).contains(&nanos) {
        return Err(Unsure);
    }
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let mut text = *b"\"0000-00-00T00:00:00";
    for (at, value) in [
        (1, year / 100),
        (3, year % 100),
        (6, month),
        (9, day),
        (12, time / 3600),
        (15, time / 60 % 60),
        (18, time % 60),
    ] {
        text[at] += (value / 10) as u8;
        text[at + 1] += (value % 10) as u8;
    }
    out.extend_from_slice(&text);
    put_nanos(out, nanos);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

pub fn put_duration(out: &mut Vec<u8>, seconds: i64, nanos: i64) -> Sure<()> {
    let is_mixed = seconds.signum() * nanos.signum() < 0;
    // At the limit itself, protobuf's libraries differ over the nanoseconds.
    if !(-LONGEST + 1..LONGEST).contains(&seconds) || !(-999_999_999..=999_999_999).contains(&nanos) || is_mixed {
        return Err(Unsure);
    }
    out.push(b'"');
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    put_integer(out, seconds.abs());
    put_nanos(out, nanos.abs());
    out.extend_from_slice(b"s\"");
    Ok(())
}

/// Returns the seconds and nanoseconds of an RFC 3339 timestamp.
pub fn read_timestamp(text: &[u8]) -> Sure<(i64, i64)> {
    let head = text.first_chunk::<19>().ok_or(Unsure)?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if head[at] != mark {
            return Err(Unsure);
        }
    }
    let day = days(digits(&head[..4])?, digits(&head[5..7])?, digits(&head[8..10])?)?;
    let time = time_of_day(digits(&head[11..13])?, digits(&head[14..16])?)? + below(digits(&head[17..])?, 60)?;
    let zone_at = text[19..].iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-')).ok_or(Unsure)? + 19;
    let nanos = match &text[19..zone_at] {
        [] => 0,
        [b'.', fraction @ ..] => read_fraction(fraction)?,
        _ => return Err(Unsure),
    };
    let seconds = day * DAY + time - read_offset(&text[zone_at..])?;
    if !(FIRST..=LAST).contains(&seconds) {
        return Err(Unsure);
    }
    Ok((seconds, nanos))
}

/// Returns the seconds and nanoseconds of a duration such as `-1.5s`.
pub fn read_duration(text: &[u8]) -> Sure<(i64, i64)> {
    let text = text.strip_suffix(b"s").ok_or(Unsure)?;
    let (sign, text) = text.strip_prefix(b"-").map_or((1, text), |rest| (-1, rest));
    let (whole, nanos) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], read_fraction(&text[point + 1..])?),
        None => (text, 0),
    };
    let seconds = if whole.len() <= 12 { digits(whole)? } else { return Err(Unsure) };
    if seconds >= LONGEST {
        return Err(Unsure);
    }
    Ok((sign * seconds, sign * nanos))
}

/// Writes no digits, three, six or nine.
fn put_nanos(out: &mut Vec<u8>, nanos: i64) {
    if nanos == 0 {
        return;
    }
    let text = format!(".{nanos:09}");
    let length = match nanos {
        _ if nanos % 1_000_000 == 0 => 4,
        _ if nanos % 1_000 == 0 => 7,
        _ => 10,
    };
    out.extend_from_slice(&text.as_bytes()[..length]);
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> Sure<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return Err(Unsure),
    };
    if year < 1 || day < 1 || day > length {
        return Err(Unsure);
    }
    let from_march = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (from_march.div_euclid(400), from_march.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Ok(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

fn time_of_day(hours: i64, minutes: i64) -> Sure<i64> {
    Ok(below(hours, 24)? * 3600 + below(minutes, 60)? * 60)
}

fn below(value: i64, limit: i64) -> Sure<i64> {
    if value < limit { Ok(value) } else { Err(Unsure) }
}

fn read_offset(zone: &[u8]) -> Sure<i64> {
    match zone {
        b"Z" => Ok(0),
        [sign, h1, h2, b':', m1, m2] => {
            let offset = time_of_day(digits(&[*h1, *h2])?, digits(&[*m1, *m2])?)?;
            Ok(if *sign == b'-' { -offset } else { offset })
        }
        _ => Err(Unsure),
    }
}

/// Returns the nanoseconds of one to nine digits after a point.
fn read_fraction(text: &[u8]) -> Sure<i64> {
    let count = u32::try_from(text.len()).ok().filter(|count| *count <= 9).ok_or(Unsure)?;
    Ok(digits(text)? * 10_i64.pow(9 - count))
}

/// Returns the value of one to twelve decimal digits.
fn digits(text: &[u8]) -> Sure<i64> {
    if text.is_empty() || text.len() > 12 || !text.iter().all(u8::is_ascii_digit) {
        return Err(Unsure);
    }
    Ok(text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_reads_back() {
        for day in FIRST / DAY..=LAST / DAY {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), Ok(day));
        }
    }

    #[test]
    fn timestamps_have_limits() {
        assert_eq!(read_timestamp(b"2000-02-29T12:30:01.5Z"), Ok((951_827_401, 500_000_000)));
        assert_eq!(read_timestamp(b"1970-01-01T01:00:00+01:00"), Ok((0, 0)));
        for text in [
            "",
            "2000-02-29",
            "2000-02-30T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:00:60Z",
            "2000-01-01T00:00:00",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T00:00:00.0000000001Z",
            "2000-01-01T00:00:00+24:00",
            "9999-12-31T23:59:59-00:01",
            "2000-01-01T00:00:00Zx",
            "2000-01-01T00:00:00é",
        ] {
            assert_eq!(read_timestamp(text.as_bytes()), Err(Unsure), "{text}");
        }
    }

    #[test]
    fn durations_have_limits() {
        assert_eq!(read_duration(b"-1.000000001s"), Ok((-1, -1)));
        assert_eq!(read_duration(b"315575999999.999s"), Ok((LONGEST - 1, 999_000_000)));
        for text in ["", "s", "1", "+1s", ".5s", "1.s", "1.0000000001s", "0000000000001s", "--1s", "315576000001s"] {
            assert_eq!(read_duration(text.as_bytes()), Err(Unsure), "{text}");
        }
    }
}
