//! Rows, what is expected of them, and how both are printed.

use std::fmt;

use crate::measure::{Figure, Series, Spread};

const HEADINGS: [&str; 14] = [
    "",
    "",
    "ours",
    "C GIO",
    "gio-rs fut.",
    "tokio",
    "std",
    "raw epoll",
    "ratio",
    "median",
    "min",
    "max",
    "goal",
    "met",
];

/// What is wanted of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    pub(crate) fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(limit) => ratio <= limit,
            Self::AtLeast(limit) => ratio >= limit,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "≤ {}", short(*limit)),
            Self::AtLeast(limit) => write!(f, "≥ {}", short(*limit)),
        }
    }
}

/// A ratio, and whether it is as it should be.
pub(crate) struct Judgement {
    ratio: String,
    spread: Spread,
    /// What is compared with the goal: the median, or where noise only ever adds, the ratio of the minima.
    judged: f64,
    goal: Option<Goal>,
}

/// A line of the table, and the lines of its further judgements.
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    figures: [Option<f64>; 6],
    judgements: Vec<Judgement>,
}

/// The samples that rows are made of, and which of their figures, in which unit.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) series: &'a Series,
    pub(crate) figure: Figure,
    pub(crate) unit: &'static str,
    /// How many of the samples' units make one of the rows'.
    pub(crate) scale: f64,
}

impl Reading<'_> {
    pub(crate) fn figures(&self, entrant: &str) -> Vec<f64> {
        self.series.of(entrant, self.figure)
    }

    pub(crate) fn spread(&self, entrant: &str) -> Option<Spread> {
        Spread::of(
            self.figures(entrant)
                .into_iter()
                .map(|figure| figure / self.scale),
        )
    }

    /// A row about `ours`. The others are the entrants of the further columns, "" where there is none.
    pub(crate) fn row(
        &self,
        what: impl Into<String>,
        ours: &str,
        others: [&str; 5],
    ) -> RowMaker<'_> {
        let mut figures = [None; 6];
        figures[0] = self.spread(ours).map(|spread| spread.median);
        for (figure, other) in figures[1..].iter_mut().zip(others) {
            *figure = self.spread(other).map(|spread| spread.median);
        }
        RowMaker {
            reading: *self,
            ours: ours.to_owned(),
            row: Row {
                what: what.into(),
                unit: self.unit,
                figures,
                judgements: Vec::new(),
            },
        }
    }

    /// The ratios of two entrants, each inside of one repetition.
    pub(crate) fn ratios(&self, of: &str, to: &str) -> Option<Spread> {
        let (of, to) = (self.figures(of), self.figures(to));
        Spread::of(of.iter().zip(&to).map(|(of, to)| of / to))
    }
}

/// A row whose judgements are still being made.
pub(crate) struct RowMaker<'a> {
    reading: Reading<'a>,
    ours: String,
    row: Row,
}

impl RowMaker<'_> {
    /// Ours divided by another's.
    pub(crate) fn to(self, name: &str, entrant: &str, goal: Option<Goal>) -> Self {
        let ours = self.ours.clone();
        self.judge(format!("÷ {name}"), (&ours, entrant), goal, false)
    }

    /// Like `to`, where noise only adds: the smallest figures are compared.
    pub(crate) fn minimum_to(self, name: &str, entrant: &str, goal: Option<Goal>) -> Self {
        let ours = self.ours.clone();
        self.judge(format!("÷ {name} (minima)"), (&ours, entrant), goal, true)
    }

    /// Another's divided by ours: how many times faster we are.
    pub(crate) fn faster_than(self, name: &str, entrant: &str, goal: Option<Goal>) -> Self {
        let ours = self.ours.clone();
        self.judge(format!("{name} ÷"), (entrant, &ours), goal, false)
    }

    /// The figure itself.
    pub(crate) fn value(mut self, goal: Option<Goal>) -> Self {
        if let Some(spread) = self.reading.spread(&self.ours) {
            self.row.judgements.push(Judgement {
                ratio: "itself".to_owned(),
                spread,
                judged: spread.median,
                goal,
            });
        }
        self
    }

    pub(crate) fn done(self) -> Row {
        self.row
    }

    fn judge(
        mut self,
        ratio: String,
        (of, to): (&str, &str),
        goal: Option<Goal>,
        minima: bool,
    ) -> Self {
        if let Some(spread) = self.reading.ratios(of, to) {
            let minimum = |entrant: &str| self.reading.spread(entrant).map(|spread| spread.min);
            let of_minima = minimum(of).zip(minimum(to)).map(|(of, to)| of / to);
            self.row.judgements.push(Judgement {
                ratio,
                spread,
                judged: of_minima.filter(|_| minima).unwrap_or(spread.median),
                goal,
            });
        }
        self
    }
}

impl Row {
    fn lines(&self) -> Vec<[String; 14]> {
        let mut first: [String; 14] = Default::default();
        first[0].clone_from(&self.what);
        first[1] = self.unit.to_owned();
        for (cell, figure) in first[2..8].iter_mut().zip(self.figures) {
            *cell = figure.map_or_else(String::new, short);
        }
        let mut lines = vec![first];
        for (at, judgement) in self.judgements.iter().enumerate() {
            if at > 0 {
                lines.push(Default::default());
            }
            judgement.fill(&mut lines[at]);
        }
        lines
    }
}

impl Judgement {
    fn fill(&self, line: &mut [String; 14]) {
        line[8].clone_from(&self.ratio);
        line[9] = short(self.judged);
        line[10] = short(self.spread.min);
        line[11] = short(self.spread.max);
        if let Some(goal) = self.goal {
            line[12] = goal.to_string();
            line[13] = if goal.is_met(self.judged) {
                "yes"
            } else {
                "NO"
            }
            .to_owned();
        }
    }
}

/// Prints all rows below one heading, and says how many goals were met.
pub(crate) fn print(rows: &[Row]) {
    let mut lines = vec![HEADINGS.map(ToOwned::to_owned).to_vec()];
    lines.extend(rows.iter().flat_map(Row::lines).map(Vec::from));
    print_grid(&lines, &[0, 1, 8, 12, 13]);
    let goals = || {
        let judgements = rows.iter().flat_map(|row| &row.judgements);
        judgements.filter_map(|judgement| Some((judgement.judged, judgement.goal?)))
    };
    let met = goals()
        .filter(|(judged, goal)| goal.is_met(*judged))
        .count();
    println!("{met} of {} goals met", goals().count());
}

/// Prints lines of as many cells each, the given columns aligned at their left.
pub(crate) fn print_grid(lines: &[Vec<String>], left: &[usize]) {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for line in lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let gap = " ".repeat(widths[column] - cell.chars().count());
            let (before, after) = if left.contains(&column) {
                ("", &*gap)
            } else {
                (&*gap, "")
            };
            text += &format!("{before}{cell}{after}  ");
        }
        println!("{}", text.trim_end());
    }
}

/// Three digits that count.
pub(crate) fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size < 0.1 && size > 0.0 => format!("{figure:.3}"),
        _ => format!("{figure:.2}"),
    }
}
