//! Pages: the unit of storage, of durability and of the hash chain.
//!
//! A page is what one group commit wrote: one compact JSON object a line, a
//! line for each entry. Its hash is the digest of the previous page's hash
//! followed by its body; the chain starts from the run's id, so that pages
//! cannot be moved from one run to another.

use reprise_model::{Digest, Entry, Epoch, RunId, Seq};
use reprise_ports::{Claim, JournalError, Verified};

/// A page as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    pub first: Seq,
    pub last: Seq,
    pub epoch: Epoch,
    pub hash: Digest,
    pub body: String,
}

/// What the run's own row says about its journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    pub epoch: Epoch,
    pub next: Seq,
    pub head: Digest,
}

/// The head of a chain that holds nothing yet.
pub fn genesis(run: &RunId) -> Digest {
    Digest::default().chain(run.as_str().as_bytes())
}

/// Writes a page that continues the claim. `entries` is not empty.
pub fn compose(
    run: &RunId,
    claim: &Claim,
    entries: &[Entry],
    expected_bytes: usize,
) -> Result<Page, JournalError> {
    let mut body = Vec::with_capacity(expected_bytes);
    let mut next = claim.next;
    for entry in entries {
        if entry.seq != next {
            return Err(JournalError::OutOfStep {
                run: run.clone(),
                ours: entry.seq,
                theirs: next,
            });
        }
        serde_json::to_writer(&mut body, entry).expect("an entry is plain data");
        body.push(b'\n');
        next = Seq(next.0 + 1);
    }
    Ok(Page {
        first: claim.next,
        last: Seq(next.0 - 1),
        epoch: claim.epoch,
        hash: claim.head.chain(&body),
        body: String::from_utf8(body).expect("JSON is UTF-8"),
    })
}

impl Page {
    /// The claim after this page is durable.
    pub fn moved(&self, claim: &Claim) -> Claim {
        Claim {
            epoch: claim.epoch,
            next: Seq(self.last.0 + 1),
            head: self.hash,
        }
    }
}

/// Why a conditional write of the tip found nothing to change.
pub fn conflict(run: &RunId, claim: &Claim, tip: Tip) -> JournalError {
    if tip.epoch != claim.epoch {
        return JournalError::Superseded {
            run: run.clone(),
            ours: claim.epoch,
            theirs: tip.epoch,
        };
    }
    JournalError::OutOfStep {
        run: run.clone(),
        ours: claim.next,
        theirs: tip.next,
    }
}

/// Follows a chain page by page, from the first to the run's own record. A
/// page past the record is torn: whoever wrote it was never told that it is
/// durable, so nothing depends on it, and it is left out.
pub struct Chain<'a> {
    run: &'a RunId,
    tip: Tip,
    torn: u64,
    epoch: Epoch,
    next: Seq,
    head: Digest,
}

impl<'a> Chain<'a> {
    pub fn start(run: &'a RunId, tip: Tip) -> Self {
        Self {
            run,
            tip,
            torn: 0,
            epoch: Epoch(0),
            next: Seq(0),
            head: genesis(run),
        }
    }

    /// Verifies the next page and returns its entries from `from` on. Pages
    /// wholly before `from` are hashed but not parsed.
    pub fn follow(&mut self, page: &Page, from: Seq) -> Result<Vec<Entry>, JournalError> {
        if page.first >= self.tip.next {
            self.torn += 1;
            return Ok(Vec::new());
        }
        if page.first != self.next {
            let what = format!("a page starts at entry {} instead", page.first.0);
            return Err(self.corrupt(self.next, what));
        }
        if page.last < page.first {
            let what = format!("its page ends before it, at entry {}", page.last.0);
            return Err(self.corrupt(page.first, what));
        }
        if page.epoch < self.epoch {
            let what = format!(
                "its page has epoch {}, after epoch {}",
                page.epoch.0, self.epoch.0
            );
            return Err(self.corrupt(page.first, what));
        }
        let hash = self.head.chain(page.body.as_bytes());
        if hash != page.hash {
            let what = format!(
                "the page up to entry {} hashes to {}, its stored hash is {}",
                page.last.0,
                hash.short(),
                page.hash.short()
            );
            return Err(self.corrupt(page.first, what));
        }
        let entries = match page.last >= from {
            true => self.parse(page, from)?,
            false => Vec::new(),
        };
        self.epoch = page.epoch;
        self.next = Seq(page.last.0 + 1);
        self.head = page.hash;
        Ok(entries)
    }

    fn parse(&self, page: &Page, from: Seq) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        let mut seq = page.first;
        for line in page.body.lines() {
            let entry: Entry = serde_json::from_str(line)
                .map_err(|error| self.corrupt(seq, format!("it cannot be parsed: {error}")))?;
            if entry.seq != seq {
                let what = format!("entry {} is in its place", entry.seq.0);
                return Err(self.corrupt(seq, what));
            }
            if seq >= from {
                entries.push(entry);
            }
            seq = Seq(seq.0 + 1);
        }
        if seq.0 != page.last.0 + 1 {
            let what = format!(
                "its page should go on to entry {}, but ends here",
                page.last.0
            );
            return Err(self.corrupt(seq, what));
        }
        Ok(entries)
    }

    /// How far it was followed.
    pub fn verified(&self) -> Verified {
        Verified {
            next: self.next,
            head: self.head,
            torn: self.torn,
        }
    }

    /// Compares the end of the chain with the run's own row, so that pages
    /// missing from the end are noticed too.
    pub fn finish(self) -> Result<Verified, JournalError> {
        let tip = self.tip;
        if tip.next != self.next {
            let what = format!(
                "the pages end before it, the run's record at {}",
                tip.next.0
            );
            return Err(self.corrupt(self.next, what));
        }
        if tip.head != self.head {
            let what = format!(
                "the chain ends in {}, the run's record in {}",
                self.head.short(),
                tip.head.short()
            );
            return Err(self.corrupt(self.next, what));
        }
        Ok(self.verified())
    }

    /// The place is the next entry: the store cannot give its page.
    pub fn broken(&self, what: impl Into<String>) -> JournalError {
        self.corrupt(self.next, what.into())
    }

    fn corrupt(&self, seq: Seq, what: String) -> JournalError {
        corrupt(self.run, seq, what)
    }
}

pub fn corrupt(run: &RunId, seq: Seq, what: impl Into<String>) -> JournalError {
    JournalError::Corrupt {
        run: run.clone(),
        seq,
        what: what.into(),
    }
}
