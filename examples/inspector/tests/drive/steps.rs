//! What must be true, in the order in which it is looked at.

use std::time::Duration;

use adw::prelude::*;
use gsock::{ConnectionState, SocketConnection, prelude::*};
use gsock_inspector::{
    Application, Window,
    connect_dialog::ConnectDialog,
    connection_page::ConnectionPage,
    model::{Inspector, Session, Target},
    plot::Plot,
    show,
};

use crate::{
    names::{nameless, out_of_reach, tells_its_value},
    pictures::Album,
    tls,
    widgets::{all, find, named, press, says, until},
};

const WIDE: (i32, i32) = (980, 830);
const NARROW: (i32, i32) = (360, 720);

/// All of it.
pub async fn all_steps(application: &Application, first: &Window, album: &Album) {
    let inspector = first.inspector().expect("a window shows something");
    let window = &open(application, &inspector, WIDE).await;
    first.close();
    let colors = ["light", "dark"];

    nothing_is_chosen_at_first(window);
    for color in colors {
        scheme(application, color);
        album.take(window, &format!("empty-{color}")).await;
    }
    scheme(application, "light");

    a_listener_says_its_address(window, &inspector).await;
    let session = a_dialog_connects(application, window, &inspector, album).await;
    labels_say_what_properties_say(window, &session).await;
    what_is_sent_comes_back(window, &session).await;
    labels_say_what_properties_say(window, &session).await;
    the_plot_has_a_history(window, &session);
    values_are_read_out(window);
    every_view_has_names_for_all_that_can_be_used(window).await;

    view(window, "data");
    for color in colors.into_iter().rev() {
        scheme(application, color);
        album.take(window, &format!("data-{color}")).await;
    }
    bytes_are_shown_in_hexadecimal(window, &session).await;
    album.take(window, "hex-light").await;
    window_action(window, "win.hex");

    view(window, "overview");
    if album.is_wanted() {
        make_a_curve(&session).await;
    }
    for color in colors {
        scheme(application, color);
        album.take(window, &format!("connected-{color}")).await;
    }
    scheme(application, "light");

    what_was_refused_is_told(window, &inspector).await;
    tls::a_certificate_that_nobody_trusts_is_refused(application, window, &inspector).await;
    tls::bytes_go_encrypted(application, window, &inspector, album).await;
    several_at_once(window, &inspector).await;
    window.choose(0);
    album.take(window, "listener-light").await;
    scheme(application, "dark");
    album.take(window, "listener-dark").await;
    scheme(application, "light");
    window.choose(1);

    the_peer_is_killed(window, &session).await;
    for color in colors {
        scheme(application, color);
        album.take(window, &format!("disconnected-{color}")).await;
    }
    view(window, "timeline");
    for color in colors.into_iter().rev() {
        scheme(application, color);
        album.take(window, &format!("timeline-{color}")).await;
    }

    a_reset_leaves_an_error(window).await;
    window.choose(1);
    let narrow = open(application, &inspector, NARROW).await;
    a_narrow_window_shows_one_thing_at_a_time(&narrow, album).await;
    narrow.close();
    what_is_closed_and_removed_is_gone(window, &inspector, &session).await;
    what_no_window_shows_is_closed().await;
    album_of_help(application, window, album).await;
}

/// A window of that size, which shows the same as any other on `inspector`. Without a window manager a window keeps the
/// size that it appears in.
async fn open(
    application: &Application,
    inspector: &Inspector,
    (width, height): (i32, i32),
) -> Window {
    let window: Window = glib::Object::builder()
        .property("application", application)
        .property("inspector", inspector)
        .property("default-width", width)
        .property("default-height", height)
        .build();
    window.present();
    until(&format!("the window is {width} wide"), || {
        window.width() == width && window.height() == height
    })
    .await;
    window
}

fn scheme(application: &Application, name: &str) {
    application.activate_action("color-scheme", Some(&name.to_variant()));
    let is_dark = application.style_manager().is_dark();
    assert_eq!(is_dark, name == "dark", "the menu chooses light or dark");
}

