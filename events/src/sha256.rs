//! SHA-256 as the browser's modules have it: the `sha2` crate would add 420 bytes to what every page downloads, for constants
//! that do not compress and for messages that come in pieces. Elsewhere that crate is used, and tests compare both.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The first 32 bits of the fractional parts of the square roots of the first primes, and of their cube roots; zeros until
/// they are needed.
static SQUARE_ROOTS: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];
static CUBE_ROOTS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

/// The digest of a message of less than 512 MiB.
#[expect(
    clippy::indexing_slicing,
    reason = "no remainder of 16 is beyond 16 words"
)]
#[expect(clippy::many_single_char_names, reason = "as in FIPS 180-4")]
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    compute_constants();
    let mut hash = SQUARE_ROOTS.each_ref().map(|root| root.load(Relaxed));
    // Behind the message come a bit and eight bytes for its length.
    let end = message.len() + 9;
    let mut at = 0;
    while at < end {
        let mut words = [0_u32; 16];
        for word in &mut words {
            for _ in 0..4 {
                let padding = if at == message.len() { 0x80 } else { 0 };
                let byte = message.get(at).copied().unwrap_or(padding);
                *word = *word << 8 | u32::from(byte);
                at += 1;
            }
        }
        if at >= end {
            words[15] = u32::try_from(message.len() * 8).unwrap_or_default();
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = hash;
        for (round, root) in CUBE_ROOTS.iter().enumerate() {
            let word = words[round % 16];
            let first = (h.wrapping_add(word))
                .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
                .wrapping_add(g ^ (e & (f ^ g)))
                .wrapping_add(root.load(Relaxed));
            let second = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22))
                .wrapping_add((a & b) ^ (c & (a ^ b)));
            (h, g, f, e) = (g, f, e, d.wrapping_add(first));
            (d, c, b, a) = (c, b, a, first.wrapping_add(second));
            let (x, y) = (words[(round + 1) % 16], words[(round + 14) % 16]);
            words[round % 16] = (word.wrapping_add(words[(round + 9) % 16]))
                .wrapping_add(x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3)
                .wrapping_add(y.rotate_right(17) ^ y.rotate_right(19) ^ y >> 10);
        }
        for (word, more) in hash.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(more);
        }
    }
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(hash) {
        *bytes = word.to_be_bytes();
    }
    digest
}

fn compute_constants() {
    if CUBE_ROOTS[0].load(Relaxed) > 0 {
        return;
    }
    let mut squares = SQUARE_ROOTS.iter();
    let mut prime: u32 = 1;
    for cube in &CUBE_ROOTS {
        prime += 1;
        while (2..prime).any(|divisor| prime.is_multiple_of(divisor)) {
            prime += 1;
        }
        cube.store(root(prime.into(), true), Relaxed);
        if let Some(square) = squares.next() {
            square.store(root(prime.into(), false), Relaxed);
        }
    }
}

/// The first 32 bits of the fractional part of a square or cube root, by Newton's method.
#[inline(never)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "roots are small, and a fraction is less than one"
)]
fn root(number: f64, is_cube: bool) -> u32 {
    let mut root = number;
    for _ in 0..24 {
        let (power, degree) = if is_cube {
            (root * root, 3.0)
        } else {
            (root, 2.0)
        };
        root -= (root * power - number) / (degree * power);
    }
    // Not by way of 64 bits, which wasm2js cannot translate.
    ((root - f64::from(root as u32)) * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::sha256;

    #[test]
    fn a_digest_is_that_of_sha2_at_every_length_around_its_block() {
        let message: Vec<u8> = (0..=255).collect();
        for length in 0..=message.len() {
            let (message, _) = message.split_at(length);
            assert_eq!(sha256(message), crate::hash::sha256(message), "{length}");
        }
    }
}
