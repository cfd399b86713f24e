//! Whether bytes are one JSON text.

/// How many arrays and objects may stand in each other.
pub(super) const MOST_DEPTH: u32 = 128;

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotUtf8,
    Syntax,
    TooDeep,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    /// Or the end of the array, which has just begun.
    FirstValue,
    Name,
    /// Or the end of the object, which has just begun.
    FirstName,
    Colon,
    /// A comma, or the end of what it is in.
    Comma,
}

/// Checks the grammar of RFC 8259; what the text says is not looked at. Escapes of lone surrogates and names that come
/// twice are within the grammar, a byte order mark is not.
pub(super) fn check(text: &[u8]) -> Result<(), Flaw> {
    if std::str::from_utf8(text).is_err() {
        return Err(Flaw::NotUtf8);
    }
    // A bit for each level that is open: whether it is an object. The innermost is the lowest.
    let (mut objects, mut depth) = (0_u128, 0_u32);
    let mut next = Next::Value;
    let mut rest = text;
    loop {
        rest = after_blanks(rest);
        let Some((&byte, after)) = rest.split_first() else {
            let is_whole = depth == 0 && next == Next::Comma;
            return if is_whole { Ok(()) } else { Err(Flaw::Syntax) };
        };
        let in_object = depth > 0 && objects & 1 == 1;
        match (next, byte) {
            (Next::Value | Next::FirstValue, b'{' | b'[') => {
                if depth == MOST_DEPTH {
                    return Err(Flaw::TooDeep);
                }
                depth += 1;
                objects = objects << 1 | u128::from(byte == b'{');
                next = if byte == b'{' {
                    Next::FirstName
                } else {
                    Next::FirstValue
                };
                rest = after;
            }
            (Next::FirstName, b'}') | (Next::FirstValue, b']') => {
                (objects, depth, next, rest) = (objects >> 1, depth - 1, Next::Comma, after);
            }
            (Next::Comma, b'}') if in_object => {
                (objects, depth, rest) = (objects >> 1, depth - 1, after);
            }
            (Next::Comma, b']') if depth > 0 && !in_object => {
                (objects, depth, rest) = (objects >> 1, depth - 1, after);
            }
            (Next::Comma, b',') if depth > 0 => {
                next = if in_object { Next::Name } else { Next::Value };
                rest = after;
            }
            (Next::Name | Next::FirstName, b'"') => {
                rest = after_string(after).ok_or(Flaw::Syntax)?;
                next = Next::Colon;
            }
            (Next::Colon, b':') => (next, rest) = (Next::Value, after),
            (Next::Value | Next::FirstValue, _) => {
                rest = after_scalar(rest).ok_or(Flaw::Syntax)?;
                next = Next::Comma;
            }
            _ => return Err(Flaw::Syntax),
        }
    }
}

/// Whether there is nothing but what JSON has between its tokens.
pub(super) fn is_blank(text: &[u8]) -> bool {
    after_blanks(text).is_empty()
}

fn after_blanks(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let count = text.iter().take_while(|byte| is_blank(byte)).count();
    &text[count..]
}

fn after_scalar(text: &[u8]) -> Option<&[u8]> {
    match text.first()? {
        b'"' => after_string(&text[1..]),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        b'n' => text.strip_prefix(b"null"),
        _ => after_number(text),
    }
}

/// `text` begins after the quotation mark.
fn after_string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let plain = text
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        let (special, rest) = text[plain..].split_first()?;
        text = match special {
            b'"' => return Some(rest),
            b'\\' => after_escape(rest)?,
            // A control character has to be escaped.
            _ => return None,
        };
    }
}

fn after_escape(text: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = text.split_first()?;
    match kind {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(rest),
        b'u' => {
            let (digits, rest) = rest.split_at_checked(4)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)
        }
        _ => None,
    }
}

fn after_number(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = match text.strip_prefix(b"0") {
        Some(rest) => rest,
        None => after_digits(text)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = after_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        rest = after_digits(exponent)?;
    }
    Some(rest)
}

/// After at least one of them.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}
