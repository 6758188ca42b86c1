//! SHA-256's constants, cut out of the module: `sdk/page/sha256.js` computes them anyhow, and they do
//! not compress.

use std::ops::Range;

use anyhow::{Context as _, Result, ensure};

const PRIMES: usize = 64;
const DATA_SECTION: u8 = 11;

/// Puts zeros, which wasm-opt leaves out, in the constants' place; gives back the address at which the
/// page's side has to write them.
pub(crate) fn cut(module: &mut [u8]) -> Result<u32> {
    let constants = constants();
    let mut found = module
        .windows(constants.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == constants)
        .map(|(at, _)| at);
    let at = found
        .next()
        .context("SHA-256's constants are not in a row; sdk/page/core.js must follow")?;
    ensure!(
        found.next().is_none(),
        "SHA-256's constants are there twice"
    );

    let mut reader = Reader { module, at: 8 };
    let address = reader
        .address_of(at)
        .context("SHA-256's constants are not in the module's data")?;
    ensure!(address % 4 == 0, "SHA-256's constants are not aligned");
    if let Some(bytes) = module.get_mut(at..at + constants.len()) {
        bytes.fill(0);
    }
    Ok(address)
}

/// The first 32 bits of the fractional parts: of the square roots of the first 8 primes, then of the
/// cube roots of the first 64.
fn constants() -> Vec<u8> {
    let is_prime = |n: &u32| !(2..*n).any(|divisor| n.is_multiple_of(divisor));
    let primes: Vec<_> = (2..).filter(is_prime).take(PRIMES).map(f64::from).collect();
    let squares = primes.iter().take(8).map(|prime| prime.sqrt());
    let cubes = primes.iter().map(|prime| prime.cbrt());
    squares
        .chain(cubes)
        .flat_map(|root| fraction(root).to_le_bytes())
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction is less than one"
)]
fn fraction(root: f64) -> u32 {
    (root.fract() * 2_f64.powi(32)) as u32
}

struct Reader<'a> {
    module: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Where what stands at a place in the file lies in memory.
    fn address_of(&mut self, wanted: usize) -> Option<u32> {
        while self.byte()? != DATA_SECTION {
            let length = self.length()?;
            self.at += length;
        }
        self.length()?;
        for _ in 0..self.length()? {
            let (start, bytes) = self.segment()?;
            if bytes.contains(&wanted) {
                return u32::try_from(start + wanted - bytes.start).ok();
            }
        }
        None
    }

    /// The address of a segment, and its bytes.
    fn segment(&mut self) -> Option<(usize, Range<usize>)> {
        // The memory there is; i32.const, an address, end.
        let plain = self.byte()? == 0 && self.byte()? == 0x41;
        let start = self.length()?;
        let plain = self.byte()? == 0x0b && plain;
        let length = self.length()?;
        let bytes = self.at..self.at + length;
        self.at = bytes.end;
        plain.then_some((start, bytes))
    }

    /// A number in LEB128.
    fn length(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..).step_by(7).take(5) {
            let byte = self.byte()?;
            number |= usize::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        Some(number)
    }

    fn byte(&mut self) -> Option<u8> {
        self.at += 1;
        self.module.get(self.at - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One whose data begin at 65,536 and an offset, with two bytes before the constants.
    fn module(offset: u8) -> Vec<u8> {
        let head = b"\0asm\x01\0\0\0\x01\x01\0\x0b\xab\x02\x01\0\x41";
        let mut module = head.to_vec();
        module.extend([0x80 | offset, 0x80, 0x04, 0x0b, 0xa2, 0x02, b'z', b'z']);
        module.extend(constants());
        module
    }

    #[test]
    fn the_constants_are_those_of_the_standard() {
        let constants = constants();
        assert_eq!(constants.len(), 72 * 4);
        assert_eq!(constants[..4], 0x6a09_e667_u32.to_le_bytes());
        assert_eq!(constants[32..36], 0x428a_2f98_u32.to_le_bytes());
        assert_eq!(constants[284..], 0xc671_78f2_u32.to_le_bytes());
    }

    #[test]
    fn they_are_cut_out_where_they_lie() {
        let mut module = module(6);
        assert_eq!(cut(&mut module).unwrap(), 65_544);
        assert!(module.iter().rev().take(288).all(|byte| *byte == 0));
        assert!(module.ends_with(&[b"zz", &[0; 288][..]].concat()));
        assert!(cut(&mut module).is_err());
    }

    #[test]
    fn a_module_that_holds_them_otherwise_is_refused() {
        let mut twice = module(6);
        twice.extend(constants());
        assert!(cut(&mut twice).is_err());
        assert!(cut(&mut module(5)).is_err());
        let mut outside = module(6);
        outside[20] = 0x0a;
        assert!(cut(&mut outside).is_err());
    }
}
