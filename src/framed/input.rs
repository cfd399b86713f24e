//! What was read, and the frames in it: nothing here reads.

use glib::Bytes;

use super::format::{Format, find_line_end, too_large};

const FIRST_CHUNK: usize = 4 * 1024;
const MOST_CHUNK: usize = 64 * 1024;
/// Below that a copy costs less than what the slice would keep in memory.
const LEAST_SLICE: usize = 4 * 1024;

/// What a reader wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    Frame,
    Exactly(usize),
}

/// What there is for a reader.
#[derive(Debug)]
pub(super) enum Found {
    Frame(Bytes),
    Failure(glib::Error),
    /// Of the stream, between two frames.
    End,
    More(More),
}

/// What has to be read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More {
    /// So many bytes belong to what is wanted in any case.
    pub(super) sure: usize,
    /// The end of what is wanted is the end of a line.
    pub(super) is_line: bool,
}

/// What of a frame that was too large is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    Line,
    Bytes(u64),
}

#[derive(Debug)]
enum Store {
    Own(Vec<u8>),
    /// Frames have been made of it.
    Shared(Bytes),
}

/// Bytes from the stream that nobody has got yet.
#[derive(Debug)]
pub(super) struct Input {
    store: Store,
    start: usize,
    end: usize,
    /// So many of them have no line end.
    searched: usize,
    skip: Skip,
    /// How much is read at a time.
    chunk: usize,
    has_ended: bool,
    /// So many bytes that are still in the stream are known to be of this line.
    pub(super) seen: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            store: Store::Own(Vec::new()),
            start: 0,
            end: 0,
            searched: 0,
            skip: Skip::Nothing,
            chunk: FIRST_CHUNK,
            has_ended: false,
            seen: 0,
        }
    }
}

impl Input {
    fn bytes(&self) -> &[u8] {
        let all = match &self.store {
            Store::Own(all) => &all[..],
            Store::Shared(all) => all,
        };
        &all[self.start..self.end]
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.searched = 0;
    }

    /// The first bytes, for good.
    fn take(&mut self, count: usize) -> Bytes {
        let range = self.start..self.start + count;
        let is_worth_it = match &self.store {
            Store::Own(all) => count >= LEAST_SLICE && count >= all.len() / 4,
            Store::Shared(_) => count >= LEAST_SLICE,
        };
        let taken = if is_worth_it {
            let all = match std::mem::replace(&mut self.store, Store::Own(Vec::new())) {
                Store::Own(all) => Bytes::from_owned(all),
                Store::Shared(all) => all,
            };
            let taken = Bytes::from_bytes(&all, range);
            self.store = Store::Shared(all);
            taken
        } else {
            Bytes::from(&self.bytes()[..count])
        };
        self.consume(count);
        taken
    }

    /// All that was read and not given to anybody; what was known of it is forgotten.
    pub(super) fn take_all(&mut self) -> Bytes {
        let taken = self.take(self.len());
        (self.skip, self.seen) = (Skip::Nothing, 0);
        taken
    }

    /// The next one of what is wanted, as far as the bytes go.
    pub(super) fn find(&mut self, want: Want, format: &Format, most: u64) -> Found {
        if let Some(found) = self.go_on_skipping() {
            return found;
        }
        match want {
            Want::Exactly(count) => self.find_exactly(count, most),
            Want::Frame if format.is_line() => self.find_line(format, most),
            Want::Frame => self.find_prefixed(format, most),
        }
    }

