//! A count, and some of what was counted: evidence that stays small.

use serde_json::{Value, json};

const SAMPLES: usize = 10;

#[derive(Debug, Default)]
pub struct Found {
    pub count: u64,
    pub samples: Vec<String>,
}

impl Found {
    pub fn add(&mut self, what: String) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(what);
        }
    }

    pub fn evidence(&self) -> Value {
        json!({ "count": self.count, "samples": self.samples })
    }
}
