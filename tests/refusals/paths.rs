//! A listener at a path, while the system refuses, or others change what is there at the very moment.

use std::{
    ffi::c_int,
    fs,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use gio::{Cancellable, IOErrorEnum as E};
use gsock::{SocketListener, UnixPathOptions, prelude::*};

use crate::{Scripted, support::*};

const NOTHING: Option<&glib::Object> = None;

/// A new folder, which goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("gsock-refusals-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).expect("a folder").next().is_none()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(path: &Path, mode: u32) -> Result<SocketListener, glib::Error> {
    let listener = SocketListener::new();
    let options = UnixPathOptions {
        mode,
        ..UnixPathOptions::default()
    };
    listener.add_unix_path(path, &options, NOTHING)?;
    Ok(listener)
}

fn leave_stale(path: &Path) {
    drop(UnixListener::bind(path).expect("a free path"));
}

fn assert_reached(path: &Path, listener: &SocketListener) {
    let _peer = UnixStream::connect(path).expect("it listens");
    listener.accept(Cancellable::NONE).expect("one has come");
}

#[test]
fn what_the_system_refuses_is_told_and_nothing_is_left() {
    on_private_context(|_| {
        for (call, errno, expected, is_stale) in [
            ("fstatat", libc::EACCES, E::PermissionDenied, false),
            ("flock", libc::ENOLCK, E::Failed, false),
            ("unlinkat", libc::EROFS, E::ReadOnly, true),
            ("connect", libc::EACCES, E::PermissionDenied, true),
        ] {
            let folder = Folder::new();
            let path = folder.socket();
            if is_stale {
                leave_stale(&path);
            }
            let mut calls = 0;
            // The lock's own file is looked at first, and removed in the end.
            let passed = c_int::from(call == "fstatat");
            let scripted = Scripted::by(move |name, _| {
                calls += c_int::from(name == call);
                (name == call && calls == passed + 1).then_some(errno)
            });
            assert_fails(at(&path, 0o600), expected);
            drop(scripted);
            assert_eq!(path.exists(), is_stale, "{call}");
            let listener = at(&path, 0o600).expect("nothing is in the way any more");
            assert_reached(&path, &listener);
            listener.close();
            assert!(folder.is_empty(), "{call}");
        }
    });
}

/// There need be no `/proc`, by which the file is named that was looked at.
#[test]
fn without_numbers_of_open_files_the_mode_is_set_and_who_is_there_asked_by_the_path() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.socket();
        leave_stale(&path);
        let mut connects = 0;
        let scripted = Scripted::by(move |name, _| {
            connects += c_int::from(name == "connect");
            // By the number first, each time.
            let by_number = name == "chmod" || name == "connect" && connects % 2 == 1;
            by_number.then_some(libc::ENOENT)
        });
        // More than a mask lets through.
        let listener = at(&path, 0o666).expect("nobody listens there");
        drop(scripted);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
        assert_reached(&path, &listener);
        let live = at(&path, 0o600);
        assert_fails(live, E::AddressInUse);
        listener.close();
        assert!(folder.is_empty());
    });
}

/// Likewise, and somebody puts another file there between the look and the call.
#[test]
fn without_numbers_of_open_files_another_file_gets_no_mode_and_is_not_taken_for_a_dead_one() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.socket();
        let its = path.clone();
        let scripted = Scripted::by(move |name, _| {
            if name != "chmod" {
                return None;
            }
            fs::remove_file(&its).expect("the socket's");
            fs::write(&its, "another's").expect("a new file");
            fs::set_permissions(&its, fs::Permissions::from_mode(0o640)).expect("ours");
            Some(libc::ENOENT)
        });
        assert_fails(at(&path, 0o666), E::AddressInUse);
        drop(scripted);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        fs::remove_file(&path).expect("a file");

        leave_stale(&path);
        let (its, mut connects) = (path.clone(), 0);
        let scripted = Scripted::by(move |name, _| {
            connects += c_int::from(name == "connect");
            match (name, connects) {
                ("connect", 1) => Some(libc::ENOENT),
                ("connect", 2) => {
                    fs::remove_file(&its).expect("the dead one's");
                    fs::write(&its, "another's").expect("a new file");
                    Some(libc::ECONNREFUSED)
                }
                _ => None,
            }
        });
        assert_fails(at(&path, 0o600), E::AddressInUse);
        drop(scripted);
        assert_eq!(fs::read_to_string(&path).expect("a file"), "another's");
    });
}

#[test]
fn a_path_at_which_there_is_always_another_socket_is_given_up() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.socket();
        leave_stale(&path);
        let its = path.clone();
        let scripted = Scripted::by(move |name, _| {
            if name == "connect" {
                let other = its.with_extension("new");
                leave_stale(&other);
                fs::rename(&other, &its).expect("the same folder");
            }
            None
        });
        assert_fails(at(&path, 0o600), E::AddressInUse);
        drop(scripted);
        let listener = at(&path, 0o600).expect("nobody changes it any more");
        assert_reached(&path, &listener);
    });
}

#[test]
fn a_lock_that_others_remove_whenever_it_is_taken_is_given_up() {
    on_private_context(|_| {
        let folder = Folder::new();
        let path = folder.socket();
        let lock = folder.0.join("socket.lock");
        let scripted = Scripted::by(move |name, _| {
            if name == "flock" {
                // None where it is given up.
                let _ = fs::remove_file(&lock);
            }
            None
        });
        assert_fails(at(&path, 0o600), E::AddressInUse);
        drop(scripted);
        assert!(folder.is_empty());
        let listener = at(&path, 0o600).expect("nobody is in the way");
        assert_reached(&path, &listener);
    });
}