pub fn window_action(window: &Window, name: &str) {
    WidgetExt::activate_action(window, name, None)
        .unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

pub fn page(window: &Window) -> ConnectionPage {
    find(window, "connection_page")
}

pub fn view(window: &Window, name: &str) {
    WidgetExt::activate_action(window, "win.show-view", Some(&name.to_variant()))
        .unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

fn place(window: &Window) -> String {
    let content: gtk::Stack = find(window, "content");
    content
        .visible_child_name()
        .map(Into::into)
        .unwrap_or_default()
}

pub fn connection(session: &Session) -> SocketConnection {
    session.connection().expect("a session has one")
}

fn nothing_is_chosen_at_first(window: &Window) {
    assert_eq!(place(window), "empty");
    let empty: adw::StatusPage = find(window, "empty");
    assert!(empty.is_mapped());
}

async fn a_listener_says_its_address(window: &Window, inspector: &Inspector) {
    window_action(window, "win.show-listener");
    assert_eq!(place(window), "listener");
    press(window, "start");
    let listener = inspector.listener();
    until("the listener listens", || listener.listening()).await;
    let port = listener.port();
    assert_eq!(
        says(window, "listener_address"),
        format!("127.0.0.1:{port}")
    );
    assert_eq!(says(window, "listener_subtitle"), format!("Port {port}"));
    assert_eq!(says(window, "listener_accepted"), "0");
    let (without, looked_at) = nameless(window);
    assert!(without.is_empty(), "without a name: {without:?}");
    assert!(looked_at >= 5, "only {looked_at} widgets were looked at");
    let (missed, visited) = out_of_reach(window);
    assert!(missed.is_empty(), "not reached by Tab: {missed:?}");
    assert!(visited >= 5, "only {visited} got the focus");
}

pub async fn open_dialog(application: &Application, window: &Window) -> ConnectDialog {
    window_action(window, "win.new-connection");
    let dialog = || {
        let windows = application.windows().into_iter();
        windows
            .filter_map(|it| it.downcast::<ConnectDialog>().ok())
            .next()
    };
    let toplevels = || {
        gtk::Window::list_toplevels()
            .into_iter()
            .filter_map(|it| it.downcast::<ConnectDialog>().ok())
            .next()
    };
    until("the dialog is there", || {
        dialog().or_else(toplevels).is_some_and(|it| it.is_mapped())
    })
    .await;
    dialog().or_else(toplevels).expect("it is there")
}

async fn a_dialog_connects(
    application: &Application,
    window: &Window,
    inspector: &Inspector,
    album: &Album,
) -> Session {
    let dialog = open_dialog(application, window).await;
    let connect: gtk::Button = find(&dialog, "connect");
    let host: adw::EntryRow = find(&dialog, "host");
    let port: adw::EntryRow = find(&dialog, "port");
    assert!(!connect.is_sensitive(), "nothing to connect to yet");
    host.set_text("localhost");
    port.set_text("70000");
    assert!(!connect.is_sensitive(), "there is no such port");
    assert!(port.has_css_class("error"));
    port.set_text(&inspector.listener().port().to_string());
    assert!(!port.has_css_class("error"));
    let (without, _) = nameless(&dialog);
    assert!(without.is_empty(), "without a name: {without:?}");
    let (missed, visited) = out_of_reach(&dialog);
    assert!(missed.is_empty(), "not reached by Tab: {missed:?}");
    assert!(visited >= 4, "only {visited} got the focus");
    album.take(&dialog, "dialog-light").await;
    press(&dialog, "connect");
    until("there is a session", || inspector.sessions().n_items() == 1).await;
    let session = inspector.sessions().item(0).and_downcast::<Session>();
    let session = session.expect("what is in that list is a session");
    assert_eq!(page(window).session().as_ref(), Some(&session));
    until("it is connected, and knows its peer", || {
        connection(&session).state() == ConnectionState::Connected && session.peer().is_some()
    })
    .await;
    session
}

/// Each label of the first view, against the property that it is bound to.
async fn labels_say_what_properties_say(window: &Window, session: &Session) {
    view(window, "overview");
    let page = page(window);
    let connection = connection(session);
    until("the counters are shown", || {
        says(&page, "bytes_in") == show::bytes(connection.bytes_read())
            && says(&page, "bytes_out") == show::bytes(connection.bytes_written())
    })
    .await;
    assert_eq!(says(&page, "state_title"), show::state(connection.state()));
    assert_eq!(
        says(&page, "local_address"),
        show::address(connection.local_address().ok())
    );
    assert_eq!(
        says(&page, "remote_address"),
        show::address(connection.remote_address().ok())
    );
    let failure = connection.last_error();
    let failure = failure.as_ref().map_or("None", glib::Error::message);
    assert_eq!(says(&page, "last_error"), failure);
    assert_eq!(says(&page, "encryption"), "None");
    let rows = named::<gtk::Label>(window, "row_state");
    let shown: Vec<_> = rows.iter().filter(|it| it.is_mapped()).collect();
    assert!(!shown.is_empty());
    assert!(
        shown
            .iter()
            .any(|it| it.label() == show::state(connection.state()))
    );
    let close: gtk::Button = find(&page, "close");
    let kill: gtk::Button = find(&page, "kill_peer");
    let is_connected = connection.is_alive();
    assert!(close.is_sensitive());
    assert_eq!(kill.is_sensitive(), is_connected);
}

async fn what_is_sent_comes_back(window: &Window, session: &Session) {
    view(window, "data");
    let page = page(window);
    let entry: gtk::Entry = find(&page, "entry");
    let manner: gtk::DropDown = find(&page, "manner");
    let send: gtk::Button = find(&page, "send");
    assert!(!send.is_sensitive(), "there is nothing to send");

    manner.set_selected(3);
    entry.set_text("48 65 6c 6c 6");
    assert!(!send.is_sensitive() && entry.has_css_class("error"));
    entry.set_text("48 65 6c 6c 6f");
    assert!(send.is_sensitive() && !entry.has_css_class("error"));
    press(&page, "send");
    assert_eq!(entry.text(), "");
    manner.set_selected(1);
    let connection = connection(session);
    let mut sent = 5;
    for words in [
        "All that is shown is bound to properties.",
        "So is this?",
        "This too, and it changes by itself.",
    ] {
        until("it has come back", || connection.bytes_read() == sent).await;
        entry.set_text(words);
        press(&page, "send");
        sent += words.len() as u64 + 1;
    }
    until("all of it has come back", || {
        connection.bytes_read() == sent
    })
    .await;
    assert_eq!(connection.bytes_written(), sent);
    until("it is shown", || session.transcript().n_items() >= 4).await;
    until("the rows are there", || {
        let rows = named::<gtk::Label>(&page, "message_text");
        rows.iter().any(|it| it.label() == "Hello")
    })
    .await;
    let client = session.peer().expect("the listener is ours");
    let peer = client.connection().expect("a session has one");
    assert_eq!(peer.bytes_read(), sent, "the other end has counted as well");
}

/// Something to look at.
async fn make_a_curve(session: &Session) {
    for turn in 0..126_u32 {
        let swell = f64::from(turn) / 9.0;
        let size = 900.0 + 700.0 * swell.sin() + 350.0 * (2.3 * swell).sin();
        // Between 0 and 2000.
        let connection = connection(session);
        let writes = connection.output_stream();
        let bytes = vec![b'.'; size.max(0.0) as usize];
        let written = writes
            .write_all_future(bytes, glib::Priority::DEFAULT)
            .await
            .map_err(|(_, failure)| failure);
        written.expect("it is connected");
        glib::timeout_future(Duration::from_millis(250)).await;
    }
}

/// A label is read out by itself; these stand in rows with a title of their own.
fn values_are_read_out(window: &Window) {
    for id in [
        "local_address",
        "remote_address",
        "encryption",
        "last_error",
        "listener_address",
        "listener_accepted",
        "listener_active",
    ] {
        assert!(tells_its_value(&find(window, id)), "{id}");
    }
}

async fn what_no_window_shows_is_closed() {
    let inspector = Inspector::default();
    inspector.listener().start(0).expect("a free port");
    let target = Target {
        host: "127.0.0.1".into(),
        port: u16::try_from(inspector.listener().port()).expect("a port"),
        ..Default::default()
    };
    let session = inspector.dial(&target).expect("there is a socket for it");
    until("it is connected", || {
        connection_state(&session) == ConnectionState::Connected
    })
    .await;
    let connection = connection(&session);
    drop(session);
    drop(inspector);
    until("it is closed", || {
        connection.state() == ConnectionState::Closed
    })
    .await;
}

fn the_plot_has_a_history(window: &Window, session: &Session) {
    let plot: Plot = find(&page(window), "plot");
    assert_eq!(plot.traffic(), Some(session.traffic()));
    let connection = connection(session);
    assert_eq!(session.traffic().bytes_read(), connection.bytes_read());
}

async fn every_view_has_names_for_all_that_can_be_used(window: &Window) {
    for name in ["overview", "data", "timeline"] {
        view(window, name);
        let views: adw::ViewStack = find(&page(window), "views");
        until("the view is shown", || {
            views.visible_child_name().as_deref() == Some(name)
        })
        .await;
        let (without, looked_at) = nameless(window);
        assert!(without.is_empty(), "{name}, without a name: {without:?}");
        assert!(looked_at >= 5, "{name}: only {looked_at} were looked at");
        let (missed, visited) = out_of_reach(window);
        assert!(missed.is_empty(), "{name}, not reached by Tab: {missed:?}");
        assert!(visited >= 5, "{name}: only {visited} got the focus");
    }
}

async fn bytes_are_shown_in_hexadecimal(window: &Window, session: &Session) {
    window_action(window, "win.hex");
    assert!(session.as_hex());
    let toggle: gtk::ToggleButton = find(&page(window), "hex_toggle");
    assert!(toggle.is_active());
    until("the rows show digits", || {
        let rows = named::<gtk::Label>(window, "message_text");
        rows.iter()
            .any(|it| it.label().starts_with("53 6f 20 69 73 20 74 68  So is th"))
    })
    .await;
}

/// A failure is in the timeline, in a toast, and nowhere else.
async fn what_was_refused_is_told(window: &Window, inspector: &Inspector) {
    // Nobody listens there: it is taken, and not listened at.
    let taken = gio::Socket::new(
        gio::SocketFamily::Ipv4,
        gio::SocketType::Stream,
        gio::SocketProtocol::Tcp,
    )
    .expect("a socket");
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    taken
        .bind(&gio::InetSocketAddress::new(&loopback, 0), false)
        .expect("an address");
    let address = taken.local_address().expect("it has one");
    let address = address
        .downcast::<gio::InetSocketAddress>()
        .expect("of that family");
    let target = Target {
        host: "127.0.0.1".into(),
        port: address.port(),
        ..Default::default()
    };
    let session = window.dial(&target).expect("there is a socket for it");
    until("it has come to nothing", || {
        let moments = session.timeline();
        (0..moments.n_items()).any(|index| {
            let moment = moments.item(index);
            moment.is_some_and(|it| it.property::<String>("title") == "Gave up")
        })
    })
    .await;
    assert_eq!(connection(&session).state(), ConnectionState::Unconnected);
    a_toast_is_shown(window).await;
    // It is not in the pictures.
    inspector.remove(&session);
    dismiss_toasts(window).await;
}

pub async fn a_toast_is_shown(window: &Window) {
    until("a toast says it", || {
        all(window)
            .iter()
            .filter(|it| it.type_().name() == "AdwToastWidget")
            .any(|it| it.is_mapped())
    })
    .await;
}

pub async fn dismiss_toasts(window: &Window) {
    let toasts: adw::ToastOverlay = find(window, "toasts");
    until("the toast is gone", || {
        for widget in all(&toasts) {
            if widget.type_().name() == "AdwToastWidget"
                && let Some(close) = all(&widget)
                    .into_iter()
                    .filter_map(|it| it.downcast::<gtk::Button>().ok())
                    .last()
            {
                close.emit_clicked();
            }
        }
        !all(&toasts)
            .iter()
            .any(|it| it.type_().name() == "AdwToastWidget")
    })
    .await;
}

async fn several_at_once(window: &Window, inspector: &Inspector) {
    for _ in 0..2 {
        window_action(window, "win.connect-to-listener");
    }
    until("three are connected, and the list says so", || {
        let rows = named::<gtk::Label>(window, "row_state");
        rows.iter()
            .filter(|it| it.is_mapped() && it.label() == "Connected")
            .count()
            == 3
    })
    .await;
    let listener = inspector.listener();
    until("the listener says so too", || {
        listener.clients().n_items() == 3 && says(window, "listener_active") == "3"
    })
    .await;
    assert_eq!(says(window, "listener_accepted"), "3");
    let port = listener.port();
    assert_eq!(
        says(window, "listener_subtitle"),
        format!("Port {port}, 3 clients")
    );
    assert_eq!(named::<gtk::Button>(window, "client_kill").len(), 3);
}

async fn the_peer_is_killed(window: &Window, session: &Session) {
    view(window, "overview");
    assert_eq!(page(window).session().as_ref(), Some(session));
    press(window, "kill_peer");
    let connection = connection(session);
    until("`Disconnected` arrives by itself", || {
        connection.state() == ConnectionState::Disconnected
    })
    .await;
    assert_eq!(says(window, "state_title"), "Disconnected");
    assert_eq!(
        says(window, "state_detail"),
        "The peer has closed the connection"
    );
    labels_say_what_properties_say(window, session).await;
    until("the timeline has it", || {
        let moments = session.timeline();
        let last = moments.item(moments.n_items() - 1);
        last.is_some_and(|it| it.property::<String>("title") == "Disconnected")
    })
    .await;
}

async fn a_reset_leaves_an_error(window: &Window) {
    window.choose(3);
    let session = page(window).session().expect("it was chosen");
    assert!(session.peer().is_some());
    window_action(window, "win.reset-peer");
    until("it is disconnected", || {
        connection_state(&session) == ConnectionState::Disconnected
    })
    .await;
    until("there is an error, and the label says it", || {
        let failure = connection(&session).last_error();
        failure.is_some_and(|it| says(&page(window), "last_error") == it.message())
    })
    .await;
    labels_say_what_properties_say(window, &session).await;
    assert_eq!(says(window, "state_detail"), "The connection was lost");
}

async fn a_narrow_window_shows_one_thing_at_a_time(window: &Window, album: &Album) {
    let leaflet: adw::Leaflet = find(window, "leaflet");
    until("the window is folded", || leaflet.is_folded()).await;
    assert_eq!(window.width(), 360);
    window.choose(2);
    view(window, "overview");
    until("the page is shown", || page(window).is_mapped()).await;
    until("the way back is shown", || {
        find::<gtk::Button>(&page(window), "back").is_mapped()
    })
    .await;
    let (without, _) = nameless(window);
    assert!(without.is_empty(), "without a name: {without:?}");
    album.take(window, "narrow-connected").await;
    view(window, "data");
    let session = page(window).session().expect("it was chosen");
    for (count, words) in (1..).zip(["In a narrow window, too.", "There is room for it."]) {
        find::<gtk::Entry>(&page(window), "entry").set_text(words);
        press(&page(window), "send");
        until("it has come back", || {
            session.transcript().n_items() == 2 * count
        })
        .await;
    }
    for name in ["overview", "data", "timeline"] {
        view(window, name);
        if name != "overview" {
            album.take(window, &format!("narrow-{name}")).await;
        }
        assert_eq!(window.width(), 360, "{name} needs more");
    }
    window.choose(0);
    album.take(window, "narrow-listener").await;
    window_action(window, "win.show-list");
    let list: gtk::ListView = find(window, "places");
    until("the list is shown", || list.is_mapped()).await;
    album.take(window, "narrow-list").await;
    assert_eq!(window.width(), 360);
}

async fn what_is_closed_and_removed_is_gone(
    window: &Window,
    inspector: &Inspector,
    session: &Session,
) {
    window.choose(1);
    let connection = connection(session);
    window_action(window, "win.close-connection");
    until("it is closed", || {
        connection.state() == ConnectionState::Closed
    })
    .await;
    view(window, "overview");
    assert_eq!(says(window, "state_title"), "Closed");
    let close: gtk::Button = find(&page(window), "close");
    assert!(!close.is_sensitive());
    window_action(window, "win.remove-connection");
    assert_eq!(inspector.sessions().n_items(), 2);
    window_action(window, "win.show-listener");
    press(window, "dismiss");
    until("the others are disconnected", || {
        let sessions = inspector.sessions();
        (0..2).all(|index| {
            let session = sessions.item(index).and_downcast::<Session>();
            session.is_some_and(|it| connection_state(&it) == ConnectionState::Disconnected)
        })
    })
    .await;
    press(window, "stop");
    assert_eq!(says(window, "listener_subtitle"), "Not listening");
}

fn connection_state(session: &Session) -> ConnectionState {
    connection(session).state()
}

/// The windows that tell of the program.
async fn album_of_help(application: &Application, window: &Window, album: &Album) {
    let others = || -> Vec<gtk::Window> {
        gtk::Window::list_toplevels()
            .into_iter()
            .filter_map(|it| it.downcast::<gtk::Window>().ok())
            .filter(|it| it != window.upcast_ref::<gtk::Window>() && it.is_mapped())
            .collect()
    };
    window_action(window, "win.show-help-overlay");
    until("the shortcuts are shown", || others().len() == 1).await;
    for other in others() {
        assert!(other.is::<gtk::ShortcutsWindow>());
        album.take(&other, "shortcuts").await;
        other.close();
    }
    until("they are gone", || others().is_empty()).await;
    application.activate_action("about", None);
    until("the program tells of itself", || others().len() == 1).await;
    for other in others() {
        assert!(other.is::<adw::AboutWindow>());
        album.take(&other, "about").await;
        other.close();
    }
}
