//! Listening at a path in a folder where somebody means harm: he may keep us from it, and gains and breaks nothing.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use gio::{IOErrorEnum as E, SocketListenerEvent as Event};
use gsock::{SocketListener, UnixPathOptions, prelude::*};

use crate::{
    children::{self, Folder, Process},
    support::*,
};

const NOTHING: Option<&glib::Object> = None;

fn at(path: &Path) -> Result<SocketListener, glib::Error> {
    let listener = SocketListener::new();
    listener.add_unix_path(path, &UnixPathOptions::default(), NOTHING)?;
    Ok(listener)
}

/// What must not be touched: a file and a live socket, in a folder of their own, with a mode of their own.
struct Precious {
    folder: Folder,
    socket: UnixListener,
}

impl Precious {
    fn new() -> Self {
        let folder = Folder::new();
        let socket = UnixListener::bind(folder.at("live")).expect("a free path");
        fs::write(folder.at("file"), "precious").expect("a new file");
        for name in ["file", "live"] {
            fs::set_permissions(folder.at(name), fs::Permissions::from_mode(0o640)).expect("ours");
        }
        Self { folder, socket }
    }

    fn file(&self) -> PathBuf {
        self.folder.at("file")
    }

    fn live(&self) -> PathBuf {
        self.folder.at("live")
    }

    fn assert_untouched(&self) {
        assert_eq!(self.folder.names(), ["file", "live"]);
        assert_eq!(
            fs::read_to_string(self.file()).expect("still there"),
            "precious"
        );
        for path in [self.file(), self.live()] {
            let mode = fs::symlink_metadata(&path).expect("still there").mode() & 0o7777;
            assert_eq!(mode, 0o640, "{}", path.display());
        }
        // Whoever knocked meanwhile stands before him in the queue.
        let _peer = UnixStream::connect(self.live()).expect("it listens");
        self.socket.set_nonblocking(true).expect("an option");
        assert!(self.socket.accept().is_ok());
        while self.socket.accept().is_ok() {}
    }
}

#[test]
fn a_link_to_a_live_socket_is_neither_followed_nor_replaced() {
    on_private_context(|_| {
        let (precious, folder) = (Precious::new(), Folder::new());
        let link = folder.at("socket");
        for target in [precious.live(), precious.file(), precious.folder.at("new")] {
            symlink(&target, &link).expect("a new link");
            assert_fails(at(&link).map(drop), E::AddressInUse);
            assert_eq!(fs::read_link(&link).expect("a link"), target);
            assert_eq!(folder.names(), ["socket"]);
            precious.assert_untouched();
            fs::remove_file(&link).expect("a link");
        }
        at(&link).expect("nothing is in the way any more");
    });
}

/// Between the look at the path and bind(2), which is when the event is told.
#[test]
fn a_link_that_is_put_there_before_the_bind_is_not_followed() {
    on_private_context(|_| {
        let (precious, folder) = (Precious::new(), Folder::new());
        let path = folder.at("socket");
        for target in [precious.live(), precious.file(), precious.folder.at("new")] {
            let listener = SocketListener::new();
            let (link, to) = (path.clone(), target.clone());
            listener.connect_event(move |_, event, _| {
                if event == Event::Binding {
                    symlink(&to, &link).expect("nothing is there");
                }
            });
            let added = listener.add_unix_path(&path, &UnixPathOptions::default(), NOTHING);
            assert_fails(added, E::AddressInUse);
            assert_eq!(fs::read_link(&path).expect("a link"), target);
            precious.assert_untouched();
            fs::remove_file(&path).expect("a link");
        }
    });
}

/// Between bind(2) and listen(2), and while it listens.
#[test]
fn a_link_that_takes_the_place_of_ours_is_not_removed_and_not_followed() {
    on_private_context(|_| {
        let (precious, folder) = (Precious::new(), Folder::new());
        let path = folder.at("socket");
        for target in [precious.live(), precious.file(), precious.folder.at("new")] {
            for while_it_listens in [false, true] {
                let replace = {
                    let (path, target) = (path.clone(), target.clone());
                    move || {
                        fs::remove_file(&path).expect("ours");
                        symlink(&target, &path).expect("a new link");
                    }
                };
                let listener = SocketListener::new();
                if !while_it_listens {
                    let replace = replace.clone();
                    listener.connect_event(move |_, event, _| {
                        if event == Event::Bound {
                            replace();
                        }
                    });
                }
                listener
                    .add_unix_path(&path, &UnixPathOptions::default(), NOTHING)
                    .expect("a free path");
                if while_it_listens {
                    replace();
                }
                listener.close();
                assert_eq!(fs::read_link(&path).expect("a link"), target);
                precious.assert_untouched();
                fs::remove_file(&path).expect("a link");
            }
        }
    });
}

