//! The way back as a drawing: for each scenario, the share of the clients that is back over time.
//!
//! Plain SVG with a background of its own, light or dark as the reader's system is. Lines have their names beside them in
//! the legend; the same figures are in the tables.

use super::Run;
use super::table::heading;
use keepline_testkit::herd::{Outcome, Policy};
use std::time::Duration;

const WIDTH: f64 = 880.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 850.0;
const PANEL: f64 = 190.0;
const GAP: f64 = 74.0;
const TOP: f64 = 74.0;
/// Points of a curve.
const POINTS: u32 = 200;
/// Legend entries in a row.
const IN_A_ROW: usize = 4;
/// The axis ends a little after the slowest that matters; who takes longer leaves the picture.
const AXIS_OVER_IDEAL: f64 = 2.5;
/// No shorter than this, so that waits of a small fleet can be seen.
const AXIS_MIN: f64 = 20.0;

/// Okabe and Ito's palette, which most colour-blind readers can tell apart, and greys.
const COLOURS: [&str; 9] =
    ["#e69f00", "#56b4e9", "#cc79a7", "#0072b2", "#d55e00", "#b8a300", "#999999", "#7f5539", "#6e7781"];
const OURS: &str = "#009e73";

const STYLE: &str = "\
  text { font: 13px system-ui, -apple-system, \"Segoe UI\", sans-serif; fill: #1f2328 }
  .small { font-size: 12px; fill: #57606a }
  .head { font-weight: 600 }
  .title { font-size: 16px; font-weight: 600 }
  .page { fill: #ffffff; stroke: #d0d7de }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .best { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 3 3; fill: none }
  .line { fill: none; stroke-width: 1.5 }
  .ours { stroke-width: 3.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #3d444d } .best { stroke: #e6edf3 }
  }";

/// The whole picture.
pub(super) fn draw(runs: &[Run]) -> String {
    let entries = runs.first().map_or(0, |run| run.outcomes.len() + 1);
    let legend_rows = entries.div_ceil(IN_A_ROW) as f64;
    let legend_at = TOP + runs.len() as f64 * (PANEL + GAP);
    let height = legend_at + legend_rows * 20.0 + 16.0;
    let mut parts = vec![label(24.0, 30.0, "title", "start", "How a herd comes back")];
    for (index, run) in runs.iter().enumerate() {
        parts.push(panel(run, TOP + index as f64 * (PANEL + GAP)));
    }
    if let Some(run) = runs.first() {
        parts.push(legend(run, legend_at));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"title description\">\n<title id=\"title\">How a herd comes back</title>\n\
         <desc id=\"description\">For each scenario, the share of the clients that is connected again over the time since \
         the server is back, one line for each policy. The same figures are in the tables of the page.</desc>\n\
         <style>\n{STYLE}\n</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n{}\n</svg>\n",
        WIDTH - 1.0,
        height - 1.0,
        parts.join("\n")
    )
}

fn panel(run: &Run, top: f64) -> String {
    let ideal = run.scenario.ideal(1.0).as_secs_f64();
    let axis = (ideal * AXIS_OVER_IDEAL).max(AXIS_MIN);
    let x = |seconds: f64| LEFT + (RIGHT - LEFT) * (seconds / axis).min(1.0);
    let y = |share: f64| top + PANEL * (1.0 - share);
    let mut parts = vec![label(LEFT, top - 12.0, "head", "start", &heading(&run.scenario))];
    for share in [0.0, 0.5, 1.0] {
        let at = y(share);
        parts.push(format!("<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>"));
        parts.push(label(LEFT - 8.0, at + 4.0, "small", "end", &format!("{:.0} %", share * 100.0)));
    }
    let mut mark = 0.0;
    while mark <= axis {
        let at = x(mark);
        parts
            .push(format!("<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>", y(0.0)));
        parts.push(label(at, y(0.0) + 17.0, "small", "middle", &format!("{mark:.0} s")));
        mark += grid_step(axis);
    }
    parts.push(format!(
        "<polyline class=\"best\" points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>",
        x(0.0),
        y(0.0),
        x(ideal),
        y(1.0),
        x(axis),
        y(1.0)
    ));
    // Ours last, so that no other line hides it.
    for (index, (policy, outcome)) in run.outcomes.iter().enumerate().rev() {
        let points = curve(outcome, axis).map(|(time, share)| format!("{:.1},{:.1}", x(time), y(share)));
        let points = points.collect::<Vec<_>>().join(" ");
        let (colour, class) = look(index, policy);
        parts.push(format!("<polyline class=\"{class}\" stroke=\"{colour}\" points=\"{points}\"/>"));
    }
    parts.join("\n")
}

fn curve(outcome: &Outcome, axis: f64) -> impl Iterator<Item = (f64, f64)> {
    let times: Vec<f64> = (0..=POINTS).map(|point| axis * f64::from(point) / f64::from(POINTS)).collect();
    let shares = outcome.curve(times.iter().map(|time| Duration::from_secs_f64(*time)));
    times.into_iter().zip(shares)
}

fn legend(run: &Run, top: f64) -> String {
    let mut entries = vec![("best possible".to_owned(), "best", String::new())];
    for (index, (policy, _)) in run.outcomes.iter().enumerate() {
        let (colour, class) = look(index, policy);
        entries.push((policy.name().to_owned(), class, format!(" stroke=\"{colour}\"")));
    }
    let parts = entries.iter().enumerate().map(|(index, (name, class, stroke))| {
        let left = LEFT + (index % IN_A_ROW) as f64 * (RIGHT - LEFT) / IN_A_ROW as f64;
        let at = top + (index / IN_A_ROW) as f64 * 20.0;
        let line =
            format!("<polyline class=\"{class}\"{stroke} points=\"{left:.1},{at:.1} {:.1},{at:.1}\"/>", left + 26.0);
        format!("{line}\n{}", label(left + 34.0, at + 4.0, "small", "start", name))
    });
    parts.collect::<Vec<_>>().join("\n")
}

fn look(index: usize, policy: &Policy) -> (&'static str, &'static str) {
    match policy {
        Policy::Keepline { .. } => (OURS, "line ours"),
        Policy::Peer(_) => (COLOURS[(index + COLOURS.len() - 1) % COLOURS.len()], "line"),
    }
}

/// Six to twelve lines, at round numbers.
fn grid_step(axis: f64) -> f64 {
    let rough = axis / 6.0;
    let ten = 10_f64.powf(rough.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * ten).find(|step| *step <= rough).unwrap_or(ten)
}

fn label(x: f64, y: f64, class: &str, anchor: &str, text: &str) -> String {
    // No name has a character that XML minds.
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
}
