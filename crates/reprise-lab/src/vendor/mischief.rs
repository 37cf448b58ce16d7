//! What the vendor does wrong, and when.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    Token,
    List,
    Install,
    Check,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Close the connection before anything is done.
    Drop,
    /// Do it, and close the connection instead of answering.
    Lose,
    /// Do it, and answer 500.
    Crash,
    /// 429 with this `Retry-After`.
    Busy(String),
    /// 503 with this `Retry-After`.
    Unavailable(String),
    /// Answer after so many milliseconds.
    Late(u64),
    /// Say that it is done, and do nothing.
    Nothing,
    /// Do it, and leave the app in this state.
    Leave(String),
    /// Refuse with this status, and words that hold what was sent.
    Refuse(u16),
}

/// One instruction, used up by the requests that it meets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mischief {
    pub what: What,
    #[serde(default)]
    pub on: Option<Doing>,
    #[serde(default)]
    pub site: Option<String>,
    #[serde(default)]
    pub app: Option<String>,
    /// Requests to be left alone before.
    #[serde(default)]
    pub after: u32,
    /// Requests to be met; for ever where absent.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Mischief {
    pub fn new(what: What) -> Self {
        Self {
            what,
            on: None,
            site: None,
            app: None,
            after: 0,
            times: None,
        }
    }

    pub fn on(mut self, doing: Doing) -> Self {
        self.on = Some(doing);
        self
    }

    pub fn at(mut self, site: &str, app: &str) -> Self {
        self.site = Some(site.to_owned());
        self.app = Some(app.to_owned());
        self
    }

    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn meets(&self, doing: Doing, site: &str, app: &str) -> bool {
        self.times != Some(0)
            && self.on.is_none_or(|on| on == doing)
            && self.site.as_deref().is_none_or(|known| known == site)
            && self.app.as_deref().is_none_or(|known| known == app)
    }
}

/// All that the vendor was told, and chance by a seed.
pub(super) struct Moods {
    told: Vec<Mischief>,
    /// The share of requests that go wrong by chance.
    chaos: f64,
    dice: StdRng,
}

impl Moods {
    pub fn new(chaos: f64, seed: u64) -> Self {
        Self {
            told: Vec::new(),
            chaos,
            dice: StdRng::seed_from_u64(seed),
        }
    }

    pub fn tell(&mut self, told: Vec<Mischief>) {
        self.told = told;
    }

    /// What goes wrong with this request.
    pub fn met(&mut self, doing: Doing, site: &str, app: &str) -> Option<What> {
        for one in &mut self.told {
            if !one.meets(doing, site, app) {
                continue;
            }
            if one.after > 0 {
                one.after -= 1;
                continue;
            }
            if let Some(times) = &mut one.times {
                *times -= 1;
            }
            return Some(one.what.clone());
        }
        if self.chaos <= 0.0 || self.dice.random::<f64>() >= self.chaos {
            return None;
        }
        let second = || "1".to_owned();
        Some(match self.dice.random_range(0..5_u8) {
            0 => What::Drop,
            1 => What::Lose,
            2 => What::Crash,
            3 => What::Busy(second()),
            _ => What::Unavailable(second()),
        })
    }
}
