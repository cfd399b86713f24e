//! What is ready to run.

use std::collections::VecDeque;

/// First come, first served, in rounds: what is put off waits for the next round, in which others have
/// had their turn.
#[derive(Debug)]
pub(super) struct ReadyQueue<T> {
    now: VecDeque<T>,
    later: VecDeque<T>,
}

impl<T> ReadyQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            now: VecDeque::new(),
            later: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, ready: T) {
        self.now.push_back(ready);
    }

    pub(super) fn put_off(&mut self, ready: T) {
        self.later.push_back(ready);
    }

    pub(super) fn begin_round(&mut self) {
        self.now.append(&mut self.later);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.now.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.now.is_empty() && self.later.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_off_comes_in_the_next_round_after_what_was_there() {
        let mut queue = ReadyQueue::new();
        queue.push(1);
        queue.put_off(3);
        queue.push(2);
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), Some(2));
        assert_eq!(queue.pop(), None);
        assert!(!queue.is_empty());
        queue.put_off(4);
        queue.begin_round();
        assert_eq!(queue.pop(), Some(3));
        assert_eq!(queue.pop(), Some(4));
        assert!(queue.is_empty());
    }
}
