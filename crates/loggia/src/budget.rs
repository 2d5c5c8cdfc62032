//! An amount (running requests, bytes) that many holders share, so that no holder can use up all of it.
//!
//! A holder may not have more than the amount that stays free. So the first holder gets at most half of the total,
//! the next one at most half of the rest, and so on. A holder that has little always finds room. This is the dynamic
//! threshold of Choudhury and Hahne ("Dynamic queue length thresholds for shared-memory packet switches", 1998).
//!
//! Invariant: all holders together never have more than the total. The threshold of one holder is exact if its calls
//! of [`take`](Budget::take) are sequential; concurrent calls may exceed it by the amounts of these calls.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::service::Principal;

/// An amount shared by a fixed number of holders.
#[derive(Debug)]
pub struct Budget {
    total: usize,
    used: AtomicUsize,
    holders: Box<[AtomicUsize]>,
    hasher: RandomState,
}

/// A part of a [`Budget`]. Dropping it returns the amount.
#[derive(Debug)]
#[must_use = "the amount is given back when this is dropped"]
pub struct Share {
    budget: Arc<Budget>,
    holder: usize,
    amount: usize,
}

/// The error for a holder that asks for more than its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareExceeded {
    /// The amount that the holder has.
    pub held: usize,
    /// The amount that all holders may have together.
    pub total: usize,
}

impl Budget {
    /// Creates a budget of `total` for the holders `0..holders`. Both numbers are at least 1.
    pub fn new(total: usize, holders: usize) -> Arc<Budget> {
        Arc::new(Budget {
            total: total.max(1),
            used: AtomicUsize::new(0),
            holders: (0..holders.max(1)).map(|_| AtomicUsize::new(0)).collect(),
            hasher: RandomState::new(),
        })
    }

    /// Takes `amount` for `holder`, which must be below the number of holders.
    pub fn take(self: &Arc<Budget>, holder: usize, amount: usize) -> Result<Share, ShareExceeded> {
        let holds = &self.holders[holder];
        let held = holds.load(Ordering::Acquire);
        let fits = |used: usize| {
            let free = self.total.saturating_sub(used);
            (held.saturating_add(amount) <= free).then(|| used + amount)
        };
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => {
                holds.fetch_add(amount, Ordering::AcqRel);
                Ok(Share { budget: self.clone(), holder, amount })
            }
            Err(_) => Err(ShareExceeded { held, total: self.total }),
        }
    }

    /// Returns the holder for a caller. If there are few holders, several callers may share one.
    pub fn caller(&self, principal: &Principal) -> usize {
        let hash = self.hasher.hash_one((&principal.issuer, &principal.subject));
        // The remainder is below the number of holders.
        (hash % self.holders.len() as u64) as usize
    }

    /// Returns the amount that all holders have now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// Returns the maximum that all holders may have together.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.holders[self.holder].fetch_sub(self.amount, Ordering::AcqRel);
        self.budget.used.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes 1 for `holder` until it gets no more.
    fn fill(budget: &Arc<Budget>, holder: usize) -> Vec<Share> {
        std::iter::from_fn(|| budget.take(holder, 1).ok()).collect()
    }

    #[test]
    fn greedy_holders_share_evenly_and_leave_as_much_free() {
        // The total, and how much each of the greedy holders gets.
        let cases: [(usize, &[usize]); 5] =
            [(1, &[1]), (2, &[1]), (40, &[20, 10, 5]), (41, &[21, 10]), (4096, &[2048, 1024])];
        for (total, expected) in cases {
            let budget = Budget::new(total, 8);
            let shares: Vec<Vec<Share>> = (0..expected.len()).map(|holder| fill(&budget, holder)).collect();
            let got: Vec<usize> = shares.iter().map(Vec::len).collect();
            assert_eq!(got, expected, "of {total}");
            assert!(total == 1 || budget.take(7, 1).is_ok(), "of {total}: a newcomer finds room");
            drop(shares);
            assert_eq!(budget.used(), 0);
        }
    }

    #[test]
    fn a_refusal_names_what_is_held_and_the_total() {
        let budget = Budget::new(100, 2);
        let share = budget.take(0, 40).expect("it fits");
        assert_eq!(budget.take(0, 30).err(), Some(ShareExceeded { held: 40, total: 100 }));
        assert!(budget.take(1, usize::MAX).is_err());
        assert!(budget.take(1, 60).is_ok());
        drop(share);
        assert!(budget.take(0, 100).is_ok());
    }

    #[test]
    fn the_total_holds_whatever_the_threads_do() {
        let budget = Budget::new(64, 4);
        std::thread::scope(|scope| {
            for holder in 0..4 {
                let budget = &budget;
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let shares = fill(budget, holder);
                        assert!(budget.used() <= 64);
                        drop(shares);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn one_caller_is_one_holder() {
        let budget = Budget::new(1, 1024);
        let caller = |subject: &str, issuer: Option<&str>| {
            let issuer = issuer.map(str::to_owned);
            budget.caller(&Principal { subject: subject.to_owned(), issuer, scopes: Vec::new() })
        };
        assert_eq!(caller("ada", Some("https://as.example")), caller("ada", Some("https://as.example")));
        let others = (0..64).map(|n| caller(&n.to_string(), None));
        assert!(others.collect::<std::collections::BTreeSet<_>>().len() > 16, "callers are spread");
    }
}
