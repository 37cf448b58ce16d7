//! Two listings, held against each other item by item.
//!
//! One side is kept in memory, the other streams past it: the order of neither
//! matters, and every count is exact. What is kept is bounded by
//! [`MOST_BYTES`]; beyond it the comparison ends, and is unknown.

use std::collections::HashMap;
use std::ops::ControlFlow;

use reprise_ports::Item;

/// Of one task: some millions of keys, or fewer long ones.
pub const MOST_BYTES: usize = 512 << 20;

/// What an item weighs besides its texts: its place in the table and the heads
/// of its allocations, rounded up.
const ITEM_BYTES: usize = 128;

/// Items of each kind that evidence names.
pub const SAMPLES: usize = 10;

type Fields = Box<[Option<Box<str>>]>;

struct Kept {
    fields: Fields,
    seen: bool,
    /// The side itself says two things of this key.
    torn: bool,
}

/// What one side has been read to.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Read {
    pub items: u64,
    /// Items that refer to nothing, or cannot be referred to.
    pub without_key: u64,
}

/// A number of items, and a few of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub count: u64,
    pub samples: Vec<T>,
}

/// One key whose values are not the same on both sides.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    pub key: String,
    pub from: Vec<Option<String>>,
    pub to: Vec<Option<String>>,
}

#[derive(Debug, Default)]
pub struct Differences {
    pub from: Read,
    pub to: Read,
    /// In `from`, not in `to`.
    pub broken_links: Found<String>,
    /// In `to`, not in `from`.
    pub orphans: Found<String>,
    /// In both, with another value.
    pub differs: Found<Pair>,
    /// In both, with a value on one side only.
    pub missing: Found<Pair>,
}

impl Differences {
    /// What can be referred to has a name: where none has, the name that is
    /// looked for is none of theirs. That nothing refers is usual.
    pub fn is_blind(&self) -> bool {
        let Self { from, to, .. } = self;
        from.items > 0 && to.items > 0 && to.items == to.without_key
    }
}

pub struct Comparison {
    from: HashMap<Box<str>, Kept>,
    bytes: usize,
    most_bytes: usize,
    found: Differences,
}

impl Default for Comparison {
    fn default() -> Self {
        Self::within(MOST_BYTES)
    }
}

impl Comparison {
    pub fn within(most_bytes: usize) -> Self {
        Self {
            from: HashMap::new(),
            bytes: 0,
            most_bytes,
            found: Differences::default(),
        }
    }

    /// Takes one item of `from`; breaks where it is too much to be kept.
    pub fn refers(&mut self, item: Item) -> ControlFlow<()> {
        self.found.from.items += 1;
        let Some(key) = item.key else {
            self.found.from.without_key += 1;
            return ControlFlow::Continue(());
        };
        if let Some(kept) = self.from.get_mut(key.as_str()) {
            kept.torn |= !is_same(&kept.fields, &item.fields);
            return ControlFlow::Continue(());
        }
        let texts = item.fields.iter().flatten().map(String::len);
        self.bytes += ITEM_BYTES + key.len() + texts.sum::<usize>() + 16 * item.fields.len();
        if self.bytes > self.most_bytes {
            return ControlFlow::Break(());
        }
        let fields = item.fields.into_iter();
        let kept = Kept {
            fields: fields.map(|text| text.map(Box::from)).collect(),
            seen: false,
            torn: false,
        };
        self.from.insert(key.into(), kept);
        ControlFlow::Continue(())
    }

    /// Takes one item of `to`, after all of `from`.
    pub fn is_referred_to(&mut self, item: Item) {
        self.found.to.items += 1;
        let Some(key) = item.key else {
            self.found.to.without_key += 1;
            return;
        };
        let Some(kept) = self.from.get_mut(key.as_str()) else {
            return self.found.orphans.add(|| key);
        };
        kept.seen = true;
        if !kept.torn && is_same(&kept.fields, &item.fields) {
            return;
        }
        let lacks = |(a, b): (&Option<Box<str>>, &Option<String>)| a.is_none() != b.is_none();
        let lacking = kept.fields.iter().zip(&item.fields).any(lacks);
        let found = match lacking {
            true => &mut self.found.missing,
            false => &mut self.found.differs,
        };
        let fields = kept.fields.iter();
        found.add(|| Pair {
            key,
            from: fields
                .map(|text| text.as_deref().map(str::to_owned))
                .collect(),
            to: item.fields,
        });
    }

