//! Chance that can be had again.

/// Numbers that nobody guesses from outside, and that are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `(1 - part) * whole` to `whole`, both included.
    pub(super) fn shortened(&mut self, whole: i64, part: f64) -> i64 {
        let loose = (whole as f64 * part.clamp(0.0, 1.0)) as i64;
        let span = u64::try_from(loose.clamp(0, whole.max(0)))
            .unwrap_or(0)
            .saturating_add(1);
        whole - i64::try_from(self.next() % span).unwrap_or(0)
    }
}
