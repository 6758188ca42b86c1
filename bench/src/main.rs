//! Measures Duet: sizes, start-up, memory.

fn main() {}
