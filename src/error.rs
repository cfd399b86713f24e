//! errno to `glib::Error`: the only mapping of the crate.

#![allow(unsafe_code, reason = "asks GIO for its own tables")]

use std::{borrow::Cow, ffi::CStr, io};

use glib::translate::from_glib;

/// The code GIO gives `errno`, as the newest GLib answers on every GLib.
pub(crate) fn code(errno: i32) -> gio::IOErrorEnum {
    // GLib before 2.82 has no case for it and answers FAILED.
    if errno == libc::EADDRNOTAVAIL {
        return gio::IOErrorEnum::ConnectionRefused;
    }
    // Its newest code is newer than the oldest GLib's callers.
    if errno == libc::EDESTADDRREQ {
        return gio::IOErrorEnum::Failed;
    }
    // SAFETY: a pure function of its argument.
    let code = unsafe { gio::ffi::g_io_error_from_errno(errno) };
    // SAFETY: the value comes from GIO itself; unknown ones have a variant of their own.
    unsafe { from_glib(code) }
}

/// The error for `errno` with the system's bare text, as GIO words a failed connect.
pub(crate) fn from_errno(errno: i32) -> glib::Error {
    glib::Error::new(code(errno), &text(errno))
}

/// The error for `errno` after a phrase that says what was tried.
pub(crate) fn prefixed(what: &str, errno: i32) -> glib::Error {
    glib::Error::new(code(errno), &format!("{what}: {}", text(errno)))
}

/// The errno that the last system call of this thread left behind.
pub(crate) fn last_errno() -> i32 {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

/// `G_IO_ERROR_CONNECTION_CLOSED`, which shares its number with `BROKEN_PIPE`.
pub(crate) const CONNECTION_CLOSED: gio::IOErrorEnum = gio::IOErrorEnum::BrokenPipe;

pub(crate) fn closed() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "Socket is already closed")
}

pub(crate) fn listener_closed() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "Listener is already closed")
}

/// Whoever would take connections beside a service that runs.
pub(crate) fn served() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::Pending,
        "The service takes its connections itself while it is active",
    )
}

pub(crate) fn stream_closed() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Closed, "Stream is already closed")
}

/// What a child process gets from a connection of its parent's.
pub(crate) fn forked() -> glib::Error {
    failed("The connection was made before a fork, by the parent process")
}

pub(crate) fn cancelled() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Cancelled, "Operation was cancelled")
}

pub(crate) fn timed_out() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::TimedOut, "Socket I/O timed out")
}

/// What waits in a main context has to be on the thread that owns it.
pub(crate) fn not_owned() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "The thread does not own its main context, so that nothing can wait here",
    )
}

/// What lies over the socket, TLS or whatever it is, would be torn.
pub(crate) fn overlaid() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "The bytes of this connection's socket belong to its base stream",
    )
}

pub(crate) fn not_connected() -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::NotConnected, "Socket is not connected")
}

pub(crate) fn invalid(message: &str) -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::InvalidArgument, message)
}

/// What an operation answers whose code panicked, or that was dropped before it could answer.
pub(crate) fn failed(message: &str) -> glib::Error {
    glib::Error::new(gio::IOErrorEnum::Failed, message)
}

/// What is said where a thread cannot be made.
pub(crate) fn no_thread(failure: &io::Error) -> glib::Error {
    match failure.raw_os_error() {
        // There is one less than is needed, and nothing that would block.
        None | Some(libc::EAGAIN) => failed(&format!("A thread cannot be made: {failure}")),
        Some(errno) => prefixed("A thread cannot be made", errno),
    }
}

/// The same error for the traits of `futures::io`, which keeps it as its source.
pub(crate) fn into_io(failure: glib::Error) -> io::Error {
    use gio::IOErrorEnum as E;
    let kind = match failure.kind::<E>() {
        Some(E::TimedOut) => io::ErrorKind::TimedOut,
        Some(E::Closed | E::NotConnected) => io::ErrorKind::NotConnected,
        Some(E::ConnectionRefused) => io::ErrorKind::ConnectionRefused,
        Some(E::NotSupported) => io::ErrorKind::Unsupported,
        Some(E::InvalidArgument) => io::ErrorKind::InvalidInput,
        Some(E::PermissionDenied) => io::ErrorKind::PermissionDenied,
        Some(E::HostUnreachable) => io::ErrorKind::HostUnreachable,
        Some(E::NetworkUnreachable) => io::ErrorKind::NetworkUnreachable,
        // One number for both; what has no kind of its own is a broken pipe to a writer.
        Some(CONNECTION_CLOSED) => io::ErrorKind::ConnectionReset,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure)
}

