//! A picture of boxes and arrows: a short text, drawn as an SVG that reads well on a light and on a dark page.
//!
//! `docs/data-path.txt` says how such a text is written.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

/// Sizes in pixels: a box, the space between two boxes, and the margin around all of them.
const WIDTH: u32 = 196;
const HEIGHT: u32 = 92;
const GAP: u32 = 100;
const MARGIN: u32 = 32;

/// The margin of a frame around its boxes, and the room for its title below them.
const FRAME: u32 = 10;
const TITLE: u32 = 36;

/// Half the distance of two arrows between the same boxes.
const APART: u32 = 13;

/// The colors of a light page, and those of a dark one.
const STYLE: &str = "\
.page { fill: #ffffff } .box { fill: #f6f8fa; stroke: #57606a } .frame { fill: none; stroke: #8c959f; stroke-dasharray: 6 4 }
.line { stroke: #0969da; stroke-width: 2 } .tip { fill: #0969da } text { fill: #1f2328; font: 15px system-ui, sans-serif; text-anchor: middle }
.title { font-size: 17px; font-weight: 600 } .label { fill: #0550ae } .side { text-anchor: start }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .box { fill: #161b22; stroke: #8b949e } .frame { stroke: #6e7681 }
.line { stroke: #58a6ff } .tip { fill: #58a6ff } text { fill: #e6edf3 } .label { fill: #79c0ff }
}";

/// A box of the grid.
struct Cell<'t> {
    name: &'t str,
    column: u32,
    row: u32,
    lines: Vec<&'t str>,
}

impl Cell<'_> {
    const fn left(&self) -> u32 {
        MARGIN + self.column * (WIDTH + GAP)
    }

    const fn top(&self) -> u32 {
        MARGIN + self.row * (HEIGHT + GAP)
    }

    const fn middle(&self) -> (u32, u32) {
        (self.left() + WIDTH / 2, self.top() + HEIGHT / 2)
    }
}

/// Draws the picture that a text describes.
///
/// # Errors
///
/// Fails if a line has an unknown form, or names a box that no line above it describes.
pub(super) fn draw(text: &str) -> Result<String> {
    let (mut cells, mut arrows) = (Vec::new(), Vec::new());
    let mut drawn = String::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        read(line, &mut cells, &mut arrows, &mut drawn)
            .with_context(|| format!("line {}: {line}", at + 1))?;
    }
    for (from, to, label) in &arrows {
        let (from, to) = (find(&cells, from)?, find(&cells, to)?);
        let returns =
            arrows.iter().any(|(first, second, _)| *first == to.name && *second == from.name);
        arrow(from, to, label, returns, &mut drawn)?;
    }
    let width = cells.iter().map(Cell::left).max().unwrap_or_default() + WIDTH + MARGIN;
    let height = cells.iter().map(Cell::top).max().unwrap_or_default() + HEIGHT + MARGIN + TITLE;
    Ok(format!(
        "<!-- Written by `cargo xtask generate`. -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>\n{STYLE}\n</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n{drawn}</svg>\n"
    ))
}

/// Reads a line; boxes and frames are drawn at once, and arrows after all boxes.
fn read<'t>(
    line: &'t str,
    cells: &mut Vec<Cell<'t>>,
    arrows: &mut Vec<(&'t str, &'t str, Vec<&'t str>)>,
    drawn: &mut String,
) -> Result<()> {
    let (what, rest) = word(line)?;
    let (first, rest) = word(rest)?;
    match what {
        "box" => {
            let (column, rest) = word(rest)?;
            let (row, rest) = word(rest)?;
            let (column, row) = (column.parse()?, row.parse()?);
            let cell = Cell { name: first, column, row, lines: parts(rest) };
            draw_box(&cell, drawn)?;
            cells.push(cell);
        }
        "frame" => {
            let (last, title) = word(rest)?;
            frame(find(cells, first)?, find(cells, last)?, title, drawn)?;
        }
        "arrow" => {
            let (to, label) = rest.split_once(' ').unwrap_or((rest, ""));
            arrows.push((first, to, parts(label)));
        }
        _ => bail!("`{what}` is none of box, frame and arrow"),
    }
    Ok(())
}

/// The first word, and what follows it.
fn word(text: &str) -> Result<(&str, &str)> {
    let (word, rest) = text.trim_start().split_once(' ').context("a word is missing")?;
    Ok((word, rest.trim_start()))
}