/// A thread that swaps what stands there, as fast as it can: what is outside of the folder stays as it is, and whoever gets the
/// path has a socket of his own there.
#[test]
fn one_who_swaps_the_path_all_the_time_reaches_nothing_outside() {
    /// How often the path is asked for, and how often it was swapped at least meanwhile.
    const TIMES: usize = 300;
    on_private_context_within(LIMIT * 3, |_| {
        let (precious, folder) = (Precious::new(), Folder::new());
        let path = folder.at("socket");
        let is_over = Arc::new(AtomicBool::new(false));
        let swaps = Arc::new(AtomicUsize::new(0));
        let swapper = thread::spawn({
            let (is_over, swaps) = (is_over.clone(), swaps.clone());
            let (path, beside) = (path.clone(), folder.at("beside"));
            let targets = [precious.live(), precious.file(), precious.folder.at("new")];
            move || {
                for number in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    match number % 5 {
                        // A socket that is dead.
                        0 => drop(UnixListener::bind(&beside)),
                        1..=3 => drop(symlink(&targets[number % 5 - 1], &beside)),
                        _ => {}
                    }
                    // In one step. The last time there is nothing.
                    if fs::rename(&beside, &path).is_err() {
                        let _ = fs::remove_file(&path);
                    }
                    swaps.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut got = 0;
        for number in 0.. {
            if number >= TIMES && swaps.load(Ordering::SeqCst) >= TIMES {
                break;
            }
            match at(&path) {
                Ok(listener) => {
                    got += 1;
                    drop(listener);
                }
                Err(failure) => {
                    let is_expected = matches!(code(&failure), E::AddressInUse | E::NotFound);
                    assert!(is_expected, "{failure:?}");
                }
            }
        }
        is_over.store(true, Ordering::SeqCst);
        swapper.join().expect("no panic");
        println!("{got} got the path");
        precious.assert_untouched();
        let _ = fs::remove_file(&path);
        at(&path).expect("nothing is in the way any more");
    });
}

/// Nobody's, as most systems have it, and a number that nobody has.
const SOMEBODY: u32 = 65534;
const ANOTHER: u32 = 54321;

/// In a folder for all, as /tmp is, a socket of another user is his, and so is his lock.
#[test]
fn in_a_folder_for_all_what_is_anothers_stays() {
    const TEST: &str = "unix_path_attacks::in_a_folder_for_all_what_is_anothers_stays";
    if let Some(path) = children::part("takes") {
        return on_private_context(move |_| {
            // SAFETY: no pointers involved. The process does nothing else.
            assert_eq!(unsafe { libc::setuid(ANOTHER) }, 0);
            let taken = at(Path::new(&path))
                .map(drop)
                .map_err(|failure| code(&failure));
            children::say(&format!("{taken:?}"));
        });
    }
    on_private_context(|_| {
        let folder = Folder::new();
        // SAFETY: never fails.
        let is_root = unsafe { libc::geteuid() } == 0;
        if !is_root {
            // Nobody but root can be two users: what can be seen of one is that the folder's bits do not matter.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).expect("ours");
            return drop(at(&folder.at("socket")).expect("a free path"));
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).expect("ours");
        let owned = |path: &Path, owner| std::os::unix::fs::lchown(path, Some(owner), None);
        let takes = |path: &Path| {
            let path = path.to_str().expect("text");
            Process::start(TEST, "takes", path).hear()
        };
        // A socket that nobody listens on, of somebody else.
        let stale = folder.at("stale");
        drop(UnixListener::bind(&stale).expect("a free path"));
        children::none_starting();
        owned(&stale, SOMEBODY).expect("root may");
        fs::set_permissions(&stale, fs::Permissions::from_mode(0o666)).expect("root may");
        let before = fs::symlink_metadata(&stale).expect("there").ino();
        assert_eq!(takes(&stale), "Err(PermissionDenied)");
        assert_eq!(fs::symlink_metadata(&stale).expect("there").ino(), before);
        // A lock that somebody has put there.
        fs::write(folder.at("locked.lock"), "").expect("a new file");
        owned(&folder.at("locked.lock"), SOMEBODY).expect("root may");
        assert_eq!(takes(&folder.at("locked")), "Err(PermissionDenied)");
        assert!(folder.at("locked.lock").exists() && !folder.at("locked").exists());
        // A link of somebody's, which the kernel may even refuse to look through.
        let precious = Precious::new();
        symlink(precious.live(), folder.at("link")).expect("a new link");
        owned(&folder.at("link"), SOMEBODY).expect("root may");
        assert_eq!(takes(&folder.at("link")), "Err(AddressInUse)");
        precious.assert_untouched();
        // What is nobody's is there to be taken, and is given up again.
        assert_eq!(takes(&folder.at("free")), "Ok(())");
        assert!(!folder.at("free").exists());
    });
}

/// One that was opened would wait for another end, or be a lock for nobody.
#[test]
fn what_stands_where_the_lock_is_to_be_and_is_no_file_keeps_us_from_the_path() {
    on_private_context(|_| {
        let folder = Folder::new();
        let (path, lock) = (folder.at("socket"), folder.at("socket.lock"));
        let name = std::ffi::CString::new(lock.as_os_str().as_encoded_bytes()).expect("no NUL");
        // SAFETY: a string that ends.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert_fails(at(&path).map(drop), E::AddressInUse);
        assert_eq!(folder.names(), ["socket.lock"]);
        fs::remove_file(&lock).expect("a pipe");
        at(&path).expect("nothing is in the way any more");
    });
}
