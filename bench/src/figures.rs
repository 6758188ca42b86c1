//! Medians, and tables of medians.

/// Returns the median of `values`.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Converts a count to a floating-point number. No count here is near 2^52.
#[allow(
    clippy::cast_precision_loss,
    reason = "nothing counted here comes near 2^52"
)]
pub(crate) fn count(events: u64) -> f64 {
    events as f64
}

/// Formats a number with a comma before every third digit.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints a table: the first column is text, the others are figures.
pub(crate) fn print(columns: &[&str], rows: &[(String, Vec<String>)]) {
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let cells = rows.iter().filter_map(|(_, cells)| cells.get(place));
            cells.map(String::len).fold(column.len(), usize::max)
        })
        .collect();
    let line = |name: &str, cells: &mut dyn Iterator<Item = &str>| {
        print!("  {name:<first$}");
        for (cell, width) in cells.zip(&widths) {
            print!("  {cell:>width$}");
        }
        println!();
    };
    line("", &mut columns.iter().copied());
    for (name, cells) in rows {
        line(name, &mut cells.iter().map(String::as_str));
    }
}
