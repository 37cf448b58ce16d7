//! A map for the few tasks that something is known of, in constant time.

use reprise_model::TaskIx;

/// Marks a task that is not in the map.
const ABSENT: u32 = u32::MAX;

/// Four bytes for each task of the plan, and a dense list of those in the
/// map. The order of the list follows from the calls alone.
#[derive(Clone)]
pub(crate) struct ByTask<T> {
    places: Vec<u32>,
    list: Vec<(TaskIx, T)>,
}

impl<T> ByTask<T> {
    pub fn new(tasks: usize) -> Self {
        Self {
            places: vec![ABSENT; tasks],
            list: Vec::new(),
        }
    }

    pub fn get(&self, task: TaskIx) -> Option<&T> {
        let place = *self.places.get(task.get())?;
        self.list.get(place as usize).map(|(_, value)| value)
    }

    pub fn contains(&self, task: TaskIx) -> bool {
        self.get(task).is_some()
    }

    pub fn insert(&mut self, task: TaskIx, value: T) {
        let place = &mut self.places[task.get()];
        if let Some(found) = self.list.get_mut(*place as usize) {
            found.1 = value;
            return;
        }
        *place = u32::try_from(self.list.len()).expect("fewer than 2^32 tasks");
        self.list.push((task, value));
    }

    pub fn remove(&mut self, task: TaskIx) -> Option<T> {
        let place = std::mem::replace(self.places.get_mut(task.get())?, ABSENT);
        if place == ABSENT {
            return None;
        }
        let (_, value) = self.list.swap_remove(place as usize);
        if let Some((moved, _)) = self.list.get(place as usize) {
            self.places[moved.get()] = place;
        }
        Some(value)
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.list.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.list.iter_mut().map(|(_, value)| value)
    }

    /// Empties the map; in the order of the plan.
    pub fn take(&mut self) -> Vec<(TaskIx, T)> {
        let mut taken = std::mem::take(&mut self.list);
        for (task, _) in &taken {
            self.places[task.get()] = ABSENT;
        }
        taken.sort_unstable_by_key(|(task, _)| *task);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(calls in proptest::collection::vec((0u32..12, any::<bool>(), any::<u8>()), 0..200)) {
            let mut ours = ByTask::new(12);
            let mut oracle = BTreeMap::new();
            for (task, insert, value) in calls {
                let task = TaskIx(task);
                if insert {
                    ours.insert(task, value);
                    oracle.insert(task, value);
                } else {
                    prop_assert_eq!(ours.remove(task), oracle.remove(&task));
                }
                for task in (0..12).map(TaskIx) {
                    prop_assert_eq!(ours.get(task), oracle.get(&task));
                }
                prop_assert_eq!(ours.values().count(), oracle.len());
            }
            prop_assert_eq!(ours.take(), oracle.into_iter().collect::<Vec<_>>());
            prop_assert!(ours.is_empty() && !ours.contains(TaskIx(0)));
        }
    }
}
