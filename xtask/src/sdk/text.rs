//! Encodes the module as text inside a JavaScript file.
//!
//! Base64 hides the byte boundaries from a compressor and adds a fifth to the download. In this encoding a byte below 91
//! becomes one character, and any other byte becomes two. Most bytes are below 91. `decode` in `sdk/page/inline.js` decodes
//! the text.

/// The printable ASCII characters that need no escape in a JavaScript string.
fn alphabet() -> impl Iterator<Item = char> {
    (' '..='~').filter(|character| !matches!(character, '"' | '\\'))
}

/// The number of prefix characters. A prefix character and the character after it together encode one byte.
const PREFIXES: usize = 2;

/// Encodes bytes as text.
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
