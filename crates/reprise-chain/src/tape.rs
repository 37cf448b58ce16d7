//! One run's journal in memory: its fence, its pages, its inbox.

use std::ops::ControlFlow;
use std::sync::Arc;

use reprise_model::{Command, Entry, Epoch, RunId, Seq};
use reprise_ports::{Claim, JournalError, Sink, Verified};

use crate::page::{Chain, Page, Tip, compose, conflict, genesis};

/// The fields are open, as a file on a disk is: what was done to them shows
/// when they are read.
#[derive(Clone, PartialEq, Debug)]
pub struct Tape {
    pub run: RunId,
    pub tip: Tip,
    /// Shared, so that a reader's copy is of one moment and costs little.
    pub pages: Vec<Arc<Page>>,
    pub inbox: Vec<Command>,
}

impl Tape {
    pub fn new(run: RunId) -> Self {
        Self {
            tip: Tip {
                epoch: Epoch(0),
                next: Seq(0),
                head: genesis(&run),
            },
            run,
            pages: Vec::new(),
            inbox: Vec::new(),
        }
    }

    /// A new owner: every claim before is void from here on.
    pub fn take_over(&mut self) -> Claim {
        self.tip.epoch = Epoch(self.tip.epoch.0 + 1);
        let Tip { epoch, next, head } = self.tip;
        Claim { epoch, next, head }
    }

    /// Cuts a torn tail: pages past the run's own record, which moves with
    /// them. No writer was told that they are durable, so nothing depends on
    /// them. Returns how many there were.
    pub fn mend(&mut self) -> usize {
        let next = self.tip.next;
        let torn = self.pages.iter().rev();
        let torn = torn.take_while(|page| page.first >= next).count();
        self.pages.truncate(self.pages.len() - torn);
        torn
    }

    pub fn append(&mut self, claim: &mut Claim, entries: &[Entry]) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let page = compose(&self.run, claim, entries, 0)?;
        if (self.tip.epoch, self.tip.next) != (claim.epoch, claim.next) {
            return Err(conflict(&self.run, claim, self.tip));
        }
        *claim = page.moved(claim);
        self.tip.next = claim.next;
        self.tip.head = claim.head;
        self.pages.push(Arc::new(page));
        Ok(())
    }

    /// Hands the entries from `from` on to the sink, page by page, the chain
    /// verified from the first.
    pub fn read(&self, from: Seq, sink: Sink<'_>) -> Result<Verified, JournalError> {
        let mut chain = Chain::start(&self.run, self.tip);
        for page in &self.pages {
            let entries = chain.follow(page, from)?;
            if !entries.is_empty() && sink(entries).is_break() {
                return Ok(chain.verified());
            }
        }
        chain.finish()
    }

    pub fn read_all(&self) -> Result<Vec<Entry>, JournalError> {
        let mut all = Vec::new();
        self.read(Seq(0), &mut |entries| {
            all.extend(entries);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    pub fn post(&mut self, command: Command) -> u64 {
        self.inbox.push(command);
        self.inbox.len() as u64
    }

    /// Commands posted after number `after`, with their numbers, in order.
    pub fn inbox(&self, after: u64) -> Vec<(u64, Command)> {
        let numbered = (1..).zip(self.inbox.iter().cloned());
        numbered.filter(|(number, _)| *number > after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reprise_model::{Event, Timestamp};

    fn entries(seqs: std::ops::Range<u64>) -> Vec<Entry> {
        let entry = |seq| Entry {
            seq: Seq(seq),
            at: Timestamp::from_micros(0),
            event: Event::WaveOpened { wave: 0 },
        };
        seqs.map(entry).collect()
    }

    fn tape() -> (Tape, Claim) {
        let mut tape = Tape::new(RunId::from("run"));
        let mut claim = tape.take_over();
        tape.append(&mut claim, &entries(0..3)).unwrap();
        tape.append(&mut claim, &entries(3..5)).unwrap();
        (tape, claim)
    }

    #[test]
    fn a_torn_tail_is_cut_and_nothing_else() {
        let (mut tape, claim) = tape();
        let whole = tape.clone();
        assert_eq!(tape.mend(), 0);
        let mut torn = compose(&tape.run, &claim, &entries(5..9), 0).unwrap();
        torn.body.truncate(20);
        tape.pages.push(Arc::new(torn));
        let mut read = 0;
        let mut sink = |entries: Vec<Entry>| {
            read += entries.len();
            ControlFlow::Continue(())
        };
        let verified = tape.read(Seq(0), &mut sink).unwrap();
        assert_eq!((read, verified.next, verified.torn), (5, Seq(5), 1));
        assert_eq!(tape.mend(), 1);
        assert_eq!(tape, whole);
    }

    #[test]
    fn a_page_that_was_acknowledged_is_never_cut() {
        let (mut tape, _) = tape();
        Arc::make_mut(&mut tape.pages[1]).body.truncate(20);
        assert_eq!(tape.mend(), 0);
        let refused = tape.read_all();
        assert!(
            matches!(refused, Err(JournalError::Corrupt { seq: Seq(3), .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn an_owner_that_was_taken_over_writes_nothing() {
        let (mut tape, mut old) = tape();
        let mut new = tape.take_over();
        let refused = tape.append(&mut old, &entries(5..6));
        assert!(
            matches!(refused, Err(JournalError::Superseded { .. })),
            "{refused:?}"
        );
        tape.append(&mut new, &entries(5..6)).unwrap();
        assert_eq!(tape.read_all().unwrap(), entries(0..6));
    }
}
