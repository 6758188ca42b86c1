//! Packs `regions.txt` into bytes at compile time, because a page downloads the rows.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this runs in the compiler, where a panic is a message"
)]

const ROWS: &[u8] = include_bytes!("regions.txt");

/// The packed rows, three bytes for each row. The first byte is the difference from the previous row's calling code. The second
/// byte is the length of the shortest number times `LENGTHS`, plus the difference between the longest and the shortest length.
/// The third byte is the number of countries times `PREFIXES`, plus the index of the trunk prefix. Such bytes have small
/// values, which compress better than bytes that are divided into fields of bits.
pub(super) static PLANS: [[u8; 3]; PACKED.0.len()] = PACKED.0;

/// The countries of all rows, two letters each. They are stored separately from the rows, because they compress better in this
/// way.
pub(super) static COUNTRIES: [u8; PACKED.1.len()] = PACKED.1;

/// The number of possible differences between the lengths of the longest and the shortest number.
pub(super) const LENGTHS: u8 = 10;
/// The number of possible trunk prefixes.
pub(super) const PREFIXES: u8 = 5;

const PACKED: ([[u8; 3]; count(b'\n', b'\n') + 1], [u8; count(b'A', b'Z')]) = pack();

/// Returns how many characters of `ROWS` are between `first` and `last`, including both.
const fn count(first: u8, last: u8) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < ROWS.len() {
        if first <= ROWS[at] && ROWS[at] <= last {
            count += 1;
        }
        at += 1;
    }
    count
}

const fn pack<const PLANS: usize, const LETTERS: usize>() -> ([[u8; 3]; PLANS], [u8; LETTERS]) {
    let (mut plans, mut countries) = ([[0; 3]; PLANS], [0; LETTERS]);
    let (mut row, mut end, mut at, mut before) = (0, 0, 0, 0);
    while at < ROWS.len() {
        let (code, next) = number(at);
        let (trunk, next) = trunk(next + 1);
        let (shortest, next) = number(next + 1);
        let (longest, next) = number(next + 1);
        let start = end;
        at = next + 1;
        while at < ROWS.len() && ROWS[at] != b'\n' {
            countries[end] = ROWS[at];
            end += 1;
            at += 1;
        }
        at += 1;
        plans[row] = [
            small(code - before, 255),
            pair(shortest, longest - shortest, LENGTHS),
            pair((end - start) / 2, trunk, PREFIXES),
        ];
        row += 1;
        before = code;
    }
    (plans, countries)
}

/// Packs two numbers into one byte. The second number must be below `base`.
const fn pair(first: usize, second: usize, base: u8) -> u8 {
    small(second, base as usize - 1) + small(first * base as usize, 250)
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

/// Returns the number at `at`, and where the number ends.
const fn number(mut at: usize) -> (usize, usize) {
    let mut number = 0;
    while ROWS[at].is_ascii_digit() {
        number = number * 10 + (ROWS[at] - b'0') as usize;
        at += 1;
    }
    (number, at)
}

/// Returns the index in `TRUNKS` of the prefix at `at`, and where the prefix ends.
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
