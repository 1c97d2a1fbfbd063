//! JSON values → YAML, for people to read and for kubectl to apply.
//!
//! kubectl reads YAML 1.1 and more: a bare `on`, also as a key, is a boolean to it, and `1_0` a number. So a text is
//! quoted unless nothing could take it for anything else.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::{Map, Value};

/// Words that one or another reader takes for something else than text, in any case.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

/// A value as a YAML document, without a marker. The same value gives the same bytes.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => write_fields(&mut text, fields, 0, false),
        Value::Array(elements) if !elements.is_empty() => write_elements(&mut text, elements, 0),
        flat => {
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
    text
}

/// Writes fields at that indentation. The first stands behind the dash of a list where `inline` says so.
fn write_fields(text: &mut String, fields: &Map<String, Value>, indent: usize, inline: bool) {
    for (place, (name, value)) in fields.iter().enumerate() {
        if !(inline && place == 0) {
            pad(text, indent);
        }
        let _ = write!(text, "{}:", string(name));
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push('\n');
                write_fields(text, fields, indent + 2, false);
            }
            // As kubectl does, the elements stand below their field's name.
            Value::Array(elements) if !elements.is_empty() => {
                text.push('\n');
                write_elements(text, elements, indent);
            }
            flat => {
                let _ = writeln!(text, " {}", scalar(flat));
            }
        }
    }
}

fn write_elements(text: &mut String, elements: &[Value], indent: usize) {
    for element in elements {
        pad(text, indent);
        match element {
            Value::Object(fields) if !fields.is_empty() => {
                text.push_str("- ");
                write_fields(text, fields, indent + 2, true);
            }
            Value::Array(elements) if !elements.is_empty() => {
                text.push_str("-\n");
                write_elements(text, elements, indent + 2);
            }
            flat => {
                let _ = writeln!(text, "- {}", scalar(flat));
            }
        }
    }
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// A value on one line. JSON's own form of whatever is no text is YAML too.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    for character in Value::from(text).to_string().chars() {
        // YAML readers refuse these even in quotes, and JSON's form leaves them as they are.
        if character.is_control() || matches!(character, '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            let _ = write!(quoted, "\\u{:04x}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

fn is_plain(text: &str) -> bool {
    let is_harmless = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_harmless);
    let is_reserved = || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    (is_word && !is_reserved()) || text.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_lists_are_indented_as_kubectl_does() {
        let value = json!({
            "a": { "b": [{ "c": 1, "d": [] }, "e", [true, null], {}] },
            "f": { "g/h": "192.0.2.1", "i": "1.5" },
        });
        let expected = "\
a:
  b:
  - c: 1
    d: []
  - e
  -
    - true
    - null
  - {}
f:
  g/h: 192.0.2.1
  i: \"1.5\"
";
        assert_eq!(document(&value), expected);
    }

    #[test]
    fn whatever_is_written_is_read_back_the_same() {
        let texts = [
            "",
            " ",
            "~",
            "on",
            "Yes",
            "y",
            "null",
            "0x1f",
            "1_0",
            "1e3",
            ".5",
            "-1",
            "0o7",
            "2020-01-01",
            "12:30",
            "a: b",
            "a #b",
            "- a",
            "[a",
            "{a",
            "*.example.com",
            "&a",
            "!a",
            "|",
            ">",
            "'a'",
            "\"a\"",
            "%a",
            "@a",
            "`a",
            "a\nb",
            "a\tb",
            "\u{7f}\u{85}\u{2028}\u{feff}",
            "ünïcode",
            "---",
            "...",
            "<<",
            "=",
            "a,b",
            "NaN",
            "C:\\d",
            "a ",
        ];
        for text in texts {
            let value = json!({ text: [text, { text: text }] });
            let yaml = document(&value);
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap_or_default(), value, "{yaml}");
        }
    }

    #[test]
    fn a_key_that_could_be_a_boolean_is_quoted() {
        assert_eq!(document(&json!({ "on": "off", "only": "offer" })), "\"on\": \"off\"\nonly: offer\n");
    }
}
