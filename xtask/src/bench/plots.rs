//! `cargo xtask bench plots`: draws the plots of `docs/benchmarks.md` from the tables of that page, so that a plot and its
//! table have the same figures. A test checks that the plots fit the tables.

use std::fs;

use anyhow::{Context as _, Result};

use crate::run::root;

mod svg;

use svg::{Panel, draw};

const PAGE: &str = "docs/benchmarks.md";
const FOLDER: &str = "docs/pictures";

/// A plot: a table of the page, and the columns of this table that are drawn.
struct Plot {
    /// The name of the file, without `.svg`.
    file: &'static str,
    title: &'static str,
    /// The command that measures the figures.
    measured_by: &'static str,
    /// The beginning of the table's first line. The first column is the horizontal axis.
    table: &'static str,
    /// The name of the horizontal axis.
    across: &'static str,
    /// Whether the horizontal axis is logarithmic.
    is_log: bool,
    /// The names of the series. Each series has a panel of its own, because the series have different units.
    series: &'static [&'static str],
}

const PLOTS: [Plot; 2] = [
    Plot {
        file: "bench-connections",
        title: "Accepting, by the number of connections",
        measured_by: "cargo xtask bench accept --long",
        table: "| Connections |",
        across: "connections, logarithmic",
        is_log: true,
        series: &["events/s", "CPU, µs an event", "p99, ms"],
    },
    Plot {
        file: "bench-outage",
        title: "An hour without TikTok",
        measured_by: "cargo xtask bench outage",
        table: "| Minutes without TikTok |",
        across: "minutes",
        is_log: false,
        series: &["resident memory, MiB"],
    },
];

/// Draws all plots.
pub(super) fn write() -> Result<()> {
    let page = fs::read_to_string(root().join(PAGE))?;
    for plot in &PLOTS {
        let path = root().join(FOLDER).join(format!("{}.svg", plot.file));
        fs::write(path, plot.draw(&page)?)?;
    }
    Ok(())
}

impl Plot {
    fn draw(&self, page: &str) -> Result<String> {
        Ok(draw(self, &self.panels(page)?))
    }

    fn panels(&self, page: &str) -> Result<Vec<Panel>> {
        let table = table(page, self.table)
            .with_context(|| format!("{PAGE} has no table that begins with {}", self.table))?;
        let panel = |name: &&str| panel(&table, name);
        self.series.iter().map(panel).collect()
    }
}

/// Returns the cells of the table whose first line begins with `start`, without the line below the first.
fn table(page: &str, start: &str) -> Option<Vec<Vec<String>>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(start));
    let lines = lines.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut table: Vec<Vec<String>> = lines.map(cells).collect();
    (table.len() > 2).then(|| table.remove(1)).map(|_| table)
}

fn panel(table: &[Vec<String>], name: &str) -> Result<Panel> {
    let (columns, rows) = table.split_first().context("the table is empty")?;
    let column = columns.iter().position(|column| column == name);
    let column = column.with_context(|| format!("the table has no series {name}"))?;
    let mut points = Vec::new();
    for row in rows {
        let cells = row.first().zip(row.get(column));
        let (across, up) = cells.context("a row is too short")?;
        points.push((number(across)?, number(up)?, up.clone()));
    }
    Ok(Panel {
        name: name.to_owned(),
        points,
    })
}

fn number(text: &str) -> Result<f64> {
    let number = text.replace(',', "").parse();
    number.with_context(|| format!("{text} must be a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        fs::read_to_string(root().join(PAGE)).unwrap()
    }

    /// Checks that the elements are nested correctly, and returns their texts.
    fn texts(svg: &str) -> Vec<String> {
        let (mut open, mut texts) = (Vec::new(), Vec::new());
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("a tag ends");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            assert!(!text.contains("& "), "{text}");
            texts.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
        }
        assert_eq!(open, [""; 0]);
        texts
    }

    #[test]
    fn every_plot_has_the_values_of_its_table_and_is_shown() {
        let page = page();
        for plot in &PLOTS {
            let drawn = plot.draw(&page).unwrap();
            let texts = texts(&drawn);
            let panels = plot.panels(&page).unwrap();
            assert_eq!(panels.len(), plot.series.len());
            for panel in panels {
                assert!(panel.points.len() > 2, "{}", panel.name);
                let expected = panel.points.iter().map(|(.., text)| text);
                for text in expected.chain([&panel.name]) {
                    assert!(texts.contains(text), "{}: {text}", plot.file);
                }
            }
            assert!(drawn.contains(plot.measured_by) && !drawn.contains("<script"));
            let shown = format!("](pictures/{}.svg)", plot.file);
            assert!(page.contains(&shown), "{shown}");
            let path = root().join(FOLDER).join(format!("{}.svg", plot.file));
            assert!(
                fs::read_to_string(path).unwrap() == drawn,
                "{} is not drawn from the page's table: run `cargo xtask bench plots`",
                plot.file
            );
        }
    }

    #[test]
    fn a_table_without_the_series_or_with_words_is_an_error() {
        let plot = &PLOTS[1];
        let draw = |body: &str| {
            let head = "| Minutes without TikTok | resident memory, MiB |\n|---|---|\n";
            plot.draw(&format!("{head}{body}"))
        };
        let drawn = draw("| 0 | 9.9 |\n| 60 | 45.3 |\n").unwrap();
        assert!(texts(&drawn).contains(&"45.3".to_owned()));
        for wrong in ["", "| 0 |\n", "| 0 | few |\n", "| none | 1 |\n"] {
            assert!(draw(wrong).is_err(), "{wrong}");
        }
        assert!(
            plot.draw("| Minutes without TikTok | other |\n|---|---|\n| 0 | 1 |")
                .is_err()
        );
    }
}
