//! Amounts of Vietnamese dong, which has no smaller unit, in the ways that banks and gateways write them.

use serde_json::Value;

/// The largest amount that is believed, ten trillion dong less one: up to here every JSON reader is exact, with
/// two decimals too, and no sum of payments overflows.
pub const MAX: i64 = 9_999_999_999_999;

/// Whole dong from `99000`, `99000.0`, `"99000"` or `"99000.00"`. `None` for fractions of a dong, for
/// anything below zero or above [`MAX`], and for thousands separators: `"99.000"` is 99 to one reader and
/// 99,000 to another.
pub fn whole_dong(value: &Value) -> Option<i64> {
    let dong = match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(integral))?,
        Value::String(text) => decimal(text.trim())?,
        _ => return None,
    };
    (0..=MAX).contains(&dong).then_some(dong)
}

// The range is checked first; within it every integral float is an exact `i64`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn integral(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && (0.0..=MAX as f64).contains(&number);
    exact.then_some(number as i64)
}

fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    if digits && matches!(fraction, "0" | "00") {
        whole.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_whole_dong_however_it_is_written() {
        for (value, dong) in [
            (json!(99000), Some(99_000)),
            (json!(99000.0), Some(99_000)),
            (json!("99000"), Some(99_000)),
            (json!(" 99000.00 "), Some(99_000)),
            (json!("0099000"), Some(99_000)),
            (json!(9.9e4), Some(99_000)),
            (json!(0), Some(0)),
            (json!(-0.0), Some(0)),
            (json!(MAX), Some(MAX)),
            (json!(MAX.to_string()), Some(MAX)),
            (json!("9999999999999.00"), Some(MAX)),
            (json!(MAX + 1), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("99999999999999999999999"), None),
            (json!(-1), None),
            (json!(-1.0), None),
            (json!("-1"), None),
            (json!("+1"), None),
            (json!(99000.5), None),
            (json!("99000.50"), None),
            (json!("99.000"), None),
            (json!("99,000"), None),
            (json!("99.000.00"), None),
            (json!("99000."), None),
            (json!(".00"), None),
            (json!(""), None),
            (json!("9e4"), None),
            (json!("٩"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([99000]), None),
        ] {
            assert_eq!(whole_dong(&value), dong, "{value}");
        }
    }

    proptest! {
        #[test]
        fn every_way_of_writing_an_amount_is_that_amount(dong in 0..=MAX, zeros in 1_usize..3) {
            let text = format!("{dong}.{}", "0".repeat(zeros));
            let number: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(whole_dong(&json!(dong)), Some(dong));
            prop_assert_eq!(whole_dong(&json!(dong.to_string())), Some(dong));
            prop_assert_eq!(whole_dong(&json!(text)), Some(dong));
            prop_assert_eq!(whole_dong(&number), Some(dong));
        }

        #[test]
        fn no_text_is_an_amount_unless_it_says_so_in_digits(text in "\\PC{0,12}") {
            if let Some(dong) = whole_dong(&json!(text)) {
                let whole = text.trim().split('.').next().unwrap();
                prop_assert_eq!(whole.trim_start_matches('0'), if dong == 0 { String::new() } else { dong.to_string() });
            }
        }
    }
}
