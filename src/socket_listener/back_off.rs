//! How long to leave alone what fails, and what of it is worth a word.

/// On the monotonic clock, in microseconds.
type Moment = i64;

/// After the first failure.
const FIRST: Moment = 10_000;
/// At most.
const LAST: Moment = 1_000_000;

/// The wait after one of `waited`, if there was one: twice as long, from `first` on and `last` at most.
pub(crate) fn next_wait(waited: Option<Moment>, first: Moment, last: Moment) -> Moment {
    waited
        .map_or(first, |waited| waited.saturating_mul(2))
        .min(last)
}

/// Failures one after the other.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    /// How long the last wait was; none after a success.
    waited: Option<Moment>,
    /// When to try again.
    until: Option<Moment>,
    /// The failure that was told last, by domain and code.
    told: Option<(glib::Quark, i32)>,
}

impl BackOff {
    /// It has failed at `now`: it is to be tried again at [`until`](Self::until). Answers whether that is news: the
    /// first failure since it went well, or another one than before.
    pub(crate) fn failed(&mut self, now: Moment, failure: &glib::Error) -> bool {
        let wait = next_wait(self.waited, FIRST, LAST);
        self.waited = Some(wait);
        self.until = Some(now.saturating_add(wait));
        let what = (failure.domain(), failure.code());
        self.told.replace(what) != Some(what)
    }

    /// It went well.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Something has changed: it is worth a try at once. If that fails too, the waits go on growing.
    pub(crate) fn cut_short(&mut self) {
        self.until = None;
    }

    /// When to try again, if that is later than `now`.
    pub(crate) fn until(&self, now: Moment) -> Option<Moment> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> glib::Error {
        glib::Error::new(gio::IOErrorEnum::TooManyOpenFiles, "no room")
    }

    #[test]
    fn waits_double_from_ten_milliseconds_to_a_second() {
        let mut back_off = BackOff::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..10 {
            back_off.failed(now, &full());
            let until = back_off.until(now).unwrap();
            waits.push((until - now) / 1000);
            now = until;
        }
        assert_eq!(
            waits,
            [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000],
            "milliseconds"
        );
        assert_eq!(back_off.until(now), None, "the time has come");
    }

    #[test]
    fn a_success_begins_anew() {
        let mut back_off = BackOff::default();
        for _ in 0..5 {
            back_off.failed(0, &full());
        }
        back_off.succeeded();
        assert_eq!(back_off.until(0), None);
        back_off.failed(0, &full());
        assert_eq!(back_off.until(0), Some(FIRST));
    }

    #[test]
    fn the_same_failure_again_is_no_news_and_another_one_is() {
        let mut back_off = BackOff::default();
        assert!(back_off.failed(0, &full()));
        assert!(!back_off.failed(1, &full()));
        let other = glib::Error::new(gio::IOErrorEnum::Failed, "something else");
        assert!(back_off.failed(2, &other));
        assert!(!back_off.failed(3, &other));
        back_off.succeeded();
        assert!(back_off.failed(4, &other));
    }

    #[test]
    fn cut_short_it_tries_at_once_and_waits_longer_the_next_time() {
        let mut back_off = BackOff::default();
        back_off.failed(0, &full());
        back_off.cut_short();
        assert_eq!(back_off.until(0), None);
        back_off.failed(0, &full());
        assert_eq!(back_off.until(0), Some(2 * FIRST));
    }

    #[test]
    fn at_the_end_of_time_nothing_overflows() {
        let mut back_off = BackOff::default();
        back_off.failed(Moment::MAX - 1, &full());
        assert_eq!(back_off.until(0), Some(Moment::MAX));
    }
}