    /// Samples of what is not there come in order, however the table lies.
    pub fn end(mut self) -> Differences {
        let unseen = self.from.iter().filter(|(_, kept)| !kept.seen);
        let mut unseen: Vec<&str> = unseen.map(|(key, _)| &**key).collect();
        let broken = &mut self.found.broken_links;
        broken.count = unseen.len() as u64;
        unseen.sort_unstable();
        unseen.truncate(SAMPLES);
        broken.samples = unseen.into_iter().map(str::to_owned).collect();
        self.found
    }
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self {
            count: 0,
            samples: Vec::new(),
        }
    }
}

impl<T> Found<T> {
    fn add(&mut self, sample: impl FnOnce() -> T) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(sample());
        }
    }
}

fn is_same(kept: &[Option<Box<str>>], item: &[Option<String>]) -> bool {
    let same = |(a, b): (&Option<Box<str>>, &Option<String>)| a.as_deref() == b.as_deref();
    kept.len() == item.len() && kept.iter().zip(item).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        let mut words = text
            .split(' ')
            .map(|word| (word != "-").then(|| word.to_owned()));
        Item {
            key: words.next().flatten(),
            fields: words.collect(),
        }
    }

    fn compare(from: &[&str], to: &[&str]) -> Differences {
        let mut comparison = Comparison::default();
        for text in from {
            assert_eq!(comparison.refers(item(text)), ControlFlow::Continue(()));
        }
        to.iter()
            .for_each(|text| comparison.is_referred_to(item(text)));
        comparison.end()
    }

    /// Broken links, orphans, differing, missing.
    fn counts(found: &Differences) -> [u64; 4] {
        [
            found.broken_links.count,
            found.orphans.count,
            found.differs.count,
            found.missing.count,
        ]
    }

    #[test]
    fn each_difference_is_counted_as_what_it_is() {
        let check = |from: &[&str], to: &[&str], expect| {
            assert_eq!(counts(&compare(from, to)), expect, "{from:?} {to:?}");
        };
        check(&[], &[], [0, 0, 0, 0]);
        check(&["a 1", "b 2"], &["b 2", "a 1"], [0, 0, 0, 0]);
        check(&["a", "b"], &["b"], [1, 0, 0, 0]);
        check(&["a"], &["a", "c"], [0, 1, 0, 0]);
        check(&["a 1"], &["a 2"], [0, 0, 1, 0]);
        check(&["a 1"], &["a -"], [0, 0, 0, 1]);
        check(&["a -"], &["a -"], [0, 0, 0, 0]);
        check(&["a 1 2"], &["a 1 3"], [0, 0, 1, 0]);
        // The same key several times: one reference, unless they disagree.
        check(&["a 1", "a 1"], &["a 1"], [0, 0, 0, 0]);
        check(&["a 1", "a 2"], &["a 1"], [0, 0, 1, 0]);
        check(&["a 1"], &["a 1", "a 2"], [0, 0, 1, 0]);
        // Nothing refers to nothing.
        check(&["- 1"], &["- 2"], [0, 0, 0, 0]);
        check(&["a"], &["A"], [1, 1, 0, 0]);
    }

    #[test]
    fn counts_are_exact_and_samples_are_few_and_ordered() {
        let keys: Vec<String> = (100..200).rev().map(|n| n.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = compare(&keys, &["x", "-"]);
        assert_eq!(counts(&found), [100, 1, 0, 0]);
        assert_eq!(found.broken_links.samples.len(), SAMPLES);
        assert_eq!(found.broken_links.samples[0], "100");
        assert_eq!(
            found.to,
            Read {
                items: 2,
                without_key: 1
            }
        );
    }

    #[test]
    fn what_is_too_much_to_be_kept_ends_the_reading() {
        let mut comparison = Comparison::within(3 * (ITEM_BYTES + 1));
        for key in ["a", "b", "c", "a"] {
            assert!(comparison.refers(item(key)).is_continue());
        }
        assert!(comparison.refers(item("d")).is_break());
    }
}
