//! Who wrote what to whom, and who saw it: the oracle.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How a session came to see a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// It was for its account: the message itself or a carbon of it.
    Received,
    /// Another session of its account wrote it: a carbon.
    Written,
}

/// The messages of one session to one account, as one session sees them.
type Flow = (String, String, String, Sight);

/// What became of the messages of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub expected: usize,
    pub received: usize,
    pub lost: usize,
    pub doubled: usize,
    pub out_of_order: usize,
}

impl Tally {
    /// Of the messages 1 to `sent`, these numbers were seen in this order.
    pub fn of(sent: u32, seen: &[u32]) -> Self {
        let mut tally = Self {
            expected: sent as usize,
            ..Self::default()
        };
        let (mut known, mut highest) = (HashSet::new(), 0);
        for &number in seen {
            if !known.insert(number) {
                tally.doubled += 1;
                continue;
            }
            tally.out_of_order += usize::from(number < highest);
            highest = highest.max(number);
        }
        tally.received = known.len();
        tally.lost = (1..=sent).filter(|number| !known.contains(number)).count();
        tally
    }

    pub fn is_faultless(self) -> bool {
        self.lost + self.doubled + self.out_of_order == 0 && self.received == self.expected
    }

    fn add(&mut self, other: Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
    }
}

/// A session that looks on, for the whole of a row.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub jid: String,
    /// Whether it gets carbons of what other sessions of its account write.
    pub carbons: bool,
}

#[derive(Default)]
pub struct Ledger {
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    viewers: Vec<Viewer>,
    /// By sender and account: how many were written.
    sent: BTreeMap<(String, String), u32>,
    seen: BTreeMap<Flow, Vec<u32>>,
    resumed: usize,
    bound_anew: usize,
    refused: usize,
    unavailable: usize,
    faults: Vec<String>,
    last_change: Option<Instant>,
}

/// A row's worth of figures.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub sent: usize,
    pub tally: Tally,
    pub resumed: usize,
    pub bound_anew: usize,
    /// Messages that came back as errors.
    pub refused: usize,
    /// How often a contact seemed to be gone.
    pub unavailable: usize,
    /// What else went wrong, and which flows are not whole.
    pub faults: Vec<String>,
}

/// Faults beyond this number are counted and not told.
const FAULTS_TOLD: usize = 40;

pub fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or(jid)
}

impl Ledger {
    fn with<T>(&self, act: impl FnOnce(&mut Entries) -> T) -> T {
        act(&mut self.entries.lock().expect("no writer panics"))
    }

    pub fn enter(&self, viewer: Viewer) {
        self.with(|entries| entries.viewers.push(viewer));
    }

    /// The number of the next message from `sender` to `account`, which counts as sent from now on.
    pub fn next(&self, sender: &str, account: &str) -> u32 {
        self.with(|entries| {
            let key = (sender.to_owned(), account.to_owned());
            let number = entries.sent.entry(key).or_default();
            *number += 1;
            *number
        })
    }

    pub fn see(&self, sender: &str, account: &str, viewer: &str, sight: Sight, number: u32) {
        self.with(|entries| {
            let flow = (
                sender.to_owned(),
                account.to_owned(),
                viewer.to_owned(),
                sight,
            );
            entries.seen.entry(flow).or_default().push(number);
            entries.last_change = Some(Instant::now());
        });
    }

    pub fn resumed(&self) {
        self.with(|entries| entries.resumed += 1);
    }

    pub fn bound_anew(&self) {
        self.with(|entries| entries.bound_anew += 1);
    }

    pub fn refused(&self, why: String) {
        self.with(|entries| entries.refused += 1);
        self.fault(why);
    }

    pub fn unavailable(&self, who: &str, seen_by: &str) {
        self.with(|entries| entries.unavailable += 1);
        self.fault(format!("{seen_by} was told that {who} is unavailable"));
    }

    pub fn fault(&self, fault: String) {
        self.with(|entries| entries.faults.push(fault));
    }

