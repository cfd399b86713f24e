//! What a right client makes of what a proxy says after its requests, as the protocols have it: RFC 1928, RFC 1929, and
//! the description of SOCKS 4. Where they leave something open, or a wrong answer could have more than one code, it is as GIO
//! has it.

use gio::IOErrorEnum as E;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A connection, on which this is read until the end.
    Connection(Vec<u8>),
    /// One of these.
    Failure(&'static [E]),
}

/// What is left when the proxy has gone: an end of file where more had to come, or a reset.
pub(crate) const GONE: Expected = Expected::Failure(&[E::BrokenPipe, E::ProxyFailed]);
pub(crate) const REFUSED: Expected = Expected::Failure(&[E::ProxyFailed]);

/// What a right client makes of what comes after its request.
pub(crate) fn socks4(said: &[u8]) -> Expected {
    match said {
        [0, 90, _, _, _, _, _, _, far @ ..] => Expected::Connection(far.to_vec()),
        [_, _, _, _, _, _, _, _, ..] => REFUSED,
        _ => GONE,
    }
}

pub(crate) fn socks5_method(said: &[u8], has_login: bool) -> Result<(), Expected> {
    match said {
        [5, 0] => Ok(()),
        [5, 2] if has_login => Ok(()),
        [5, _] => Err(Expected::Failure(&[E::ProxyNeedAuth, E::ProxyAuthFailed])),
        [_, _] => Err(REFUSED),
        _ => Err(GONE),
    }
}

pub(crate) fn socks5_login(said: &[u8]) -> Result<(), Expected> {
    match said {
        [1, 0] => Ok(()),
        [_, _] => Err(Expected::Failure(&[E::ProxyAuthFailed])),
        _ => Err(GONE),
    }
}

pub(crate) fn socks5(said: &[u8]) -> Expected {
    let Some((head, rest)) = said.split_first_chunk::<4>() else {
        return GONE;
    };
    match head {
        [5, 0, 0, _] => {}
        [5, 2, ..] => return Expected::Failure(&[E::ProxyNotAllowed]),
        [5, 3, ..] => return Expected::Failure(&[E::NetworkUnreachable]),
        [5, 4 | 6, ..] => return Expected::Failure(&[E::HostUnreachable]),
        [5, 5, ..] => return Expected::Failure(&[E::ConnectionRefused]),
        _ => return REFUSED,
    }
    let length = match (head[3], rest) {
        (1, _) => 4,
        (3, [length, ..]) => 1 + usize::from(*length),
        (3, []) => return GONE,
        (4, _) => 16,
        _ => return REFUSED,
    };
    match rest.get(length + 2..) {
        Some(far) => Expected::Connection(far.to_vec()),
        None => GONE,
    }
}

/// An answer to CONNECT: the status of its first line, and behind an empty line what comes from afar.
pub(crate) fn http(said: &[u8], has_login: bool) -> Expected {
    // To C, a text ends where there is a zero, and so does the search for the empty line.
    let text = said.split(|byte| *byte == 0).next().unwrap_or_default();
    let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
        return GONE;
    };
    let Some([b'0' | b'1', status @ ..]) = text.strip_prefix(b"HTTP/1.") else {
        return REFUSED;
    };
    // As scanf(3) reads a number.
    let blanks = status
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
    let status = &status[blanks.count()..];
    let status = status.strip_prefix(b"+").unwrap_or(status);
    let digits = status.iter().take_while(|byte| byte.is_ascii_digit());
    let status = digits.fold(0_u32, |all, digit| {
        all.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    });
    match status {
        200..=299 => Expected::Connection(said[end + 4..].to_vec()),
        403 => Expected::Failure(&[E::ProxyNotAllowed]),
        407 if has_login => Expected::Failure(&[E::ProxyAuthFailed]),
        407 => Expected::Failure(&[E::ProxyNeedAuth]),
        _ => REFUSED,
    }
}