    fn go_on_skipping(&mut self) -> Option<Found> {
        match self.skip {
            Skip::Nothing => return None,
            Skip::Line => match find_line_end(self.bytes()) {
                Some(end) => {
                    self.consume(end + 1);
                    self.skip = Skip::Nothing;
                }
                None => self.consume(self.len()),
            },
            Skip::Bytes(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.len());
                self.consume(count);
                self.skip = match left - count as u64 {
                    0 => Skip::Nothing,
                    left => Skip::Bytes(left),
                };
            }
        }
        let sure = match self.skip {
            Skip::Nothing => return None,
            Skip::Line => 1,
            Skip::Bytes(left) => usize::try_from(left).unwrap_or(usize::MAX).min(MOST_CHUNK),
        };
        Some(self.more(sure, self.skip == Skip::Line))
    }

    /// At the end of the stream there is none.
    fn more(&mut self, sure: usize, is_line: bool) -> Found {
        if !self.has_ended {
            return Found::More(More { sure, is_line });
        }
        self.skip = Skip::Nothing;
        self.consume(self.len());
        Found::Failure(glib::Error::new(
            gio::IOErrorEnum::PartialInput,
            "The stream has ended inside of a frame",
        ))
    }

    fn find_exactly(&mut self, count: usize, most: u64) -> Found {
        if count as u64 > most {
            return Found::Failure(too_large());
        }
        match count.checked_sub(self.len()) {
            None | Some(0) => Found::Frame(self.take(count)),
            Some(missing) => self.more(missing, false),
        }
    }

    fn find_line(&mut self, format: &Format, most: u64) -> Found {
        loop {
            let Some(end) = find_line_end(&self.bytes()[self.searched..]) else {
                return self.wait_for_line(most);
            };
            let end = self.searched + end;
            let line = &self.bytes()[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let length = line.len();
            let checked = if length as u64 > most {
                Err(too_large())
            } else if matches!(format.framing, super::Framing::JsonLines)
                && super::json::is_blank(line)
            {
                self.consume(end + 1);
                continue;
            } else {
                format.check_received(line)
            };
            if let Err(failure) = checked {
                self.consume(end + 1);
                return Found::Failure(failure);
            }
            let frame = self.take(length);
            self.consume(end + 1 - length);
            return Found::Frame(frame);
        }
    }

    fn wait_for_line(&mut self, most: u64) -> Found {
        let length = self.len();
        self.searched = length;
        let known = length - usize::from(self.bytes().ends_with(b"\r"));
        if known as u64 > most {
            self.consume(length);
            self.skip = Skip::Line;
            return Found::Failure(too_large());
        }
        if length == 0 && self.has_ended {
            return Found::End;
        }
        self.more(1, true)
    }

    fn find_prefixed(&mut self, format: &Format, most: u64) -> Found {
        let (have, size) = (self.len(), format.prefix_size);
        if have < size {
            if have == 0 && self.has_ended {
                return Found::End;
            }
            return self.more(size - have, false);
        }
        let length = format.length(&self.bytes()[..size]);
        let wanted = usize::try_from(length)
            .ok()
            .filter(|_| length <= most)
            .and_then(|length| length.checked_add(size));
        let Some(wanted) = wanted else {
            self.consume(size);
            if length != 0 {
                self.skip = Skip::Bytes(length);
            }
            return Found::Failure(too_large());
        };
        if have < wanted {
            return self.more(wanted - have, false);
        }
        self.consume(size);
        Found::Frame(self.take(wanted - size))
    }

    /// Room for what is read next: as much as is good to read at once, or, without `reads_ahead`, not more than belongs to
    /// what is wanted in any case.
    pub(super) fn room(&mut self, more: More, reads_ahead: bool) -> &mut [u8] {
        let have = self.len();
        // A large frame gets its room as it comes, not because a prefix says so.
        let sure = more.sure.min(have.max(MOST_CHUNK));
        let least = if more.is_line && have > self.chunk {
            have
        } else if reads_ahead {
            sure.max(self.chunk)
        } else {
            sure
        };
        // Half of it will do, so that what has to be copied is no more than what has come since, in however small pieces.
        if have == 0 || self.free() < least.div_ceil(2) {
            self.make_room(least);
        }
        let end = if reads_ahead {
            usize::MAX
        } else {
            self.end + sure
        };
        match &mut self.store {
            Store::Own(all) => {
                let end = end.min(all.len());
                &mut all[self.end..end]
            }
            Store::Shared(_) => &mut [],
        }
    }

    fn size(&self) -> usize {
        match &self.store {
            Store::Own(all) => all.len(),
            Store::Shared(_) => 0,
        }
    }

    fn free(&self) -> usize {
        self.size().saturating_sub(self.end)
    }

    /// For at least so many bytes more.
    fn make_room(&mut self, least: usize) {
        let (have, size) = (self.len(), self.size());
        let is_huge = have == 0 && size > 2 * MOST_CHUNK && size > 2 * least;
        if have == 0 && !is_huge && size >= least {
            (self.start, self.end) = (0, 0);
        } else if is_huge || size < self.end + least {
            if !is_huge && size >= have + least && self.start >= have {
                // There is room before it.
                if let Store::Own(all) = &mut self.store {
                    all.copy_within(self.start..self.end, 0);
                }
            } else {
                let mut all = vec![0; have + least];
                all[..have].copy_from_slice(self.bytes());
                self.store = Store::Own(all);
            }
            (self.start, self.end) = (0, have);
        }
    }

    /// So many bytes were read into the [`room`](Self::room); none are the end of the stream.
    pub(super) fn filled(&mut self, count: usize, room: usize) {
        self.end += count;
        self.seen = self.seen.saturating_sub(count);
        if count == 0 {
            self.has_ended = true;
        } else if count == room && room >= self.chunk {
            self.chunk = (self.chunk * 2).min(MOST_CHUNK);
        }
    }

    /// Likewise for bytes that were read elsewhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.has_ended = true;
            return;
        }
        if self.free() < bytes.len() {
            self.make_room(bytes.len().max(self.len()));
        }
        if let Store::Own(all) = &mut self.store {
            all[self.end..self.end + bytes.len()].copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }
}