    /// How long nothing has arrived.
    pub fn quiet_for(&self) -> Duration {
        self.with(|entries| entries.last_change.map_or(Duration::MAX, |at| at.elapsed()))
    }

    pub fn verdict(&self) -> Verdict {
        self.with(|entries| entries.verdict())
    }
}

impl Entries {
    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            sent: self.sent.values().map(|sent| *sent as usize).sum(),
            resumed: self.resumed,
            bound_anew: self.bound_anew,
            refused: self.refused,
            unavailable: self.unavailable,
            faults: self.faults.clone(),
            ..Verdict::default()
        };
        let mut seen = self.seen.clone();
        for (flow, sent) in self.expected() {
            let seen = seen.remove(&flow).unwrap_or_default();
            let tally = Tally::of(sent, &seen);
            if !tally.is_faultless() {
                verdict.faults.push(describe(&flow, tally, sent, &seen));
            }
            verdict.tally.add(tally);
        }
        for (flow, seen) in seen {
            // Nobody was to see these at all.
            verdict.tally.doubled += seen.len();
            verdict.faults.push(format!("astray: {flow:?} {seen:?}"));
        }
        let untold = verdict.faults.len().saturating_sub(FAULTS_TOLD);
        verdict.faults.truncate(FAULTS_TOLD);
        if untold > 0 {
            verdict.faults.push(format!("and {untold} more"));
        }
        verdict
    }

    /// The flows that there have to be, and how many messages are in each.
    fn expected(&self) -> impl Iterator<Item = (Flow, u32)> + '_ {
        self.sent.iter().flat_map(|((sender, account), sent)| {
            let sights = self.viewers.iter().filter_map(move |viewer| {
                let is_of = |jid: &str| bare(&viewer.jid) == bare(jid);
                if is_of(account) {
                    Some((viewer, Sight::Received))
                } else if is_of(sender) && viewer.jid != *sender && viewer.carbons {
                    Some((viewer, Sight::Written))
                } else {
                    None
                }
            });
            sights.map(move |(viewer, sight)| {
                let flow = (sender.clone(), account.clone(), viewer.jid.clone(), sight);
                (flow, *sent)
            })
        })
    }
}

fn describe(flow: &Flow, tally: Tally, sent: u32, seen: &[u32]) -> String {
    const SHOWN: usize = 12;
    let (sender, account, viewer, sight) = flow;
    let known: HashSet<_> = seen.iter().collect();
    let lost = (1..=sent).filter(|n| !known.contains(n));
    let lost: Vec<_> = lost.take(SHOWN).collect();
    let falls = seen.windows(2).filter(|pair| pair[1] <= pair[0]);
    let falls: Vec<_> = falls.take(SHOWN).collect();
    format!(
        "{sender} to {account}, {sight:?} at {viewer}: {} lost {lost:?}, {} doubled, {} out of order \
         {falls:?}",
        tally.lost, tally.doubled, tally.out_of_order
    )
}

/// The oracle itself: would it notice? Returns what it does not.
pub fn check_oracle() -> Vec<String> {
    let cases: [(&str, &[u32], [usize; 3]); 5] = [
        ("all is well", &[1, 2, 3, 4], [0, 0, 0]),
        ("one is lost", &[1, 2, 4], [1, 0, 0]),
        ("one is doubled", &[1, 2, 3, 3, 4], [0, 1, 0]),
        ("two change places", &[1, 3, 2, 4], [0, 0, 1]),
        ("nothing comes", &[], [4, 0, 0]),
    ];
    let blind = cases.iter().filter(|(_, seen, wanted)| {
        let tally = Tally::of(4, seen);
        [tally.lost, tally.doubled, tally.out_of_order] != *wanted
            || tally.is_faultless() != (*wanted == [0, 0, 0])
    });
    blind
        .map(|(what, ..)| format!("the oracle is blind: {what}"))
        .collect()
}
