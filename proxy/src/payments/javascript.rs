//! Writes values as text in the same way as JavaScript, because some providers sign text that JavaScript made.

use serde_json::{Number, Value};

/// Returns what `String(value)` returns in JavaScript. Returns `None` for objects and lists, because their text is
/// ambiguous, and for numbers that JavaScript writes with an exponent.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number_text(number),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a number as text. JavaScript has only one type for numbers. Between these bounds JavaScript writes numbers
/// without an exponent, like Rust.
fn number_text(number: &Number) -> Option<String> {
    let float = number.as_f64()?;
    let plain = float == 0.0 || (1e-6..1e21).contains(&float.abs());
    plain.then(|| format!("{}", if float == 0.0 { 0.0 } else { float }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_signed_as_javascript_writes_them() {
        for (value, text) in [
            (json!(99000), Some("99000")),
            (json!(99000.0), Some("99000")),
            (json!(0.5), Some("0.5")),
            (json!(-0.0), Some("0")),
            (json!(1e20), Some("100000000000000000000")),
            (json!(9_007_199_254_740_993_i64), Some("9007199254740992")),
            (json!(true), Some("true")),
            (json!(null), Some("null")),
            (json!("a=b"), Some("a=b")),
            (json!("a&b"), Some("a&b")),
            (json!(1e21), None),
            (json!({}), None),
            (json!([]), None),
        ] {
            assert_eq!(text_of(&value).as_deref(), text, "{value}");
        }
    }
}
