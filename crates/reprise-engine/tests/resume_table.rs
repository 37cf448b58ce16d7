//! The table in `docs/design/resume.md`, read as data, is the oracle of the
//! function: each combination of all four questions, and each row.

use std::collections::BTreeSet;

use reprise_engine::resume::{Change, Decision, Kind, Probed, Row, Status, decide};

const PAGE: &str = include_str!("../../../docs/design/resume.md");

struct Rule {
    number: u8,
    /// The words of each question; `any` fits all.
    words: [Vec<String>; 4],
    decision: String,
    because: String,
}

impl Rule {
    fn of(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').collect();
        let [number, status, kind, change, probe, decision, because] = cells.as_slice() else {
            return None;
        };
        let words = |cell: &str| cell.split(',').map(|word| word.trim().to_owned()).collect();
        Some(Self {
            number: number.trim().parse().ok()?,
            words: [words(status), words(kind), words(change), words(probe)],
            decision: decision.trim().to_owned(),
            because: because.trim().to_owned(),
        })
    }

    fn fits(&self, asked: [&str; 4]) -> bool {
        let pairs = self.words.iter().zip(asked);
        pairs
            .into_iter()
            .all(|(words, asked)| words.iter().any(|word| word == "any" || word == asked))
    }
}

fn page() -> Vec<Rule> {
    PAGE.lines().filter_map(Rule::of).collect()
}

fn combinations() -> impl Iterator<Item = (Status, Kind, Change, Probed)> {
    let statuses = Status::ALL.into_iter();
    statuses.flat_map(|status| {
        Kind::ALL.into_iter().flat_map(move |kind| {
            Change::ALL.into_iter().flat_map(move |change| {
                let probes = Probed::ALL.into_iter();
                probes.map(move |probe| (status, kind, change, probe))
            })
        })
    })
}

#[test]
fn the_function_is_the_table_on_the_page_in_every_combination() {
    let rules = page();
    let numbers: Vec<u8> = rules.iter().map(|rule| rule.number).collect();
    assert_eq!(numbers, (1..=29).collect::<Vec<_>>(), "numbered in order");
    let mut used = BTreeSet::new();
    let mut compared = 0;
    for (status, kind, change, probe) in combinations() {
        let asked = [
            status.as_str(),
            kind.as_str(),
            change.as_str(),
            probe.as_str(),
        ];
        let rule = rules.iter().find(|rule| rule.fits(asked));
        let rule = rule.unwrap_or_else(|| panic!("no row fits {asked:?}"));
        let row = decide(status, kind, change, probe);
        assert_eq!(
            (row.number, row.decision.as_str(), row.because),
            (rule.number, rule.decision.as_str(), rule.because.as_str()),
            "{asked:?}"
        );
        used.insert(row.number);
        compared += 1;
    }
    assert_eq!(compared, 14 * 5 * 10 * 4);
    assert_eq!(used.len(), rules.len(), "a row that never holds: {used:?}");
}

#[test]
fn every_word_on_the_page_is_one_of_the_code() {
    let known: BTreeSet<&str> = Status::ALL
        .map(Status::as_str)
        .into_iter()
        .chain(Kind::ALL.map(Kind::as_str))
        .chain(Change::ALL.map(Change::as_str))
        .chain(Probed::ALL.map(Probed::as_str))
        .chain(["any"])
        .collect();
    for rule in page() {
        for word in rule.words.iter().flatten() {
            assert!(known.contains(word.as_str()), "row {}: {word}", rule.number);
        }
    }
}

/// What must never happen, whatever the table says.
#[test]
fn no_combination_restores_twice_or_believes_what_no_longer_holds() {
    for (status, kind, change, probe) in combinations() {
        let Row { decision, .. } = decide(status, kind, change, probe);
        let asked = (status, kind, change, probe);
        let of_before = !matches!(change, Change::New | Change::Twin | Change::Dropped);
        let same_work = of_before && change != Change::Replaced;
        if kind == Kind::Once && status.is_success() && same_work {
            assert!(!decision.is_work(), "restored twice: {asked:?}");
        }
        if kind == Kind::Once && status.is_open_question() && decision == Decision::Run {
            let allowed = probe == Probed::NotYet || change == Change::New;
            assert!(allowed, "restored without a look: {asked:?}");
        }
        if kind == Kind::Check && status.is_success() && of_before {
            let holds = matches!(change, Change::Same | Change::Handling);
            assert_eq!(holds, decision == Decision::Keep, "{asked:?}");
        }
        if change == Change::Same && status.is_success() {
            assert_eq!(decision, Decision::Keep, "repeated: {asked:?}");
        }
        if change == Change::Same {
            assert_ne!(decision, Decision::Refuse, "a plain resume: {asked:?}");
        }
    }
}
