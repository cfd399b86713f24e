//! Things under numbers that are not given twice.

/// Names a thing in a [`Slab`]; no other thing of that slab will ever have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    /// How many things have been at this index before.
    generation: u32,
}

impl Key {
    /// Names nothing in any slab: none has so many places.
    #[cfg(epoll)]
    pub(super) const NOTHING: Self = Self {
        index: u32::MAX,
        generation: u32::MAX,
    };

    /// The form in which the kernel carries it.
    pub(super) fn to_number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub(super) fn from_number(number: u64) -> Self {
        Self {
            // The two halves, as put together above.
            index: number as u32,
            generation: (number >> 32) as u32,
        }
    }
}

#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    thing: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The thing is made knowing its key.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                thing: None,
            });
            // Far fewer than the kernel has descriptors, or memory has room for tasks.
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        let key = Key {
            index,
            generation: place.generation,
        };
        place.thing = Some(make(key));
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        self.places
            .get(key.index as usize)
            .filter(|place| place.generation == key.generation)
            .and_then(|place| place.thing.as_ref())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.places.iter().all(|place| place.thing.is_none())
    }

    /// How many there are at most.
    pub(super) fn most(&self) -> usize {
        self.places.len()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self
            .places
            .get_mut(key.index as usize)
            .filter(|place| place.generation == key.generation)?;
        let thing = place.thing.take()?;
        // After four thousand million turns at one place it is given up rather than a key repeated.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(key.index);
        }
        Some(thing)
    }

    /// All that is left, oldest place first.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        let keys: Vec<_> = (0..)
            .zip(&self.places)
            .map(|(index, place)| Key {
                index,
                generation: place.generation,
            })
            .collect();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_thing_only() {
        let mut slab = Slab::new();
        let one = slab.insert_with(|_| "one");
        let two = slab.insert_with(|_| "two");
        assert_eq!(slab.remove(one), Some("one"));
        assert_eq!(slab.remove(one), None);
        let three = slab.insert_with(|_| "three");
        assert_ne!(three, one);
        assert_eq!(slab.get(one), None);
        assert_eq!(slab.get(three), Some(&"three"));
        assert_eq!(Key::from_number(three.to_number()), three);
        assert_eq!(slab.take_all(), ["three", "two"]);
        assert_eq!(slab.get(two), None);
    }
}