fn parts(text: &str) -> Vec<&str> {
    text.split('|').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn find<'c, 't>(cells: &'c [Cell<'t>], name: &str) -> Result<&'c Cell<'t>> {
    cells.iter().find(|cell| cell.name == name).with_context(|| format!("there is no box `{name}`"))
}

fn draw_box(cell: &Cell<'_>, drawn: &mut String) -> Result<()> {
    let (left, top) = (cell.left(), cell.top());
    writeln!(
        drawn,
        r#"<rect class="box" x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>"#
    )?;
    for (at, line) in (0..).zip(&cell.lines) {
        let class = if at == 0 { "title" } else { "text" };
        write_text(class, (left + WIDTH / 2, top + 30 + at * 23), line, drawn)?;
    }
    Ok(())
}

fn frame(first: &Cell<'_>, last: &Cell<'_>, title: &str, drawn: &mut String) -> Result<()> {
    let (left, top) = (first.left() - FRAME, first.top() - FRAME);
    let width = last.left() + WIDTH + FRAME - left;
    let height = HEIGHT + FRAME + TITLE;
    writeln!(
        drawn,
        r#"<rect class="frame" x="{left}" y="{top}" width="{width}" height="{height}" rx="10"/>"#
    )?;
    write_text("text", (left + width / 2, top + height - 12), title, drawn)
}

/// Draws an arrow from the edge of a box to that of the next; one that returns has its own half of the edge.
fn arrow(
    from: &Cell<'_>,
    to: &Cell<'_>,
    label: &[&str],
    returns: bool,
    drawn: &mut String,
) -> Result<()> {
    let (from_x, from_y) = from.middle();
    let (to_x, to_y) = to.middle();
    let offset = if returns { APART } else { 0 };
    let (line, tip, anchor) = if from_y == to_y && from_x < to_x {
        let (start, end, y) = (from_x + WIDTH / 2 + 4, to_x - WIDTH / 2 - 4, from_y - offset);
        let tip = [(end, y), (end - 10, y - 6), (end - 10, y + 6)];
        ([(start, y), (end - 8, y)], tip, (u32::midpoint(start, end), y - 9))
    } else if from_y == to_y {
        let (start, end, y) = (from_x - WIDTH / 2 - 4, to_x + WIDTH / 2 + 4, from_y + offset);
        let tip = [(end, y), (end + 10, y - 6), (end + 10, y + 6)];
        ([(start, y), (end + 8, y)], tip, (u32::midpoint(start, end), y + 21))
    } else if from_x == to_x && from_y < to_y {
        let (start, end, x) = (from_y + HEIGHT / 2 + 4, to_y - HEIGHT / 2 - 4, from_x);
        let tip = [(x, end), (x - 6, end - 10), (x + 6, end - 10)];
        ([(x, start), (x, end - 8)], tip, (x + 12, u32::midpoint(start, end)))
    } else {
        bail!("`{}` and `{}` are neither in a row nor one below the other", from.name, to.name);
    };
    let [(x1, y1), (x2, y2)] = line;
    writeln!(drawn, r#"<line class="line" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#)?;
    let [(x1, y1), (x2, y2), (x3, y3)] = tip;
    writeln!(drawn, r#"<path class="tip" d="M{x1} {y1}L{x2} {y2}L{x3} {y3}Z"/>"#)?;
    let class = if from_x == to_x { "label side" } else { "label" };
    for (at, line) in (0..).zip(label) {
        write_text(class, (anchor.0, anchor.1 + at * 19), line, drawn)?;
    }
    Ok(())
}

fn write_text(class: &str, (x, y): (u32, u32), text: &str, drawn: &mut String) -> Result<()> {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    writeln!(drawn, r#"<text class="{class}" x="{x}" y="{y}">{text}</text>"#)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_another_form_are_named() {
        for (text, want, why) in [
            ("box a 0 0 A\nbox b 1 0 B\narrow a b x & y", "", "all is well"),
            ("circle a 0 0 A", "line 1: circle a 0 0 A: `circle` is none of", "an unknown word"),
            ("\nbox a 0 nowhere A", "line 2: box a 0 nowhere A", "no number"),
            ("box a 0 0 A\narrow a b", "there is no box `b`", "an unknown box"),
            ("box a 0 0 A\nbox b 1 1 B\narrow a b", "neither in a row", "an arrow at a slant"),
        ] {
            let found = match draw(text) {
                Ok(_) => String::new(),
                Err(error) => format!("{error:#}"),
            };
            assert!(found.contains(want) && found.is_empty() == want.is_empty(), "{why}: {found}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert!(draw("box a 0 0 A & <b>").unwrap().contains("A &amp; &lt;b&gt;"));
    }
}
