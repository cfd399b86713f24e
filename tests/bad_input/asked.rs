//! What a proxy may be asked: one request, and nothing in it that is more than a name.

use std::fmt;

/// A request that is not as it should be.
pub(crate) struct Wrong<'a>(pub(crate) &'static str, pub(crate) &'a [u8]);

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.0, String::from_utf8_lossy(self.1))
    }
}

pub(crate) fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

/// `asked` is all that came until the client went; `is_made` says that it has a connection.
pub(crate) fn check<'a>(scheme: &str, asked: &'a [u8], is_made: bool) -> Result<(), Wrong<'a>> {
    let found = match scheme.split(':').next().unwrap_or(scheme) {
        "http" if !asked.is_empty() => http(asked),
        "socks4" | "socks4a" if is_made => socks4(asked),
        "socks5" if is_made => socks5(asked),
        _ => Ok(()),
    };
    found.map_err(|why| Wrong(why, asked))
}

fn http(asked: &[u8]) -> Result<(), &'static str> {
    let text = std::str::from_utf8(asked)
        .ok()
        .filter(|text| text.is_ascii());
    let text = text.ok_or("no ASCII")?;
    let lines: Vec<&str> = text.split("\r\n").collect();
    let host = lines[0].strip_prefix("CONNECT ");
    let host = host.and_then(|line| line.strip_suffix(" HTTP/1.0"));
    let host = host.ok_or("no request")?;
    if !is_name(host.as_bytes()) {
        return Err("no name");
    }
    let expected = [
        "Host: ",
        "Proxy-Connection: ",
        "User-Agent: ",
        "Proxy-Authorization: ",
    ];
    let headers = lines[1..].iter().take_while(|line| !line.is_empty());
    let count = headers.clone().count();
    let are_known = headers
        .zip(expected)
        .all(|(line, expected)| line.starts_with(expected));
    if !(3..=4).contains(&count) || !are_known || lines[1] != format!("Host: {host}") {
        return Err("another header");
    }
    match lines[1 + count..] {
        ["", ""] => Ok(()),
        _ => Err("more than a request"),
    }
}

fn socks4(asked: &[u8]) -> Result<(), &'static str> {
    let [4, 1, _, _, a, b, c, d, rest @ ..] = asked else {
        return Err("no request");
    };
    let texts: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let is_by_name = [*a, *b, *c] == [0; 3] && *d != 0;
    match (is_by_name, &texts[..]) {
        (false, [_, []]) => Ok(()),
        (true, [_, name, []]) if is_name(name) => Ok(()),
        _ => Err("more or less than a name"),
    }
}

fn socks5(asked: &[u8]) -> Result<(), &'static str> {
    let request = match asked {
        [5, 1, 0, rest @ ..] => rest,
        [5, 2, _, _, 1, user, rest @ ..] => {
            let rest = rest.get(usize::from(*user)..).ok_or("a short user")?;
            let (password, rest) = rest.split_first().ok_or("no password")?;
            rest.get(usize::from(*password)..)
                .ok_or("a short password")?
        }
        _ => return Err("no methods"),
    };
    let [5, 1, 0, kind, rest @ ..] = request else {
        return Err("no request");
    };
    let length = match (kind, rest) {
        (1, _) => 4,
        (3, [length, name @ ..]) => {
            let length = usize::from(*length);
            if !name.get(..length).is_some_and(is_name) {
                return Err("no name");
            }
            1 + length
        }
        (4, _) => 16,
        _ => return Err("no kind of address"),
    };
    if rest.len() == length + 2 {
        Ok(())
    } else {
        Err("more than a request")
    }
}
