//! Random and damaged inputs: nothing panics, and what is accepted reads back.
//!
//! `RUNS` is the number of inputs of each test, 20,000 by default; `SEED` repeats a run.

use diptych_json::json::Limits;
use diptych_json::parse::parse;
use diptych_json::print::{Options, print};
use diptych_json::tables::{FieldSpec, MessageSpec, Table};

const LIMITS: Limits = Limits { elements: 1000, depth: 64 };
const OPTIONS: Options = Options { emit_defaults: false, preserve_names: false, enums_as_ints: false };
const FORMS: [&str; 8] = ["Timestamp", "Duration", "FieldMask", "Wrapper", "Struct", "Value", "ListValue", "Any"];
const KIND_OF_MESSAGE: usize = 11;
const KIND_OF_ENUM: usize = 14;

/// xorshift64*, so that a seed repeats a run.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn runs() -> usize {
    std::env::var("RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// A message with a field of every kind alone, in a list and in a map, below itself and with every form of its own.
fn table() -> Table {
    let mut messages: Vec<MessageSpec> = vec![(String::new(), false, false, Vec::new(), Vec::new())];
    for form in FORMS {
        let fields = if form == "Wrapper" { vec![field(1, "value", 2, "one", false, 0)] } else { Vec::new() };
        messages.push((form.to_owned(), false, false, fields, Vec::new()));
    }
    let mut kinds: Vec<(usize, usize)> = (1..=18).filter(|kind| *kind != 10).map(|kind| (kind, 0)).collect();
    kinds.extend((1..=FORMS.len()).map(|below| (KIND_OF_MESSAGE, below)));
    kinds.push((KIND_OF_ENUM, 1));
    let mut fields = Vec::new();
    for (at, (kind, below)) in kinds.into_iter().enumerate() {
        let number = at as u32 + 1;
        fields.push(field(number, &format!("a{at}"), kind, "one", at % 2 == 0 || kind == KIND_OF_MESSAGE, below));
        fields.push(field(number + 100, &format!("b{at}"), kind, "list", false, below));
        let entry = messages.len();
        let key = [9, 8, 5, 4, 17, 6][at % 6];
        let pair = vec![field(1, "key", key, "one", false, 0), field(2, "value", kind, "one", false, below)];
        messages.push((String::new(), false, false, pair, Vec::new()));
        fields.push(field(number + 1000, &format!("c{at}"), KIND_OF_MESSAGE, "map", false, entry));
    }
    let names = fields.iter().enumerate().map(|(index, field)| (field.1.clone(), index as u16)).collect();
    messages[0] = (String::new(), false, false, fields, names);
    let values = [("NONE", 0), ("SOME", 1), ("ALIAS", 1), ("LESS", -1)];
    let values: Vec<_> = values.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
    Table::new(messages, vec![(true, false, values.clone()), (false, false, values)]).unwrap()
}

fn field(number: u32, name: &str, kind: usize, shape: &str, presence: bool, below: usize) -> FieldSpec {
    (number, name.to_owned(), format!("{name}_proto"), kind, shape.to_owned(), presence, below, -1)
}

/// Returns a text that is often JSON, and often the JSON of the message.
fn text(random: &mut Random, depth: usize) -> String {
    const WORDS: [&str; 30] = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e5",
        "1e-7",
        "3.5e38",
        "123456789012345678901",
        "\"\"",
        "\"1\"",
        "\"a\"",
        "\"SOME\"",
        "\"LESS\"",
        "\"NaN\"",
        "\"-Infinity\"",
        "\"YWJj\"",
        "\"+/8=\"",
        "\"2000-02-29T00:00:00.5Z\"",
        "\"0001-01-01T00:00:00+00:01\"",
        "\"-1.5s\"",
        "\"aB,c\"",
        "\"\\u00e9\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"é\\n\"",
        "01",
        "\"",
        "nul",
        "\"\\",
    ];
    match random.below(if depth > 6 { 2 } else { 5 }) {
        0 | 1 => random.pick(&WORDS).to_owned(),
        2 => {
            let members = (0..random.below(4)).map(|_| text(random, depth + 1)).collect::<Vec<_>>();
            format!("[{}]", members.join(","))
        }
        _ => object(random, depth),
    }
}

fn object(random: &mut Random, depth: usize) -> String {
    let members = (0..random.below(4)).map(|_| {
        let key = match random.below(4) {
            0 => random.pick(&["1", "-5", "true", "x", "\\u0061", "a0_proto"]).to_owned(),
            _ => format!("{}{}", random.pick(&["a", "b", "c"]), random.below(26)),
        };
        format!("\"{key}\":{}", text(random, depth + 1))
    });
    let members: Vec<String> = members.collect();
    format!("{{{}}}", members.join(random.pick(&[",", ",", ",", " , "])))
}

fn damaged(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.below(256) as u8),
            _ if at == bytes.len() => {}
            2 => bytes[at] = random.below(256) as u8,
            _ => _ = bytes.remove(at),
        }
    }
    bytes
}

/// Checks that a serialized message prints as UTF-8 that reads back, if it prints.
fn check(table: &Table, wire: &[u8]) -> bool {
    let Ok(printed) = print(table, 0, wire, OPTIONS) else { return false };
    std::str::from_utf8(&printed).unwrap();
    if let Ok(again) = parse(table, 0, None, &printed, LIMITS) {
        assert_eq!(print(table, 0, &again, OPTIONS).unwrap(), printed);
    }
    true
}

#[test]
fn texts_and_damaged_texts_parse_or_are_not_certain() {
    let (table, mut random, mut accepted) = (table(), Random::seeded(), 0);
    for _ in 0..runs() {
        let body = object(&mut random, 0);
        for body in [body.as_bytes().to_vec(), damaged(&mut random, body.as_bytes())] {
            if let Ok(wire) = parse(&table, 0, None, &body, LIMITS) {
                assert!(check(&table, &wire), "{}", String::from_utf8_lossy(&body));
                accepted += 1;
            }
            let _ = parse(&table, 0, Some(random.below(70)), &body, LIMITS);
        }
    }
    assert!(accepted > runs() / 10, "{accepted} texts were accepted");
}

#[test]
fn damaged_wire_bytes_print_or_are_not_certain() {
    let (table, mut random, mut printed) = (table(), Random::seeded(), 0);
    for _ in 0..runs() {
        let Ok(wire) = parse(&table, 0, None, object(&mut random, 0).as_bytes(), LIMITS) else { continue };
        printed += usize::from(check(&table, &damaged(&mut random, &wire)));
    }
    assert!(printed > 0);
}

#[test]
fn random_bytes_neither_print_nor_parse_wrongly() {
    let (table, mut random) = (table(), Random::seeded());
    for _ in 0..runs() {
        let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.below(256) as u8).collect();
        check(&table, &bytes);
        let _ = parse(&table, 0, None, &bytes, LIMITS);
    }
}

#[test]
fn depth_is_bounded_whatever_the_limits_are() {
    let table = table();
    let deep = Limits { elements: usize::MAX, depth: usize::MAX };
    let value = format!("{{\"a22\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(parse(&table, 0, None, value.as_bytes(), deep).is_err());
    let message = format!("{}{}", "{\"a9\":".repeat(1_000_000), "}".repeat(1_000_000));
    assert!(parse(&table, 0, None, message.as_bytes(), deep).is_err());
}
