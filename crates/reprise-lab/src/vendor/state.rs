//! What the vendor knows, and what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mischief::Moods;

/// State of an app, by its id.
pub type Apps = BTreeMap<String, String>;

/// What the vendor did. Sites and apps are joined as `SITE/APP`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Times that an app was really installed or connected.
    pub effects: BTreeMap<String, u32>,
    /// Requests for an effect, by their idempotency key.
    pub keys: BTreeMap<String, u32>,
    /// Requests for an effect that were answered from memory.
    pub replayed: u32,
    /// Effects that were said to have happened, and have not.
    pub silent: u32,
    pub tokens: u32,
    pub lists: u32,
    pub checks: u32,
    /// Requests with a token that is not valid.
    pub unauthorized: u32,
}

pub(super) struct State {
    pub sites: BTreeMap<String, Apps>,
    pub counts: Counts,
    pub moods: Moods,
    pub tokens: BTreeSet<String>,
    /// Answers given before, by key.
    answers: BTreeMap<String, (u16, Value)>,
    issued: u64,
    file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct Kept {
    sites: BTreeMap<String, Apps>,
    counts: Counts,
    answers: BTreeMap<String, (u16, Value)>,
}

impl State {
    /// What the file holds, or a vendor whom nobody has asked yet.
    pub fn open(moods: Moods, file: Option<&Path>) -> io::Result<Self> {
        let kept = match file.filter(|file| file.exists()) {
            Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
            None => Kept::default(),
        };
        Ok(Self {
            sites: kept.sites,
            counts: kept.counts,
            moods,
            tokens: BTreeSet::new(),
            answers: kept.answers,
            issued: 0,
            file: file.map(Path::to_owned),
        })
    }

    /// Writes down what must outlive the process.
    pub fn keep(&self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let kept = json!({ "sites": self.sites, "counts": self.counts, "answers": self.answers });
        let draft = file.with_extension("draft");
        fs::write(&draft, kept.to_string())?;
        fs::rename(&draft, file)
    }

    pub fn issue_token(&mut self) -> String {
        self.issued += 1;
        self.counts.tokens += 1;
        let token = format!("vendor-token-{}", self.issued);
        self.tokens.insert(token.clone());
        token
    }

    /// Does an effect once for each key. `pretend`: says so and does nothing.
    pub fn effect(
        &mut self,
        key: &str,
        site: &str,
        app: &str,
        state: &str,
        pretend: bool,
    ) -> (u16, Value) {
        *self.counts.keys.entry(key.to_owned()).or_default() += 1;
        if let Some(answer) = self.answers.get(key) {
            self.counts.replayed += 1;
            return answer.clone();
        }
        if pretend {
            self.counts.silent += 1;
        } else {
            let apps = self.sites.entry(site.to_owned()).or_default();
            apps.insert(app.to_owned(), state.to_owned());
            let count = self.counts.effects.entry(format!("{site}/{app}"));
            *count.or_default() += 1;
        }
        let answer = (201, json!({ "id": app, "state": state }));
        self.answers.insert(key.to_owned(), answer.clone());
        answer
    }
}
