//! The piece of README.md that is not compiled there. `gtk` is whatever has such labels.

use gio::prelude::*;

use super::gtk;

pub fn label_of(connection: &gsock::SocketConnection) -> gtk::Label {
    let label = gtk::Label::new(None);
    connection
        .bind_property("state", &label, "label")
        .transform_to(|_, state: gsock::ConnectionState| Some(format!("{state:?}")))
        .sync_create()
        .build();

    // `remote-address` stays when the connection ends.
    connection
        .bind_property("remote-address", &label, "tooltip-text")
        .transform_to(|_, address: Option<gio::SocketAddress>| Some(address.map(|a| a.to_string())))
        .sync_create()
        .build();
    label
}
