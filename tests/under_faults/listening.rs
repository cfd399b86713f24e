//! A listener that gets its sockets while system calls fail: all of one call's, or none.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{Cancellable, SocketProtocol, SocketType, prelude::*};
use gsock::{SocketListener, UnixPathOptions, prelude::*};

use crate::scene::{Own, drive};

/// Without these there is no socket. Of two families one is enough.
const ONE: &[&str] = &["socket", "bind", "listen"];
/// Another one asks whether somebody listens at a path.
const PATH: &[&str] = &["bind", "listen"];
const NOBODY: Option<&glib::Object> = None;

/// Adds something, and answers where to call.
type Add = fn(&SocketListener, &Path) -> Result<(), glib::Error>;

fn an_address(listener: &SocketListener, _: &Path) -> Result<(), glib::Error> {
    let any = crate::support::gio_address(([127, 0, 0, 1], 0).into());
    let (kind, protocol) = (SocketType::Stream, SocketProtocol::Default);
    listener.add_address(&any, kind, protocol, NOBODY).map(drop)
}

fn any_port(listener: &SocketListener, _: &Path) -> Result<(), glib::Error> {
    listener.add_any_inet_port(NOBODY).map(drop)
}

fn a_port_of_a_range(listener: &SocketListener, _: &Path) -> Result<(), glib::Error> {
    // Others may have some of them.
    listener
        .add_inet_port_in_range(20_000..=20_400, NOBODY)
        .map(drop)
}

fn an_abstract_name(listener: &SocketListener, path: &Path) -> Result<(), glib::Error> {
    listener.add_unix_abstract(path.as_os_str().as_encoded_bytes(), true, NOBODY)
}

fn a_path(listener: &SocketListener, path: &Path) -> Result<(), glib::Error> {
    let options = UnixPathOptions::default();
    listener.add_unix_path(path, &options, NOBODY)
}

/// Where it is a file.
fn mode(path: &Path) -> Option<u32> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some(metadata.permissions().mode() & 0o777)
}

fn new_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gsock-listening-under-faults-{}-{number}", process::id());
    std::env::temp_dir().join(name)
}

/// Who was added is listened for; otherwise nothing is left of it, and the same can be added.
fn adds(add: Add, calls: &'static [&'static str], is_stale: bool) {
    // What it finds at a path decides what an errno means.
    let own = Own {
        calls,
        // GIO asks once more without what an old kernel does not know.
        again: &[("socket", libc::EINVAL)],
        codes_of_others: calls == PATH,
        ..Own::ANY
    };
    drive(own, move |scene| {
        let path = new_path();
        if is_stale {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("a new name"));
        }
        let listener = SocketListener::new();
        scene.note("listener", &listener);
        let outcome = scene.under_faults(|| add(&listener, &path));
        if outcome.is_err() {
            assert!(listener.addresses().is_empty(), "some of it is left");
            add(&listener, &path).expect("nothing is in its way");
        }
        let addresses = listener.addresses();
        if let Some(mode) = mode(&path) {
            assert_eq!(mode, 0o600);
        }
        let address = addresses.last().expect("one at least");
        let caller = gio::Socket::new(
            address.family(),
            SocketType::Stream,
            SocketProtocol::Default,
        );
        let caller = caller.expect("there is such a socket");
        SocketExt::connect(&caller, address, Cancellable::NONE).expect("it listens");
        let accepted = listener.accept(Cancellable::NONE).expect("somebody called");
        drop((accepted, caller));
        listener.close();
        assert!(!path.exists(), "its file is left");
        outcome
    });
}

macro_rules! drivers {
    ($($name:ident: $body:expr;)*) => {$(
        #[test]
        fn $name() {
            $body;
        }
    )*};
}

drivers! {
    add_address: adds(an_address, ONE, false);
    add_any_inet_port: adds(any_port, &[], false);
    add_inet_port_in_range: adds(a_port_of_a_range, &[], false);
    add_unix_abstract: adds(an_abstract_name, ONE, false);
    add_unix_path: adds(a_path, PATH, false);
    add_unix_path_that_is_stale: adds(a_path, PATH, true);
}
