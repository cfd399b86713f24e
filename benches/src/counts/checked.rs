//! The ratios that are checked in, and what is wrong with those of today.

use std::{error::Error, fs, path::Path};

type Ratios = [(String, f64)];

/// A ratio may grow by so much: other versions of the toolchain and of the libraries differ by less.
const TOLERANCE: f64 = 1.05;

const HEADER: &str = "\
# What one operation of gsock's costs, divided by what that of another costs, as `make bench-counts` counts
# it. That fails when a ratio is larger by more than 5 %; `make bench-counts UPDATE=1` writes this file anew.
";

/// Lines of a ratio and its name.
pub(crate) fn read(file: &Path) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (ratio, name) = line.split_once(' ').ok_or("a line without a name")?;
            Ok((name.to_owned(), ratio.parse()?))
        })
        .collect()
}

pub(crate) fn write(file: &Path, ratios: &Ratios) -> Result<(), Box<dyn Error>> {
    let mut text = HEADER.to_owned();
    for (name, ratio) in ratios {
        text += &format!("{ratio:.4} {name}\n");
    }
    Ok(fs::write(file, text)?)
}

/// A sentence for each ratio that has grown, or that only one of the two has.
pub(crate) fn compare(before: &Ratios, now: &Ratios) -> Vec<String> {
    let find = |ratios: &Ratios, name: &str| {
        let entry = ratios.iter().find(|(known, _)| known == name);
        entry.map(|(_, ratio)| *ratio)
    };
    let mut complaints = Vec::new();
    for (name, ratio) in now {
        match find(before, name) {
            None => complaints.push(format!("{name}: not in the file")),
            // No ratio passes for being no number.
            Some(before) if *ratio <= before * TOLERANCE => {}
            Some(before) => complaints.push(format!("{name}: {ratio:.3}, and was {before:.3}")),
        }
    }
    for (name, _) in before {
        if find(now, name).is_none() {
            complaints.push(format!("{name}: in the file, and not counted any more"));
        }
    }
    complaints
}

/// Compares today's ratios with a file in which each in turn is a tenth lower: that must be noticed.
pub(crate) fn show_that_it_can_fail(now: &Ratios) -> Result<(), Box<dyn Error>> {
    if !compare(now, now).is_empty() {
        return Err("the comparison complains of what has not changed".into());
    }
    for at in 0..now.len() {
        let mut lower = now.to_vec();
        lower[at].1 *= 0.9;
        if compare(&lower, now).len() != 1 {
            return Err(format!("nobody would notice if this grew: {}", now[at].0).into());
        }
    }
    println!(
        "no ratio has grown, and each of {} would be noticed if it had",
        now.len()
    );
    Ok(())
}
