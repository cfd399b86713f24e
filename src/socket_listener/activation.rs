//! Sockets that a service manager has made, and has left in this process: socket activation as systemd has it.
//!
//! Descriptors from 3 on are this process' if `LISTEN_PID` says so; `LISTEN_FDS` is how many, and `LISTEN_FDNAMES` what they
//! are called. They are looked at once in the life of a process, and each of them can be had once: what is left is left
//! for the next one who asks. A child that is forked has none of them. The variables stay where they are, since to change them is not safe while there are other
//! threads; a child that inherits them has another process id.

#![allow(unsafe_code, reason = "descriptors that somebody else has made")]

use std::{
    ffi::OsString,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use gio::{prelude::*, subclass::prelude::*};

use super::{SocketListener, listening::Listening};
use crate::{error, fork::Birthplace, transport::options};

/// The first of the descriptors.
const FIRST: RawFd = 3;

/// What one without a name is called, as by systemd.
const UNKNOWN: &str = "unknown";

/// A socket that a service manager has made.
#[derive(Clone, Debug)]
#[doc(alias = "sd_listen_fds_with_names")]
pub struct ActivatedSocket {
    /// What the unit calls it, in `FileDescriptorName=`; without that the name of the unit. `unknown` where there are
    /// no names.
    pub name: String,
    /// Where it listens: connections that came through it have this for their local address, but for sockets that listen
    /// everywhere, where the port alone is the same.
    pub address: gio::SocketAddress,
}

/// A descriptor that nobody has had yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    fd: RawFd,
    name: String,
}

/// Those that are left, once they were looked at in this process.
static LEFT: Mutex<Option<(Birthplace, Vec<Left>)>> = Mutex::new(None);

/// Those of that name, or all, as sockets that are this process' own from now on.
///
/// # Errors
///
/// `InvalidArgument` when the variables contradict themselves or what is there, or one of the descriptors does not
/// listen; nothing is taken then.
fn take(name: Option<&str>) -> Result<Vec<(ActivatedSocket, gio::Socket)>, glib::Error> {
    let taken = take_descriptors(name)?;
    let mut sockets = Vec::with_capacity(taken.len());
    for Left { fd, name } in taken {
        // SAFETY: open, as was seen, and handed to this process by the manager; nobody gets it twice.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let socket = gio::Socket::from_fd(fd)?;
        let address = socket.local_address()?;
        sockets.push((ActivatedSocket { name, address }, socket));
    }
    Ok(sockets)
}

pub(super) fn add_systemd_sockets(
    listener: &SocketListener,
    name: Option<&str>,
    source_object: Option<&glib::Object>,
) -> Result<Vec<ActivatedSocket>, glib::Error> {
    let imp = listener.imp();
    imp.sockets.check_open()?;
    let (told, more): (Vec<_>, Vec<_>) = take(name)?
        .into_iter()
        .map(|(told, socket)| (told, Listening::new(&socket, source_object, false)))
        .unzip();
    if !more.is_empty() {
        imp.sockets.add(&more)?;
        imp.changed();
    }
    Ok(told)
}

fn left() -> MutexGuard<'static, Option<(Birthplace, Vec<Left>)>> {
    // Exchanged whole: a panic leaves nothing half done.
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_descriptors(name: Option<&str>) -> Result<Vec<Left>, glib::Error> {
    let mut left = left();
    let known = match left.take() {
        Some((birthplace, known)) if !birthplace.is_elsewhere() => known,
        _ => {
            let found = read(|name| std::env::var_os(name), std::process::id())?;
            keep_from_children(&found)?;
            found
        }
    };
    let (taken, rest): (Vec<_>, Vec<_>) = known
        .iter()
        .cloned()
        .partition(|one| name.is_none_or(|name| name == one.name));
    let usable = taken.iter().try_for_each(listens);
    let rest = if usable.is_ok() { rest } else { known };
    *left = Some((Birthplace::here(), rest));
    usable.map(|()| taken)
}

