//! Every daily act by one name: demo, test, sdk, bench.

fn main() {}
