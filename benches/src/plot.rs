//! Pictures of the table: SVG on white, so that they can be read on a dark page too.

use std::{error::Error, path::Path};

use plotters::{
    coord::ranged1d::{IntoSegmentedCoord, SegmentValue},
    prelude::*,
};

use crate::{
    measure::{Figure, Series, Spread},
    rows::{GROWING, GROWTH, growing},
    table::{Reading, short},
};

const SIZE: (u32, u32) = (900, 540);
const FONT: &str = "sans-serif";

/// Told apart by those too who see no red or no green.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];

/// Who is in the picture of the echo, by their names and in words.
const ECHOING: [(&str, &str); 8] = [
    ("gio-rs", "gio-rs, futures"),
    ("c-plain", "C GIO, callbacks"),
    ("callbacks-plain", "gsock, callbacks through GIO"),
    ("direct-plain", "gsock, callbacks, direct entry"),
    ("glib-spawn", "gsock, futures in GLib's tasks"),
    ("own-spawn", "gsock, futures in its tasks"),
    ("tokio", "tokio"),
    ("epoll", "raw epoll"),
];

/// CPU time of a round trip beside ever more idle connections, both axes logarithmic.
pub(crate) fn growth(series: &Series, file: &Path) -> Result<(), Box<dyn Error>> {
    let reading = Reading {
        series,
        figure: Figure::Cpu,
        unit: "µs",
        scale: 1e3,
    };
    let curves = GROWING.map(|(name, words)| {
        let point = |idle: usize| {
            let spread = reading.spread(&growing(name, idle))?;
            Some((idle as f64, spread.median))
        };
        let points: Vec<(f64, f64)> = GROWTH.into_iter().filter_map(point).collect();
        (words, points)
    });
    let figures = || {
        curves
            .iter()
            .flat_map(|(_, points)| points)
            .map(|point| point.1)
    };
    let Some(Spread { min, max, .. }) = Spread::of(figures()) else {
        return Err("nothing to draw".into());
    };

    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("One busy connection beside idle ones", (FONT, 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (9.0..12_000.0).log_scale(),
            (min * 0.7..max * 1.5).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("idle connections with a pending read")
        .y_desc("CPU time per round trip of 64 bytes, µs (median)")
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for ((words, points), colour) in curves.into_iter().zip(COLOURS) {
        let line = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), line).point_size(3))?
            .label(words)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], line));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 14))
        .legend_area_size(30)
        .draw()?;
    Ok(area.present()?)
}

/// How long a round trip takes, tokio's being 1: bars to the median, lines from smallest to largest.
pub(crate) fn echo(series: &Series, file: &Path) -> Result<(), Box<dyn Error>> {
    let reading = Reading {
        series,
        figure: Figure::Wall,
        unit: "µs",
        scale: 1e3,
    };
    let bars: Vec<(&str, Spread)> = ECHOING
        .into_iter()
        .filter_map(|(name, words)| Some((words, reading.ratios(name, "tokio")?)))
        .collect();
    let Some(last) = bars.len().checked_sub(1) else {
        return Err("nothing to draw".into());
    };
    let largest = bars
        .iter()
        .map(|(_, spread)| spread.max)
        .fold(1.0, f64::max);

    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Echo of 64 bytes, both ends on one loop", (FONT, 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(230)
        .build_cartesian_2d(0.0..largest * 1.1, (0..last).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .x_desc("time per round trip, as a multiple of tokio's (median, smallest and largest)")
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 15))
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| match y {
            SegmentValue::CenterOf(bar) => bars.get(*bar).map_or("", |bar| bar.0).to_owned(),
            _ => String::new(),
        })
        .draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(at, (words, spread))| {
        let colour = if words.starts_with("gsock") {
            COLOURS[0]
        } else {
            COLOURS[4]
        };
        let corners = [
            (0.0, SegmentValue::Exact(at)),
            (spread.median, SegmentValue::Exact(at + 1)),
        ];
        let mut bar = Rectangle::new(corners, colour.mix(0.8).filled());
        bar.set_margin(9, 9, 0, 0);
        bar
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(at, (_, spread))| {
        let middle = SegmentValue::CenterOf(at);
        let ends = [(spread.min, middle.clone()), (spread.max, middle)];
        PathElement::new(ends, BLACK.stroke_width(2))
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(at, (_, spread))| {
        let place = (spread.max, SegmentValue::CenterOf(at));
        EmptyElement::at(place) + Text::new(short(spread.median), (8, -7), (FONT, 14))
    }))?;
    chart.draw_series([PathElement::new(
        [
            (1.0, SegmentValue::Exact(0)),
            (1.0, SegmentValue::Exact(bars.len())),
        ],
        BLACK.mix(0.5),
    )])?;
    Ok(area.present()?)
}
