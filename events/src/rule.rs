//! Every rule of an event: the rule's name, what must hold, and what Duet does if the rule is broken. `docs/rules.md` contains
//! the same list, which a test checks.
//!
//! The rules of a group have different names. But rules of two groups can have the same name: for example, one rejects an
//! event, and the other only leaves out a field.

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name, for programs.
    pub name: &'static str,
    /// The rule as the second part of a sentence. The message puts the field's name in front of it.
    pub must: &'static str,
    /// What Duet did instead. The text is empty if the rule rejects the event.
    pub done: &'static str,
}

macro_rules! rules {
    ($(#[$doc:meta])* $group:ident { $($constant:ident $name:literal $must:literal $done:literal)* }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "each rule states itself")]
        pub mod $group {
            use super::Rule;

            $(pub const $constant: Rule = Rule { name: $name, must: $must, done: $done };)*

            /// The whole group.
            pub const ALL: &[Rule] = &[$($constant,)*];
        }
    };
}

rules! {
    /// The event is rejected, because it cannot be reported, or because a report of the event might be against a person's will
    /// or cost money.
    reject {
        ARRAY "array" "must be a JSON array" ""
        CONSENT "consent" "must be \"granted\" or absent; send an event only after consent is granted" ""
        CURRENCY "currency" "must be an ISO 4217 code that TikTok lists, such as VND or USD" ""
        EVENT_ID "event_id" "must be 1 to 64 characters of A-Z a-z 0-9 _ . : - and must not be a placeholder such as undefined" ""
        EVENT_NAME "event_name" "must be a standard event name in its exact case, or a custom name of at most 50 letters, digits, _ and - that starts with a letter" ""
        FORMAT "format" "must be 1 to 64 printable ASCII characters without spaces" ""
        IMPERSONATED "impersonated" "must be the signed-in person; another person acts as this user, so the event is not sent to TikTok" ""
        JSON "json" "must be a JSON object" ""
        MAX_EVENTS "max_events" "must contain 1 to 100 events" ""
        MAX_MS "max_ms" "must be a whole number of milliseconds, at most 30000" ""
        MINIMUM "minimum" "must be 0 or at least 1000 in VND" ""
        MINOR_UNITS "minor_units" "must be in major units, with no more decimals than its currency" ""
        MISPLACED "misplaced" "must be a field of each event, not a field beside events" ""
        MISSPELT "misspelt" "must be spelt exactly like the similar field that decides whether and where an event is sent" ""
        NUMBER "number" "must be a JSON number" ""
        OBJECT "object" "must be a JSON object" ""
        ORDER_ID "order_id" "must be printable text of 1 to 128 bytes, and no placeholder" ""
        PIXEL_ORIGIN "pixel_origin" "must be a pixel that lists the origin of this page; add the origin to the pixel in DUET_PIXELS_FILE" ""
        RANDOM "random" "must be given, because the proxy's system cannot make random numbers" ""
        RANGE "range" "must be a number from 0 to 10^15" ""
        REFERENCES "references" "must name at most 8 providers in lower case, such as payos; each id must be an integer or a text of at most 128 printable characters" ""
        REQUIRED "required" "is required" ""
        RESERVED_ID "reserved_id" "must not be a lower-case version 8 UUID, unless it is derived from this event's name and its properties.order_id; use eventIdFor, or an id of another form" ""
        RESERVED_NAME "reserved_name" "must not be a name that TikTok rewrites; use the name of a standard event" ""
        STRING "string" "must be text" ""
        TOO_NEW "too_new" "must be at most 10 minutes in the future" ""
        TOO_OLD "too_old" "must be within the last 7 days" ""
        UNIX_SECONDS "unix_seconds" "must be Unix seconds" ""
        UNKNOWN_FIELD "unknown_field" "must be a known field" ""
        UNKNOWN_PIXEL "unknown_pixel" "must be a pixel that this proxy reports to" ""
    }
}

rules! {
    /// The field is repaired, because the sender's meaning is certain.
    repair {
        BESIDE "beside" "must be a field beside properties, not a field of properties" "it was read from properties"
        BLANKS "blanks" "must not begin or end with blanks" "they were removed"
        BOOLEAN "boolean" "must be true or false" "false, 0 and their texts count as false, everything else as true"
        BYTE_ORDER_MARK "byte_order_mark" "must not begin with a byte order mark" "it was removed"
        CURRENCY_CODE "currency_code" "must be an ISO 4217 code in upper case" "it was replaced by the code"
        EMAIL_IN_TEXT "email_in_text" "must not contain an e-mail address" "the address was removed"
        IP_PORT "ip_port" "must be an address without a port or brackets" "they were removed"
        LIST "list" "must be a JSON array" "the single value became a list of one"
        MAPPED_IP "mapped_ip" "must be an IPv4 address without ::ffff:" "the prefix was removed"
        MILLISECONDS "milliseconds" "must be in seconds" "milliseconds became seconds"
        NUMBER_AS_TEXT "number_as_text" "must be text" "the number became text"
        PERSONAL_PARTS "personal_parts" "must not contain personal data" "the personal parts were removed"
        PERSONAL_URL "personal_url" "must not contain personal data" "e-mail addresses, personal parameters and user information were removed"
        PLAIN "plain" "must be composed letters without blanks, invisible marks, quotes, mailto:, tel: or a final dot" "it was changed to this form"
        SECONDS "seconds" "must be in milliseconds" "seconds became milliseconds"
        TEXT_AS_NUMBER "text_as_number" "must be a number" "the text became a number"
        UNICODE "unicode" "must be well-formed Unicode" "malformed parts became U+FFFD"
        WHOLE_NUMBER "whole_number" "must be a whole number" "it was read as a whole number"
    }
}

rules! {
    /// The field is left out, and the event is sent.
    leave_out {
        ARRAY "array" "must be a JSON array" "it was left out"
        COMMAS "commas" "must be a JSON array, not ids with commas between them" "it was left out"
        CONTENT_TYPE "content_type" "must be product or product_group" "it was left out"
        CONTENTS "contents" "must not be given together with contents, which has the same meaning" "it was left out"
        CURRENCY "currency" "must be in a currency that TikTok lists, such as VND or USD" "it was left out; amounts in other currencies are left out too"
        DEPTH "depth" "must be nested at most 100 levels deep" "it was left out"
        EMAIL "email" "must have one @ with something on both sides and no spaces" "it was left out"
        INTEGER "integer" "must be a whole number of at least 0" "it was left out"
        IP "ip" "must be an IPv4 or IPv6 address" "it was left out"
        ITEM "item" "must be a field of an item of contents" "it was left out"
        MACRO "macro" "must be a value, not a macro that was not replaced" "it was left out"
        MIXED "mixed" "must be the same in properties and in every item, because TikTok accepts only one" "it was left out, and the first value counts"
        NOBODY "nobody" "must be a real value, not undefined, null or an empty text" "it was left out"
        NUMBER "number" "must be a number from 0 to 10^15" "it was left out"
        OBJECT "object" "must be a JSON object" "it was left out"
        ORDER_ID "order_id" "must be printable text of 1 to 128 bytes, and no placeholder" "it was left out"
        PERSONAL_DATA "personal_data" "must not contain personal data; put personal data into user, where it is hashed" "it was left out"
        PHONE "phone" "must be a phone number that can be dialled" "it was left out"
        PIXEL "pixel" "must be fired, blocked, absent or off" "it was left out"
        PRIVATE_IP "private_ip" "must be a public address" "it was left out"
        SENT_AT "sent_at" "must be Unix milliseconds" "it was left out"
        SERVER_KEY "server_key" "must come with the server key" "it was ignored"
        SESSION "session" "must be the id of the verified session" "any other id was left out"
        STRING "string" "must be text" "it was left out"
        TEXT "text" "must be printable and not too long" "it was left out"
        UNKNOWN_FIELD "unknown_field" "is not a known field" "it was left out"
        URL "url" "must be a full http or https URL of at most 4096 bytes" "it was left out"
    }
}

rules! {
    /// The event is sent unchanged, but looks odd.
    remark {
        CURRENCY_MISSING "currency_missing" "should be given with every value; Duet does not guess a currency" "the value was kept"
        LARGE_INTEGER "large_integer" "should be text, because programs round JSON numbers above 2^53" "it was kept unchanged"
        MATCH_KEYS "match_keys" "should contain a click id, a _ttp, a digest or a public IP address" "TikTok cannot match this event with a person"
        MINOR_UNITS "minor_units" "should have no decimals in this currency; amounts are in major units" "it was kept"
        REFERENCE "reference" "should name a provider whose webhook is set up and that names orders by ids of its own: payos or vnpay" "it was kept, but no webhook uses it"
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec::Vec};

    use super::*;

    #[test]
    fn the_documentation_lists_every_rule_in_its_words_and_no_other() {
        let handbook = include_str!("../../docs/rules.md");
        for (title, group) in [
            ("Rejected", reject::ALL),
            ("Repaired", repair::ALL),
            ("Left out", leave_out::ALL),
            ("Kept, but odd", remark::ALL),
        ] {
            let (_, rest) = handbook.split_once(&format!("\n## {title}\n")).unwrap();
            let section = rest.split("\n## ").next().unwrap();
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let rows: Vec<_> = rows.map(String::from).collect();
            let expected: Vec<_> = group
                .iter()
                .map(|Rule { name, must, done }| match *done {
                    "" => format!("| `{name}` | {must} |"),
                    done => format!("| `{name}` | {must} | {done} |"),
                })
                .collect();
            assert_eq!(rows, expected, "{title}");
        }
    }

    #[test]
    fn a_rule_stands_once_in_its_group_and_says_itself_without_a_value() {
        for group in [reject::ALL, repair::ALL, leave_out::ALL, remark::ALL] {
            let mut names: Vec<_> = group.iter().map(|rule| rule.name).collect();
            let is_sorted = names.is_sorted();
            names.dedup();
            assert!(is_sorted && names.len() == group.len(), "{names:?}");
        }
        for rule in reject::ALL {
            assert_eq!(rule.done, "", "{}", rule.name);
        }
        let others = [repair::ALL, leave_out::ALL, remark::ALL];
        assert!(
            others
                .iter()
                .flat_map(|group| *group)
                .all(|rule| !rule.done.is_empty())
        );
    }
}
