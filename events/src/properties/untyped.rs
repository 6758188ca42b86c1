//! Properties without a type in TikTok's contract. Such properties pass through unchanged, unless they contain personal
//! data.

use alloc::borrow::ToOwned;

use serde_json::Value;

use crate::{
    address,
    fields::{Extra, Fields, Problems},
    personal::{has_email, is_name},
    rule::{leave_out, repair},
};

/// Adds the properties that were not read.
pub(super) fn add(fields: &Fields<'_>, extra: &mut Extra, problems: &mut Problems) {
    for (name, raw) in fields.rest() {
        let path = || fields.path_of(name);
        if is_name(name) && is_datum(raw.get()) || has_email(name) {
            problems.warn(path(), &leave_out::PERSONAL_DATA);
            continue;
        }
        if problems.is_mended && (has_replacement(name) || has_replacement(raw.get())) {
            problems.warn(path(), &repair::UNICODE);
        }
        if is_deep(raw.get()) {
            problems.warn(path(), &leave_out::DEPTH);
            continue;
        }
        if !may_be_personal(raw.get()) {
            extra.add(name.to_owned(), raw);
            continue;
        }
        let Ok(mut value) = serde_json::from_str::<Value>(raw.get()) else {
            problems.warn(path(), &leave_out::NUMBER);
            continue;
        };
        if clean(&mut value) {
            problems.warn(path(), &repair::PERSONAL_PARTS);
            extra.put(name.to_owned(), &value);
        } else {
            extra.add(name.to_owned(), raw);
        }
    }
}

/// Returns whether a value is nested deeper than JSON readers accept. Many JSON readers accept at most 128 levels, and the
/// event around the value uses some of these levels.
fn is_deep(raw: &str) -> bool {
    const MOST_LEVELS: usize = 100;
    let (mut levels, mut is_text, mut is_escaped) = (0_usize, false, false);
    raw.bytes().any(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => levels += 1,
            b']' | b'}' if !is_text => levels = levels.saturating_sub(1),
            _ => {}
        }
        levels > MOST_LEVELS
    })
}

fn has_replacement(raw: &str) -> bool {
    raw.contains('\u{fffd}') || raw.contains("\\ufffd")
}

/// Returns whether a value can be personal data. A boolean and an empty text cannot: for example, `phone: true` states only
/// that there is a phone number.
fn is_datum(raw: &str) -> bool {
    !matches!(raw, "true" | "false" | "\"\"")
}

/// Returns whether a value must be searched for personal data. This is true for objects and arrays, which can contain names,
/// and for texts, which can contain e-mail addresses.
fn may_be_personal(raw: &str) -> bool {
    raw.starts_with(['{', '['])
        || raw.starts_with('"') && raw.contains(['@', '%', '\\', '\u{ff20}', '?', '='])
        // The result is also true for a number that may be too large for a floating-point number, because TikTok cannot read
        // such a number.
        || !raw.starts_with('"') && raw.contains(['e', 'E']) && raw.len() > 5
}

/// Removes personal data from a value: members whose name is a name of personal data, e-mail addresses in texts and names, and
/// personal parts of page addresses. Returns whether any data was removed.
fn clean(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            let before = members.len();
            members.retain(|name, value| {
                let is_datum = !value.is_boolean() && !value.is_null() && value != "";
                !(is_datum && is_name(name) || has_email(name))
            });
            let mut found = members.len() < before;
            for value in members.values_mut() {
                found |= clean(value);
            }
            found
        }
        Value::Array(values) => {
            let mut found = false;
            for value in values {
                found |= clean(value);
            }
            found
        }
        Value::String(text) => {
            let left = address::clean_text(text);
            let found = left.is_some();
            if let Some(left) = left {
                *text = left;
            }
            found
        }
        _ => false,
    }
}