/// What the variables say. Nothing, without an error, when there are none or they are for another process.
fn read(
    variable: impl Fn(&str) -> Option<OsString>,
    process: u32,
) -> Result<Vec<Left>, glib::Error> {
    let number = |name: &str| match variable(name) {
        None => Ok(None),
        Some(text) => match text.to_str().and_then(decimal) {
            Some(number) => Ok(Some(number)),
            None => Err(error::invalid(&format!(
                "{name} is not a number: {}",
                text.display()
            ))),
        },
    };
    if number("LISTEN_PID")? != Some(process) {
        // What the others say is somebody else's business.
        return Ok(Vec::new());
    }
    let Some(count) = number("LISTEN_FDS")? else {
        return Ok(Vec::new());
    };
    let names = match variable("LISTEN_FDNAMES") {
        None => None,
        Some(names) => Some(names.into_string().map_err(|names| {
            error::invalid(&format!("LISTEN_FDNAMES is not text: {}", names.display()))
        })?),
    };
    let mut names = names.as_deref().map(|names| names.split(':'));
    let mut found = Vec::new();
    for at in 0..count {
        let fd = RawFd::try_from(at)
            .ok()
            .and_then(|at| FIRST.checked_add(at))
            .filter(|fd| is_open(*fd));
        // Whoever says that there are two billion is found out at the first that is not.
        let Some(fd) = fd else {
            return Err(error::invalid(&format!(
                "LISTEN_FDS is {count}, and there are {at} descriptors from {FIRST} on"
            )));
        };
        let name = match &mut names {
            None => UNKNOWN,
            Some(names) => names
                .next()
                .ok_or_else(|| error::invalid("LISTEN_FDNAMES has fewer names than LISTEN_FDS"))?,
        };
        let name = name.to_owned();
        found.push(Left { fd, name });
    }
    if names.is_some_and(|mut names| names.next().is_some()) {
        return Err(error::invalid(
            "LISTEN_FDNAMES has more names than LISTEN_FDS",
        ));
    }
    Ok(found)
}

/// Digits and nothing else, for a number that a process can have of anything; not 0.
fn decimal(text: &str) -> Option<u32> {
    // parse() takes a sign too.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number > 0)
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: no pointers involved.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Programs that are started later get none of them, whether or not anybody here asks for them.
fn keep_from_children(found: &[Left]) -> Result<(), glib::Error> {
    for Left { fd, .. } in found {
        // SAFETY: no pointers involved.
        if unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(error::from_errno(error::last_errno()));
        }
    }
    Ok(())
}

fn listens(one: &Left) -> Result<(), glib::Error> {
    let Left { fd, name } = one;
    let wrong = |what| Err(error::invalid(&format!("Descriptor {fd} ({name}) {what}")));
    match options::get_int(*fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) {
        Ok(0) => wrong("is a socket that does not listen"),
        Ok(_) => Ok(()),
        Err(libc::EBADF) => wrong("has been closed"),
        Err(_) => wrong("is not a socket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(variables: &[(&str, &str)]) -> Result<Vec<Left>, String> {
        let variable = |asked: &str| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| OsString::from(value))
        };
        read(variable, 4711).map_err(|failure| {
            assert_eq!(
                failure.kind::<gio::IOErrorEnum>(),
                Some(gio::IOErrorEnum::InvalidArgument)
            );
            failure.message().to_owned()
        })
    }

    #[test]
    fn without_variables_or_with_those_of_another_process_there_is_nothing() {
        for variables in [
            &[][..],
            &[("LISTEN_FDS", "1")],
            &[("LISTEN_PID", "4711")],
            &[("LISTEN_PID", "4712"), ("LISTEN_FDS", "900000")],
            &[("LISTEN_FDNAMES", "a:b")],
        ] {
            assert_eq!(read_of(variables), Ok(Vec::new()), "{variables:?}");
        }
    }

    #[test]
    fn variables_that_make_no_sense_are_an_error_that_says_which() {
        for (variables, says) in [
            (("me", "1", None), "LISTEN_PID is not a number: me"),
            (("", "1", None), "LISTEN_PID is not a number: "),
            (("+4711", "1", None), "LISTEN_PID is not a number: +4711"),
            (("4711", "-1", None), "LISTEN_FDS is not a number: -1"),
            (("4711", "0", None), "LISTEN_FDS is not a number: 0"),
            (("4711", "1 ", None), "LISTEN_FDS is not a number: 1 "),
            (
                ("4711", "99999999999", None),
                "LISTEN_FDS is not a number: 99999999999",
            ),
        ] {
            let (process, count, names): (&str, &str, Option<&str>) = variables;
            let mut given = vec![("LISTEN_PID", process), ("LISTEN_FDS", count)];
            given.extend(names.map(|names| ("LISTEN_FDNAMES", names)));
            assert_eq!(read_of(&given), Err(says.to_owned()));
        }
    }

    #[test]
    fn more_descriptors_than_there_are_is_an_error_at_once() {
        let given = [("LISTEN_PID", "4711"), ("LISTEN_FDS", "4294967295")];
        let failure = read_of(&given).expect_err("nobody has as many");
        assert!(
            failure.starts_with("LISTEN_FDS is 4294967295, and there are "),
            "{failure}"
        );
    }

    /// Somebody may have closed it since it was looked at.
    #[test]
    fn what_is_not_open_cannot_be_kept_from_children() {
        let left = Left {
            fd: RawFd::MAX,
            name: UNKNOWN.to_owned(),
        };
        let failure = keep_from_children(&[left]).unwrap_err();
        assert_eq!(
            failure.kind::<gio::IOErrorEnum>(),
            Some(gio::IOErrorEnum::Failed)
        );
    }
}
