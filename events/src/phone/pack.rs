//! `regions.txt` -> bytes, by the compiler: a page downloads them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this runs in the compiler, where a panic is a message"
)]

const ROWS: &[u8] = include_bytes!("regions.txt");

/// A row after the other: how far its calling code is from the one before; the shortest and the longest
/// number in four bits each; the trunk prefix in three bits and the number of countries in five; the
/// countries.
pub(super) static PACKED: [u8; packed_length()] = pack();

/// Two bytes a country and three a row.
const fn packed_length() -> usize {
    let mut length = 3;
    let mut at = 0;
    while at < ROWS.len() {
        if ROWS[at] == b'\n' {
            length += 3;
        }
        if ROWS[at].is_ascii_uppercase() {
            length += 1;
        }
        at += 1;
    }
    length
}

const fn pack() -> [u8; packed_length()] {
    let mut packed = [0; packed_length()];
    let (mut at, mut end, mut before) = (0, 0, 0);
    while at < ROWS.len() {
        let (code, next) = number(at);
        let (trunk, next) = trunk(next + 1);
        let (shortest, next) = number(next + 1);
        let (longest, next) = number(next + 1);
        let row = end;
        end += 3;
        at = next + 1;
        while at < ROWS.len() && ROWS[at] != b'\n' {
            packed[end] = ROWS[at];
            end += 1;
            at += 1;
        }
        at += 1;
        packed[row] = small(code - before, 255);
        packed[row + 1] = small(shortest, 15) << 4 | small(longest, 15);
        packed[row + 2] = small(trunk, 7) << 5 | small((end - row - 3) / 2, 31);
        before = code;
    }
    packed
}

const fn small(number: usize, most: usize) -> u8 {
    assert!(
        number <= most,
        "a figure in regions.txt is too large for its bits"
    );
    #[expect(clippy::cast_possible_truncation, reason = "it is at most 255")]
    let byte = number as u8;
    byte
}

/// The number at `at`, and where it ends.
const fn number(mut at: usize) -> (usize, usize) {
    let mut number = 0;
    while ROWS[at].is_ascii_digit() {
        number = number * 10 + (ROWS[at] - b'0') as usize;
        at += 1;
    }
    (number, at)
}

/// Which of `TRUNKS` stands at `at`, and where it ends.
const fn trunk(at: usize) -> (usize, usize) {
    if ROWS[at] == b'-' {
        return (0, at + 1);
    }
    let (number, end) = number(at);
    let trunk = match number {
        0 => 1,
        1 => 2,
        8 => 3,
        6 => 4,
        _ => panic!("regions.txt has a trunk prefix that TRUNKS lacks"),
    };
    (trunk, end)
}
