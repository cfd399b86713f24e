//! The link of KDE Connect: what both versions do, and what only one of them does.

#[path = "../../examples/kde_link/device.rs"]
mod device;
#[path = "../../examples/kde_link/gio.rs"]
mod on_gio;
#[path = "../../examples/kde_link/ours.rs"]
mod ours;

#[path = "kde_link/differs.rs"]
mod differs;
#[path = "kde_link/files.rs"]
mod files;
#[path = "kde_link/links.rs"]
mod links;
#[path = "kde_link/scene.rs"]
mod scene;
#[path = "kde_link/stopped.rs"]
mod stopped;
