//! Values that stand for nobody: the words that programs write for a missing value, and the digests of these words.
//!
//! If Duet sent such values, TikTok would see all visitors without an id as one person.

use crate::hash::sha256;

/// The words that programs write for a missing value.
const WORDS: [&str; 6] = ["", "undefined", "null", "nan", "none", "[object object]"];

/// More words that programs write if nobody is signed in. These words count only for persons, because an event or an order can
/// have such a name.
const NO_PERSON: [&str; 3] = ["true", "false", "0"];

/// The words of both lists, in the upper and lower case that programs write, each with the first four bytes of its SHA-256.
pub static DIGESTS: [(u32, &str); 20] = [
    (0x0a48_1a8d, "NAN"),
    (0x140b_edbf, "none"),
    (0x36e5_4050, "[OBJECT OBJECT]"),
    (0x5d47_146e, "Nan"),
    (0x5fec_eb66, "0"),
    (0x7423_4e98, "null"),
    (0x9b2d_5b46, "nan"),
    (0xb28c_94b2, "[object Object]"),
    (0xb460_b79e, "UNDEFINED"),
    (0xb5be_a41b, "true"),
    (0xc627_c09c, "NONE"),
    (0xc9a5_60c7, "[object object]"),
    (0xd5b5_92c0, "NaN"),
    (0xdc93_7b59, "None"),
    (0xe3b0_c442, ""),
    (0xeb04_5d78, "undefined"),
    (0xf02d_fb7d, "Undefined"),
    (0xfa1d_2db6, "Null"),
    (0xfb32_9000, "NULL"),
    (0xfcbc_f165, "false"),
];

/// Returns whether a trimmed text is one of `WORDS`.
pub fn is_word(trimmed: &str) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(trimmed))
}

/// Returns whether a trimmed text cannot name a person: a word for a missing value, `true`, `false` or `0`.
pub fn is_no_person(trimmed: &str) -> bool {
    let mut words = NO_PERSON.iter();
    is_word(trimmed) || words.any(|word| word.eq_ignore_ascii_case(trimmed))
}

/// Returns whether a digest is the digest of a word for nobody.
pub(crate) fn is_digest(digest: &[u8; 32]) -> bool {
    let [a, b, c, d, ..] = *digest;
    let start = u32::from_be_bytes([a, b, c, d]);
    let mut words = DIGESTS.iter().filter(|(known, _)| *known == start);
    words.any(|(_, word)| sha256(word.as_bytes()) == *digest)
}

/// Returns whether a text is an unreplaced macro of an advertising system: `__CLICKID__`, `{{x}}`, `${x}`, `[x]`, `<x>`,
/// `%%x%%`.
pub fn is_macro(text: &str) -> bool {
    [
        ("__", "__"),
        ("%%", "%%"),
        ("{", "}"),
        ("${", "}"),
        ("[", "]"),
        ("<", ">"),
    ]
    .into_iter()
    .any(|(open, close)| {
        let inner = text.strip_prefix(open);
        inner.is_some_and(|inner| inner.ends_with(close))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hashed;

    #[test]
    fn the_digest_of_every_word_is_known() {
        for (start, word) in DIGESTS {
            let digest = sha256(word.as_bytes());
            assert_eq!(digest[..4], start.to_be_bytes(), "{word}");
            assert!(is_digest(&digest) && is_no_person(word), "{word}");
        }
        for word in WORDS.iter().chain(&NO_PERSON) {
            let known = DIGESTS
                .iter()
                .filter(|(_, known)| known.eq_ignore_ascii_case(word));
            assert!(known.count() > 0, "{word}");
        }
        let other = Hashed::of_external_id("nobody").unwrap();
        assert!(!is_digest(other.as_bytes()) && !is_word("nobody"));
    }

    #[test]
    fn a_macro_is_no_click() {
        for text in [
            "__CLICKID__",
            "{{ttclid}}",
            "{{ click id }}",
            "{CLICKID}",
            "${CLICKID}",
            "[CLICKID]",
            "<ttclid>",
            "%%CLICK_ID%%",
            "____",
            "%%%%",
        ] {
            assert!(is_macro(text), "{text}");
        }
        for text in [
            "E.C.P.abc",
            "__abc",
            "abc__",
            "{x",
            "x]",
            "a<b>",
            "",
            "_",
            "__",
            "%25",
            "E.C.P.__x__",
        ] {
            assert!(!is_macro(text), "{text}");
        }
    }
}
