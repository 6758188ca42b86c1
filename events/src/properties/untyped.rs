//! Properties that TikTok does not type pass through as they came, unless they hold personal data.

use alloc::borrow::ToOwned;

use serde_json::Value;

use crate::{
    address,
    fields::{Extra, Fields, Problems},
    personal::{has_email, is_name},
    rule::{leave_out, repair},
};

/// Adds what nobody asked for.
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

/// Whether a value is nested deeper than programs read JSON: many stop at 128 levels, of which the event has some.
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

/// Whether a value can be somebody's: `true` under the name of a phone says only that there is one.
fn is_datum(raw: &str) -> bool {
    !matches!(raw, "true" | "false" | "\"\"")
}

/// Whether it pays to look into a value: an object or array has names in it, and text may hold an address.
fn may_be_personal(raw: &str) -> bool {
    raw.starts_with(['{', '['])
        || raw.starts_with('"') && raw.contains(['@', '%', '\\', '\u{ff20}', '?', '='])
        // A number beyond every number is nothing that TikTok could read.
        || !raw.starts_with('"') && raw.contains(['e', 'E']) && raw.len() > 5
}

/// Takes personal data out of a value: members with a personal name, e-mail addresses in texts and names, and in
/// addresses of pages what is personal there. Whether there was any.
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
