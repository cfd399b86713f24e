//! While the peer is a proxy that is being agreed with, reads are those of somebody who speaks its protocol. GIO's do not all
//! get on with what a stream may do: come in pieces, or end.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use super::{Transport, Use, options};
use crate::error;

/// The longest read that is kept whole.
const MOST: usize = 512;

/// More than any proxy has to say by HTTP. GIO reads a million bytes, and looks through all of them after each.
const MOST_OF_HTTP: usize = 32 * 1024;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Speaker {
    /// Nobody who is known.
    Any = 1,
    /// Asks for exactly what is to come. Takes less for a wrong answer (of SOCKS 5), and does not see the end of the stream (of
    /// SOCKS 4).
    Socks,
    /// Takes the end of the stream for that of the answer.
    Http,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Agreement {
    /// A [`Speaker`], or 0 before the first agreement.
    speaker: AtomicU8,
    has_ended: AtomicBool,
    /// How many bytes were read.
    length: AtomicUsize,
    /// How many bytes the last look has found, which stay until somebody reads.
    found: AtomicUsize,
}

impl Transport {
    pub(crate) fn begin_agreement(&self, speaker: Speaker) {
        let agreement = &self.rare.get_or_init(Box::default).agreement;
        agreement.has_ended.store(false, Ordering::Relaxed);
        agreement.length.store(0, Ordering::Relaxed);
        agreement.found.store(0, Ordering::Relaxed);
        agreement.speaker.store(speaker as u8, Ordering::Relaxed);
        self.is_agreeing.store(true, Ordering::Release);
    }

    /// What is read from now on is the program's.
    pub(crate) fn end_agreement(&self) {
        let Some(agreement) = self.agreement() else {
            return;
        };
        if agreement.is_with(Speaker::Socks)
            && let Ok(using) = self.enter()
        {
            let _ = options::set(using.fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, 1);
        }
        self.is_agreeing.store(false, Ordering::Release);
    }

    /// Asked for each read: outside of agreements it costs a look at what a transfer looks at anyway.
    #[inline]
    pub(super) fn agreement(&self) -> Option<&Agreement> {
        if !self.is_agreeing.load(Ordering::Acquire) {
            return None;
        }
        Some(&self.rare.get()?.agreement)
    }
}

impl Agreement {
    fn is_with(&self, speaker: Speaker) -> bool {
        self.speaker.load(Ordering::Relaxed) == speaker as u8
    }

    /// Whether a read of `asked` bytes should wait, since nothing or only a part of them is there.
    ///
    /// # Errors
    ///
    /// What the look fails with instead of the read: the system says it once.
    pub(super) fn is_piece(
        &self,
        transport: &Transport,
        using: &Use<'_>,
        asked: usize,
    ) -> Result<bool, i32> {
        if !self.is_with(Speaker::Socks) || asked > MOST || !transport.kind.has_tcp_state() {
            return Ok(false);
        }
        if (1..=self.found.load(Ordering::Relaxed)).contains(&asked) {
            // Where the read after a look has failed for now, another look would tell the same.
            return Ok(false);
        }
        // Before the look: what comes after it makes the socket ready once it is all there, and not before.
        let lowest = asked as i32;
        if options::set(using.fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, lowest).is_err() {
            return Ok(false);
        }
        let mut scratch = [0_u8; MOST];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        loop {
            // SAFETY: at most as many bytes as there is room for.
            let there =
                unsafe { libc::recv(using.fd(), scratch.as_mut_ptr().cast(), asked, flags) };
            match usize::try_from(there) {
                Ok(there) if there == asked => {
                    self.found.store(there, Ordering::Relaxed);
                    return Ok(false);
                }
                // The end may have come behind it.
                Ok(there) => return Ok(there > 0 && !transport.is_peer_gone(using)),
                Err(_) => match error::last_errno() {
                    libc::EINTR => {}
                    // The read must not find a piece that has come in between.
                    errno if errno == libc::EAGAIN || errno == libc::EWOULDBLOCK => {
                        return Ok(true);
                    }
                    errno => return Err(errno),
                },
            }
        }
    }

    /// So many bytes were read, or the end of the stream.
    ///
    /// # Errors
    ///
    /// What is told instead of it. The end is 44, or `ProxyFailed` by HTTP; to whom nobody knows, only if he reads on.
    pub(super) fn took(&self, count: usize) -> Result<(), glib::Error> {
        let is_http = self.is_with(Speaker::Http);
        self.found.store(0, Ordering::Relaxed);
        if count > 0 {
            let before = self.length.fetch_add(count, Ordering::Relaxed);
            if is_http && before > MOST_OF_HTTP {
                return Err(glib::Error::new(
                    gio::IOErrorEnum::ProxyFailed,
                    "The proxy's answer does not end",
                ));
            }
            return Ok(());
        }
        if !self.has_ended.swap(true, Ordering::Relaxed) && self.is_with(Speaker::Any) {
            return Ok(());
        }
        let code = if is_http {
            gio::IOErrorEnum::ProxyFailed
        } else {
            error::CONNECTION_CLOSED
        };
        Err(glib::Error::new(
            code,
            "The proxy has closed the connection before it had answered",
        ))
    }
}
