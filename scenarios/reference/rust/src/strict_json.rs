//! JSON as the PDP's answers must be: valid, whole, in UTF-8, and no member name twice.

use serde::de::IgnoredAny;
use serde_json::value::RawValue as Json;
use std::collections::HashSet;

/// The text of a whole body, or why it is not strict JSON.
///
/// `serde_json` refuses a byte order mark, `NaN` and what follows the value; it does not see
/// member names that stand twice in one object, however deep.
pub fn read(body: &[u8]) -> Result<&Json, String> {
    let text = str::from_utf8(body).map_err(|_| "not UTF-8".to_owned())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    if let Some(name) = repeated_name(text) {
        return Err(format!("member {name} twice"));
    }
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

/// The first member name that its object has already; `text` is valid JSON.
///
/// Without recursion: how deep an answer nests is up to its sender.
fn repeated_name(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut open: Vec<Option<HashSet<String>>> = Vec::new(); // None: an array
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => open.push(Some(HashSet::new())),
            b'[' => open.push(None),
            b'}' | b']' => drop(open.pop()),
            b'"' => {
                let end = end_of_string(bytes, at);
                if let Some(Some(names)) = open.last_mut()
                    && is_name(bytes, end)
                {
                    let name = written_name(&text[at..end]);
                    if names.contains(&name) {
                        return Some(name);
                    }
                    names.insert(name);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The name without its escapes. With half a surrogate pair it has no such form: then as written.
fn written_name(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_name(bytes: &[u8], end: usize) -> bool {
    bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_is_strict() {
        for text in [
            r#"{"a":1,"b":{"a":2},"c":[{"a":"a"},{"a":"\"a\":"}]}"#,
            " [] ",
            "1e999",
        ] {
            assert!(read(text.as_bytes()).is_ok(), "{text}");
        }
        assert!(read("[".repeat(20_000).as_bytes()).is_err());
        assert!(read(format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not() {
        for text in [
            "\u{feff}{}",
            "{} x",
            "{}{}",
            r#"{"a":NaN}"#,
            r#"{"a":1,}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"a":1,"b":2,"\u0061":3}]}"#,
            "",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err());
    }
}
