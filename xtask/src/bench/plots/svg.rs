//! Draws curves as SVG, in light and dark. The file has no script and no font.

use std::fmt::Write as _;

use super::Plot;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 190.0;
/// The space of a panel around its axes.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 32.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 80.0;
const STYLE: &str = "svg{--paper:#fff;--ink:#1b1f24;--quiet:#57606a;--line:#d0d7de;--curve:#0550ae;font:12px system-ui,sans-serif}\
@media(prefers-color-scheme:dark){svg{--paper:#14161a;--ink:#e6e8eb;--quiet:#9aa4af;--line:#3a414a;--curve:#79b8ff}}\
.paper{fill:var(--paper)}text{fill:var(--quiet)}.name{fill:var(--ink);font-weight:600}.value{fill:var(--ink);stroke:var(--paper);stroke-width:4px;paint-order:stroke}\
path{fill:none;stroke:var(--line)}.curve{stroke:var(--curve);stroke-width:2}circle{fill:var(--curve)}";

/// One curve with its axes.
pub(super) struct Panel {
    pub(super) name: String,
    /// For each point: the positions on both axes, and the value as the table has it.
    pub(super) points: Vec<(f64, f64, String)>,
}

/// Returns the panels beside each other, as one picture.
pub(super) fn draw(plot: &Plot, panels: &[Panel]) -> String {
    let mut svg = String::new();
    let panel_width = LEFT + WIDTH + RIGHT;
    let width = panels.iter().fold(0.0, |width, _| width + panel_width);
    let height = TOP + HEIGHT + BOTTOM;
    let Plot {
        title, measured_by, ..
    } = plot;
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
    );
    text(&mut svg, "name", "start", (LEFT, 26.0), title);
    let by = format!("measured by {measured_by}");
    text(&mut svg, "by", "start", (LEFT, height - 12.0), &by);
    let mut left = 0.0;
    for panel in panels {
        let _ = writeln!(
            svg,
            "<g transform=\"translate({:.0} {TOP:.0})\">",
            left + LEFT
        );
        panel.draw(&mut svg, plot);
        svg.push_str("</g>\n");
        left += panel_width;
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, plot: &Plot) {
        text(svg, "name", "start", (0.0, -24.0), &self.name);
        let scale = |across: f64| if plot.is_log { across.log10() } else { across };
        let ends = self.points.iter().map(|(across, ..)| scale(*across));
        let (first, last) = ends.fold((f64::MAX, f64::MIN), |(first, last), at| {
            (first.min(at), last.max(at))
        });
        let (step, top) = steps(
            self.points
                .iter()
                .fold(0.0, |most, (_, up, _)| most.max(*up)),
        );
        let place = |across: f64, up: f64| {
            let x = (scale(across) - first) / (last - first) * WIDTH;
            (x, HEIGHT - up / top * HEIGHT)
        };
        let mut tick = 0.0;
        while tick <= top {
            let y = HEIGHT - tick / top * HEIGHT;
            let _ = writeln!(svg, "<path d=\"M0 {y:.1}H{WIDTH}\"/>");
            text(svg, "tick", "end", (-8.0, y + 4.0), &grouped(tick));
            tick += step;
        }
        let places: Vec<_> = self.points.iter().map(|(x, y, _)| place(*x, *y)).collect();
        let curve: Vec<_> = places
            .iter()
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        let _ = writeln!(svg, "<path class=\"curve\" d=\"M{}\"/>", curve.join("L"));
        for ((across, _, value), (x, y)) in self.points.iter().zip(places) {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
            text(svg, "value", "middle", (x, y - 10.0), value);
            text(svg, "tick", "middle", (x, HEIGHT + 18.0), &grouped(*across));
        }
        text(svg, "axis", "end", (WIDTH, HEIGHT + 38.0), plot.across);
    }
}

/// Returns the distance between the horizontal lines, and the value of the highest line. The distance is chosen so that there
/// are three to six lines.
fn steps(most: f64) -> (f64, f64) {
    let power = 10_f64.powf((most / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| most / step <= 5.0);
    let step = step.unwrap_or(most);
    (step, (most / step).ceil() * step)
}

fn text(svg: &mut String, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    );
}

/// Returns a number with a comma before every third digit, as the tables have it.
fn grouped(number: f64) -> String {
    let digits = format!("{number}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_reach_the_largest_value_in_round_steps() {
        for (most, expected) in [
            (58_300.0, (20_000.0, 60_000.0)),
            (129.0, (50.0, 150.0)),
            (27.2, (10.0, 30.0)),
            (45.3, (10.0, 50.0)),
            (5.0, (1.0, 5.0)),
        ] {
            assert_eq!(steps(most), expected);
        }
        assert_eq!(grouped(1_000_000.0), "1,000,000");
        assert_eq!(grouped(150.0), "150");
    }
}
