//! A picture of how fast bytes come and go.

use std::cell::{OnceCell, RefCell};

use glib::{prelude::*, subclass::prelude::*};
use gtk::{cairo, gdk, graphene, prelude::*, subclass::prelude::*};

use crate::model::{SAMPLES, Traffic};

const HEIGHT: i32 = 140;
/// Above the curve, for the words that say how high it is.
const HEAD: f64 = 22.0;

mod imp {
    use super::*;

    #[derive(Debug, Default, glib::Properties)]
    #[properties(wrapper_type = super::Plot)]
    pub struct Plot {
        #[property(get, set = Self::set_traffic, nullable, explicit_notify)]
        traffic: RefCell<Option<Traffic>>,
        samples: OnceCell<glib::SignalGroup>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Plot {
        const NAME: &'static str = "InspectorPlot";
        type Type = super::Plot;
        type ParentType = gtk::Widget;

        fn class_init(class: &mut Self::Class) {
            class.set_css_name("plot");
            class.set_accessible_role(gtk::AccessibleRole::Img);
        }
    }

    #[glib::derived_properties]
    impl ObjectImpl for Plot {}

    impl WidgetImpl for Plot {
        fn measure(&self, orientation: gtk::Orientation, _for_size: i32) -> (i32, i32, i32, i32) {
            match orientation {
                gtk::Orientation::Vertical => (HEIGHT, HEIGHT, -1, -1),
                _ => (80, 320, -1, -1),
            }
        }

        fn snapshot(&self, snapshot: &gtk::Snapshot) {
            let widget = self.obj();
            let (width, height) = (f64::from(widget.width()), f64::from(widget.height()));
            if width <= 0.0 || height <= HEAD {
                return;
            }
            let rates = self
                .traffic
                .borrow()
                .as_ref()
                .map(Traffic::rates)
                .unwrap_or_default();
            let highest = rates.iter().map(|&(read, sent)| read.max(sent));
            let top = round_up(highest.fold(0.0, f64::max));
            let style = widget.style_context();
            let text = style.color();
            let color = |name: &str| style.lookup_color(name).unwrap_or(text);

            let area = graphene::Rect::new(0.0, 0.0, width as f32, height as f32);
            let picture = snapshot.append_cairo(&area);
            // A picture that cannot be drawn is left out: there is nobody to tell.
            let _ = draw_grid(&picture, width, height, text);
            let read: Vec<f64> = rates.iter().map(|rate| rate.0 / top).collect();
            let sent: Vec<f64> = rates.iter().map(|rate| rate.1 / top).collect();
            let middle = (HEAD + (height - HEAD) / 2.0).floor();
            let reach = (height - HEAD) / 2.0 - 2.0;
            let _ = draw_curve(&picture, width, middle, -reach, &read, color("plot_in"));
            let _ = draw_curve(&picture, width, middle, reach, &sent, color("plot_out"));
            drop(picture);

            let words = format!("{}/s", glib::format_size(top as u64));
            let layout = widget.create_pango_layout(Some(&words));
            let faint = gdk::RGBA::new(text.red(), text.green(), text.blue(), 0.55 * text.alpha());
            snapshot.append_layout(&layout, &faint);
        }
    }

    impl Plot {
        fn set_traffic(&self, traffic: Option<Traffic>) {
            let samples = self.samples.get_or_init(|| {
                let samples = glib::SignalGroup::new::<Traffic>();
                let plot = self.obj().downgrade();
                samples.connect_notify_local(Some("taken"), move |_, _| {
                    if let Some(plot) = plot.upgrade() {
                        plot.queue_draw();
                    }
                });
                samples
            });
            samples.set_target(traffic.as_ref());
            self.traffic.replace(traffic);
            self.obj().notify_traffic();
            self.obj().queue_draw();
        }
    }
}

glib::wrapper! {
    /// Two curves over the last half a minute: what comes goes up, what goes goes down. What is drawn is a property: `traffic`.
    pub struct Plot(ObjectSubclass<imp::Plot>)
        @extends gtk::Widget,
        @implements gtk::Buildable, gtk::ConstraintTarget;
}

/// A scale that does not change with each sample.
fn round_up(rate: f64) -> f64 {
    let mut top = 100.0;
    while top < rate {
        for step in [2.0, 2.5, 2.0] {
            if top < rate {
                top *= step;
            }
        }
    }
    top
}

fn ink(picture: &cairo::Context, color: gdk::RGBA, alpha: f32) {
    picture.set_source_rgba(
        color.red().into(),
        color.green().into(),
        color.blue().into(),
        (color.alpha() * alpha).into(),
    );
}

fn draw_grid(
    picture: &cairo::Context,
    width: f64,
    height: f64,
    color: gdk::RGBA,
) -> Result<(), cairo::Error> {
    picture.set_line_width(1.0);
    ink(picture, color, 0.12);
    for part in 0..=2 {
        // In the middle of a pixel, so that it is one line and not two pale ones.
        let y = (HEAD + (height - HEAD - 1.0) * f64::from(part) / 2.0).floor() + 0.5;
        picture.move_to(0.0, y);
        picture.line_to(width, y);
    }
    picture.stroke()
}

/// `heights` from 0 to 1, the newest last and at the right edge, as far from `base` as `reach`: up where that is negative.
fn draw_curve(
    picture: &cairo::Context,
    width: f64,
    base: f64,
    reach: f64,
    heights: &[f64],
    color: gdk::RGBA,
) -> Result<(), cairo::Error> {
    let step = width / (SAMPLES - 1) as f64;
    let missing = SAMPLES.saturating_sub(heights.len());
    let mut last = None;
    for (index, &part) in heights.iter().enumerate() {
        let (x, y) = ((missing + index) as f64 * step, base + part * reach);
        match last {
            None => picture.move_to(x, y),
            Some((before, level)) => {
                let middle = (before + x) / 2.0;
                picture.curve_to(middle, level, middle, y, x, y);
            }
        }
        last = Some((x, y));
    }
    let Some((end, _)) = last else {
        return Ok(());
    };
    ink(picture, color, 1.0);
    picture.set_line_width(2.0);
    picture.set_line_join(cairo::LineJoin::Round);
    picture.stroke_preserve()?;
    picture.line_to(end, base);
    picture.line_to(missing as f64 * step, base);
    picture.close_path();
    ink(picture, color, 0.2);
    picture.fill()
}
