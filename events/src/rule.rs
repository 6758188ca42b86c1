//! Every rule of an event: its name, what must hold, and what Duet does where it does not. `docs/rules.md` prints this
//! list, and a test compares both.
//!
//! A name stands once in a group. The same name may reject in one place and leave a field out in another, where less
//! depends on it.

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name, for programs.
    pub name: &'static str,
    /// The rule as a predicate: the field's name goes before it.
    pub must: &'static str,
    /// What Duet did instead; empty where it rejects the event.
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
    /// The event is rejected: it cannot be reported, or that might be against somebody's will or money.
    reject {
        ARRAY "array" "must be a JSON array" ""
        CONSENT "consent" "must be \"granted\" or absent; an event is sent once consent is granted, not before" ""
        CURRENCY "currency" "must be an ISO 4217 code that TikTok lists, such as VND or USD" ""
        EVENT_ID "event_id" "must be 1 to 64 characters out of A-Z a-z 0-9 _ . : -, and no word for nothing such as undefined" ""
        EVENT_NAME "event_name" "must be a standard event in its own case, or at most 50 letters, digits, _ and - that start with a letter" ""
        FORMAT "format" "must be 1 to 64 letters, digits and signs without spaces" ""
        IMPERSONATED "impersonated" "must act for themselves: somebody acts in this user's place, and TikTok is not told of it" ""
        JSON "json" "must be a JSON object" ""
        MAX_EVENTS "max_events" "must hold 1 to 100 events" ""
        MAX_MS "max_ms" "must be a whole number of milliseconds, at most 30000" ""
        MINIMUM "minimum" "must be at least 1000 in VND" ""
        MINOR_UNITS "minor_units" "must have no decimals in this currency; an amount is in major units" ""
        MISPLACED "misplaced" "must stand in each event, not beside events" ""
        MISSPELT "misspelt" "must be spelt as the field it is nearly named after, which decides whether an event may be sent, and where" ""
        NUMBER "number" "must be a JSON number" ""
        OBJECT "object" "must be a JSON object" ""
        ORDER_ID "order_id" "must be text of 1 to 128 bytes, all printable, that names one order" ""
        RANDOM "random" "must be given: the proxy's system has no random numbers" ""
        RANGE "range" "must be a number from 0 to 10^15" ""
        REQUIRED "required" "is required" ""
        RESERVED_ID "reserved_id" "must be derived from this event's name and its properties.order_id where it is a lower-case version 8 UUID; use eventIdFor, or an id of another form" ""
        RESERVED_NAME "reserved_name" "must not be a name that TikTok rewrites; use the standard event it stands for" ""
        STRING "string" "must be text" ""
        TOO_NEW "too_new" "must be at most 10 minutes ahead" ""
        TOO_OLD "too_old" "must be within the last 7 days" ""
        UNIX_SECONDS "unix_seconds" "must be Unix seconds" ""
        UNKNOWN_FIELD "unknown_field" "must be a known field" ""
        UNKNOWN_PIXEL "unknown_pixel" "must be a pixel that this proxy reports to" ""
    }
}

rules! {
    /// The meaning is certain: the value is read as it was meant.
    repair {
        BESIDE "beside" "must stand beside properties, not among them" "it was read there"
        BLANKS "blanks" "must not begin or end with blanks" "they were removed"
        BOOLEAN "boolean" "must be true or false" "false, 0 and their texts count as false, everything else as true"
        BYTE_ORDER_MARK "byte_order_mark" "must not begin with a byte order mark" "it was removed"
        CURRENCY_CODE "currency_code" "must be an ISO 4217 code in upper case" "it was written as one"
        EMAIL_IN_TEXT "email_in_text" "must not hold an e-mail address" "the address was removed"
        IP_PORT "ip_port" "must be an address without a port or brackets" "they were removed"
        LIST "list" "must be a JSON array" "the single value became a list of one"
        MAPPED_IP "mapped_ip" "must be an IPv4 address without ::ffff:" "it was written as one"
        MILLISECONDS "milliseconds" "must be in seconds" "milliseconds became seconds"
        NUMBER_AS_TEXT "number_as_text" "must be text" "the number became text"
        PERSONAL_PARTS "personal_parts" "must not hold personal data" "the parts that are personal were removed"
        PERSONAL_URL "personal_url" "must not hold personal data" "e-mail addresses, personal parameters and user information were removed"
        PLAIN "plain" "must be composed letters without blanks, invisible marks, quotes, mailto:, tel: or a final dot" "it was read so"
        SECONDS "seconds" "must be in milliseconds" "seconds became milliseconds"
        TEXT_AS_NUMBER "text_as_number" "must be a number" "the text became one"
        UNICODE "unicode" "must be well-formed Unicode" "malformed parts became U+FFFD"
        WHOLE_NUMBER "whole_number" "must be a whole number" "it was read as one"
    }
}

rules! {
    /// The field goes, the event stays.
    leave_out {
        ARRAY "array" "must be a JSON array" "it was left out"
        COMMAS "commas" "must be a JSON array, not ids with commas between them" "it was left out"
        CONTENT_TYPE "content_type" "must be product or product_group" "it was left out"
        CONTENTS "contents" "must not stand beside contents, which says the same" "it was left out"
        CURRENCY "currency" "must be in a currency that TikTok lists, such as VND or USD" "it was left out, as all amounts are without one"
        DEPTH "depth" "must be nested at most 100 levels deep" "it was left out"
        EMAIL "email" "must have one @ with something on both sides and no spaces" "it was left out"
        INTEGER "integer" "must be a whole number of at least 0" "it was left out"
        IP "ip" "must be an IPv4 or IPv6 address" "it was left out"
        ITEM "item" "must stand in an item of contents" "it was left out"
        MACRO "macro" "must not be a macro that nobody replaced" "it was left out"
        MIXED "mixed" "must be the same in properties and in every item: TikTok takes one for all" "it was left out, and the first one counts"
        NOBODY "nobody" "must stand for somebody, not for undefined, null or an empty text" "it was left out"
        NUMBER "number" "must be a number from 0 to 10^15" "it was left out"
        OBJECT "object" "must be a JSON object" "it was left out"
        ORDER_ID "order_id" "must be text of 1 to 128 bytes, all printable, that names one order" "it was left out"
        PERSONAL_DATA "personal_data" "must not hold personal data; user is the place, where it is hashed" "it was left out"
        PHONE "phone" "must be a phone number that can be dialled" "it was left out"
        PIXEL "pixel" "must be fired, blocked, absent or off" "it was left out"
        PRIVATE_IP "private_ip" "must be a public address" "it was left out"
        SENT_AT "sent_at" "must be Unix milliseconds" "it was left out"
        SERVER_KEY "server_key" "must come with the server key" "it was ignored"
        SESSION "session" "must be the id of the verified session" "another id was left out"
        STRING "string" "must be text" "it was left out"
        TEXT "text" "must be printable and not too long" "it was left out"
        UNKNOWN_FIELD "unknown_field" "is not a known field" "it was left out"
        URL "url" "must be a full http or https URL of at most 4096 bytes" "it was left out"
    }
}

rules! {
    /// The event goes as it is, but looks odd.
    remark {
        CURRENCY_MISSING "currency_missing" "should stand beside a value; none is guessed" "the value was kept"
        LARGE_INTEGER "large_integer" "should be text: programs round JSON numbers beyond 2^53" "it was kept as it came"
        MATCH_KEYS "match_keys" "should hold a click id, a _ttp, a digest or a public address" "TikTok can match this event with nobody"
        MINOR_UNITS "minor_units" "should have no decimals in this currency; an amount is in major units" "it was kept"
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