/// The other way round, for what the traits of `futures::io` answer.
pub(crate) fn from_io(failure: io::Error) -> glib::Error {
    use gio::IOErrorEnum as E;
    if let Some(errno) = failure.raw_os_error() {
        return from_errno(errno);
    }
    let (kind, message) = (failure.kind(), failure.to_string());
    let inner = failure
        .into_inner()
        .map(|inner| inner.downcast::<glib::Error>());
    if let Some(Ok(known)) = inner {
        return *known;
    }
    let code = match kind {
        io::ErrorKind::TimedOut => E::TimedOut,
        io::ErrorKind::WouldBlock => E::WouldBlock,
        io::ErrorKind::NotConnected => E::NotConnected,
        io::ErrorKind::ConnectionRefused => E::ConnectionRefused,
        io::ErrorKind::Unsupported => E::NotSupported,
        io::ErrorKind::InvalidInput => E::InvalidArgument,
        io::ErrorKind::InvalidData => E::InvalidData,
        io::ErrorKind::NotFound => E::NotFound,
        io::ErrorKind::PermissionDenied => E::PermissionDenied,
        io::ErrorKind::HostUnreachable => E::HostUnreachable,
        io::ErrorKind::NetworkUnreachable => E::NetworkUnreachable,
        io::ErrorKind::StorageFull => E::NoSpace,
        // An end where there should be none is how TLS without its last words ends.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::WriteZero
        | io::ErrorKind::UnexpectedEof => CONNECTION_CLOSED,
        _ => E::Failed,
    };
    glib::Error::new(code, &message)
}

/// What belongs to one thread, on another one.
pub(crate) fn elsewhere() -> glib::Error {
    glib::Error::new(
        gio::IOErrorEnum::NotSupported,
        "The stream can be used on the thread that made it only",
    )
}

fn text(errno: i32) -> Cow<'static, str> {
    // SAFETY: any number has a text.
    let text = unsafe { glib::ffi::g_strerror(errno) };
    // SAFETY: texts that are never freed.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_has_gios_code_but_for_those_newer_glib_changed() {
        for errno in 1..200 {
            if errno == libc::EADDRNOTAVAIL {
                assert_eq!(code(errno), gio::IOErrorEnum::ConnectionRefused);
                continue;
            }
            if errno == libc::EDESTADDRREQ {
                assert_eq!(code(errno), gio::IOErrorEnum::Failed);
                continue;
            }
            // SAFETY: a pure function.
            let theirs = unsafe { gio::ffi::g_io_error_from_errno(errno) };
            let ours = from_errno(errno);
            assert!(ours.is::<gio::IOErrorEnum>());
            // SAFETY: reads a plain field of a live GError.
            let number = unsafe { (*ours.as_ptr()).code };
            assert_eq!(number, theirs, "errno {errno}");
        }
    }

    #[test]
    fn codes_that_callers_match_on_are_the_documented_numbers() {
        use gio::IOErrorEnum as E;
        for (errno, expected) in [
            (libc::ECONNREFUSED, E::ConnectionRefused),
            (libc::ECONNRESET, CONNECTION_CLOSED),
            (libc::EPIPE, E::BrokenPipe),
            (libc::ENOTCONN, E::NotConnected),
            (libc::ETIMEDOUT, E::TimedOut),
            (libc::EHOSTUNREACH, E::HostUnreachable),
            (libc::ENETUNREACH, E::NetworkUnreachable),
            (libc::EAGAIN, E::WouldBlock),
            (libc::EADDRINUSE, E::AddressInUse),
            (libc::EMSGSIZE, E::MessageTooLarge),
            (libc::EACCES, E::PermissionDenied),
            (libc::EMFILE, E::TooManyOpenFiles),
            (libc::EINVAL, E::InvalidArgument),
            (libc::EISCONN, E::Failed),
            (libc::EALREADY, E::Failed),
        ] {
            assert_eq!(code(errno), expected, "errno {errno}");
        }
    }

    #[test]
    fn messages_are_the_systems_text_without_decoration() {
        assert_eq!(
            from_errno(libc::ECONNREFUSED).message(),
            "Connection refused"
        );
        assert_eq!(
            prefixed("Error sending data", libc::EPIPE).message(),
            "Error sending data: Broken pipe"
        );
    }
}
