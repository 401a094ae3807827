//! Picture: `docs/atlas.svg`, a square for each answer in the color and with the mark of its grade, on a light and on a dark page.

use std::fmt::Write as _;

use super::answer::Answers;
use super::probe::PROBES;
use super::surprise::{Grade, grade};

/// Sizes in pixels: a square with the space around it, the room for names, and that for heads.
const SIDE: usize = 24;
const NAMES: usize = 270;
const HEADS: usize = 130;
const MARGIN: usize = 16;
const LEGEND: usize = 40;

const STYLE: &str = "\
.page { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif } .name { text-anchor: end }
.mark { text-anchor: middle; font-weight: 700; fill: #000000 }
.usual { fill: #aceebb } .odd { fill: #f0c000 } .harmful { fill: #d1242f } .none { fill: #eaeef2 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #e6edf3 } .usual { fill: #1a7f37 } .odd { fill: #d29922 } .harmful { fill: #f85149 } .none { fill: #21262d }
}";

/// The picture.
pub(super) fn draw(all: &[Answers]) -> String {
    let width = MARGIN + NAMES + PROBES.len() * SIDE + HEADS / 2 + MARGIN;
    let height = HEADS + all.len() * SIDE + LEGEND + MARGIN;
    let mut drawn = String::new();
    for (column, probe) in PROBES.iter().enumerate() {
        let (x, y) = (left(column) + SIDE / 2, HEADS - 8);
        let head = format!("{} {}", probe.id, probe.head.replace('`', ""));
        text(
            &mut drawn,
            &format!("<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-50 {x} {y})\">{head}</text>"),
        );
    }
    for (row, answers) in all.iter().enumerate() {
        let top = HEADS + row * SIDE;
        let name = &answers.head.implementation;
        let (x, y) = (MARGIN + NAMES - 8, top + 16);
        text(&mut drawn, &format!("<text class=\"name\" x=\"{x}\" y=\"{y}\">{name}</text>"));
        for (column, probe) in PROBES.iter().enumerate() {
            let class = match answers.by_probe.contains_key(probe.id) {
                true => class(grade(answers, probe.id)),
                false => "none",
            };
            square(&mut drawn, class, left(column), top);
        }
    }
    let top = HEADS + all.len() * SIDE + LEGEND / 2;
    for (at, (class, means)) in
        [("usual", "as expected"), ("odd", "odd"), ("harmful", "harmful"), ("none", "not asked")]
            .iter()
            .enumerate()
    {
        let x = MARGIN + NAMES + at * 5 * SIDE;
        square(&mut drawn, class, x, top);
        text(
            &mut drawn,
            &format!("<text x=\"{}\" y=\"{}\">{means}</text>", x + SIDE + 4, top + 16),
        );
    }
    format!(
        "<!-- Written by `cargo xtask generate`. -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>\n{STYLE}\n</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n{drawn}</svg>\n"
    )
}

fn left(column: usize) -> usize {
    MARGIN + NAMES + column * SIDE
}

fn class(grade: Grade) -> &'static str {
    match grade {
        Grade::Usual => "usual",
        Grade::Odd => "odd",
        Grade::Harmful => "harmful",
    }
}

/// A square, with a mark for readers who cannot tell colors apart.
fn square(drawn: &mut String, class: &str, x: usize, y: usize) {
    let side = SIDE - 3;
    text(
        drawn,
        &format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" rx=\"3\"/>"
        ),
    );
    let mark = match class {
        "odd" => "~",
        "harmful" => "×",
        _ => return,
    };
    let (x, y) = (x + side / 2, y + 15);
    text(drawn, &format!("<text class=\"mark\" x=\"{x}\" y=\"{y}\">{mark}</text>"));
}

fn text(drawn: &mut String, element: &str) {
    // A string takes everything.
    let _ = writeln!(drawn, "{element}");
}
