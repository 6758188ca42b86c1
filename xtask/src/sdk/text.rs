//! The module as text inside a JavaScript file.
//!
//! Base64 hides from a compressor where bytes begin and costs a fifth of the download; here a byte
//! below 91, which most are, is one character and any other two. `decode` in `sdk/page/inline.js` is
//! the way back.

/// The printable ASCII characters that stand for themselves in a JavaScript string.
fn alphabet() -> impl Iterator<Item = char> {
    (' '..='~').filter(|character| !matches!(character, '"' | '\\'))
}

/// How many characters announce a second one, and so stand for no byte themselves.
const PREFIXES: usize = 2;

/// Writes bytes as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let alphabet: Vec<char> = alphabet().collect();
    let single = alphabet.len() - PREFIXES;
    let mut text = String::new();
    for &byte in bytes {
        let byte = usize::from(byte);
        let codes = match byte.checked_sub(single) {
            None => [None, Some(byte + PREFIXES)],
            Some(rest) => [Some(rest / alphabet.len()), Some(rest % alphabet.len())],
        };
        text.extend(
            codes
                .into_iter()
                .flatten()
                .filter_map(|code| alphabet.get(code)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_text_of_its_own() {
        let texts: std::collections::HashSet<_> = (0..=255).map(|byte| encode(&[byte])).collect();
        assert_eq!(texts.len(), 256);
        assert_eq!(encode(&[0, 90, 91, 255]), "#~  !i");
    }
}
