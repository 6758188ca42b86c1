//! `regions.txt` -> bytes, by the compiler: a page downloads them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this runs in the compiler, where a panic is a message"
)]

const ROWS: &[u8] = include_bytes!("regions.txt");

/// The rows: how far a calling code is from the one before; the shortest and the longest number in four
/// bits each; the trunk prefix in three bits and the number of countries in five.
pub(super) static PLANS: [[u8; 3]; PACKED.0.len()] = PACKED.0;

/// The countries of all rows, two letters each: on a page they compress better on their own.
pub(super) static COUNTRIES: [u8; PACKED.1.len()] = PACKED.1;

const PACKED: ([[u8; 3]; count(b'\n', b'\n') + 1], [u8; count(b'A', b'Z')]) = pack();

/// How many characters there are from one to another.
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
            small(shortest, 15) << 4 | small(longest, 15),
            small(trunk, 7) << 5 | small((end - start) / 2, 31),
        ];
        row += 1;
        before = code;
    }
    (plans, countries)
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
