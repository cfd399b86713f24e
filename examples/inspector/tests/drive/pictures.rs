//! Pictures of windows, drawn by GTK itself, with a shadow as a desktop would draw one.

use std::{path::PathBuf, time::Duration};

use adw::prelude::*;
use gtk::{gdk, graphene, gsk};

/// Pixels of the picture for one of the window: it is looked at on fine screens.
const SCALE: f32 = 1.5;
/// For the shadow.
const MARGIN: f32 = 28.0;
const RADIUS: f32 = 12.0;

/// Where pictures go, if any are wanted.
#[derive(Debug)]
pub struct Album {
    folder: Option<PathBuf>,
}

impl Album {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Whether somebody will look.
    pub fn is_wanted(&self) -> bool {
        self.folder.is_some()
    }

    /// A picture of `window` under that name.
    pub async fn take(&self, window: &impl IsA<gtk::Window>, name: &str) {
        let Some(folder) = &self.folder else {
            return;
        };
        let window: &gtk::Window = window.upcast_ref();
        // What was changed is laid out, drawn, and known to the paintable.
        let paintable = gtk::WidgetPaintable::new(Some(window));
        for _ in 0..10 {
            // Nobody gives the focus to windows of such a display.
            window.unset_state_flags(gtk::StateFlags::BACKDROP);
            window.queue_draw();
            glib::timeout_future(Duration::from_millis(40)).await;
        }
        let (width, height) = (window.width() as f32, window.height() as f32);
        let snapshot = gtk::Snapshot::new();
        snapshot.scale(SCALE, SCALE);
        snapshot.translate(&graphene::Point::new(MARGIN, MARGIN));
        let outline =
            gsk::RoundedRect::from_rect(graphene::Rect::new(0.0, 0.0, width, height), RADIUS);
        let black = |alpha| gdk::RGBA::new(0.0, 0.0, 0.0, alpha);
        snapshot.append_outset_shadow(&outline, &black(0.28), 0.0, 4.0, 0.0, 18.0);
        snapshot.append_outset_shadow(&outline, &black(0.18), 0.0, 0.0, 1.0, 0.0);
        // Without a compositor windows have corners, and all of them the same.
        snapshot.push_rounded_clip(&outline);
        paintable.snapshot(&snapshot, width.into(), height.into());
        snapshot.pop();
        let node = snapshot.to_node().expect("something was drawn");
        let whole = graphene::Rect::new(
            0.0,
            0.0,
            (width + 2.0 * MARGIN) * SCALE,
            (height + 2.0 * MARGIN) * SCALE,
        );
        let renderer = window.renderer().expect("a window that is shown has one");
        let texture = renderer.render_texture(node, Some(&whole));
        let file = folder.join(format!("{name}.png"));
        texture
            .save_to_png(&file)
            .unwrap_or_else(|failure| panic!("{}: {failure}", file.display()));
        println!("{}", file.display());
    }
}
