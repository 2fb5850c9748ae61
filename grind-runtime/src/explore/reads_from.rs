//! What reads have seen in the runs so far, and which pairs of a write and a read to ask for next: the corpus of reads-from fuzzing (Wolff, Shi,
//! Duck, Mathur, Roychoudhury, ASPLOS 2024, section 4.2).
//!
//! What is asked for is a list of pairs, each wanted or to be avoided. A run that saw a pair which none before it saw leaves its list in the
//! corpus; the next is one of these, changed at one place. Rare runs are changed more often than usual ones.
//!
//! **Limits**: 1,024 lists of 8 pairs, words and pairs as many as one [`Profile`] has at most; 65,536 kinds of runs are counted.

use crate::model::sites::SiteId;
use crate::model::{Profile, ReadsFrom, SharedWord};
use crate::schedule::SplitMix64;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

const MOST_LISTS: usize = 1024;
const MOST_PAIRS: usize = 8;
const MOST_KINDS: usize = 1 << 16;
const MOST_KNOWN: usize = 1 << 16;
/// How often a pair is drawn again that a run has seen.
const TRIES: usize = 4;

/// A pair as the strategy takes it: wanted or not, one more than the site of the write, that of the read, the word.
type Pair = [u32; 4];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    lists: Vec<List>,
    seen: FxHashSet<ReadsFrom>,
    /// How many runs saw the same pairs as a whole.
    kinds: FxHashMap<u64, u32>,
    /// Where each word was read and written.
    words: BTreeMap<u32, SharedWord>,
    /// Those [of a kind](Profile::alike).
    alike: BTreeMap<Option<SiteId>, Vec<u32>>,
}

#[derive(Debug)]
struct List {
    pairs: Vec<Pair>,
    kind: u64,
}

impl Corpus {
    /// Takes what a run saw that was asked for these pairs.
    pub(super) fn learn(&mut self, profile: &Profile, asked: &[u32]) {
        for (word, shared) in &profile.shared {
            if self.words.len() >= MOST_KNOWN && !self.words.contains_key(word) {
                continue;
            }
            let known = self.words.entry(*word).or_insert_with(|| {
                self.alike.entry(shared.like()).or_default().push(*word);
                SharedWord::default()
            });
            known.reads.extend(&shared.reads);
            known.writes.extend(&shared.writes);
        }
        let mut hash = FxHasher::default();
        profile.reads_from.hash(&mut hash);
        let kind = hash.finish();
        if self.kinds.len() < MOST_KINDS || self.kinds.contains_key(&kind) {
            *self.kinds.entry(kind).or_default() += 1;
        }
        let mut news = false;
        for pair in &profile.reads_from {
            news |= self.seen.len() < MOST_KNOWN && self.seen.insert(*pair);
        }
        if news && self.lists.len() < MOST_LISTS {
            let pairs = asked.as_chunks().0.to_vec();
            self.lists.push(List { pairs, kind });
        }
    }

    /// What to ask for next.
    pub(super) fn next(&self, rng: &mut SplitMix64) -> Vec<u32> {
        let mut pairs = self
            .pick(rng)
            .map_or_else(Vec::new, |list| list.pairs.clone());
        self.change(&mut pairs, rng);
        pairs.as_flattened().to_vec()
    }

    /// One of the lists, the rarer its run was, the more often.
    fn pick(&self, rng: &mut SplitMix64) -> Option<&List> {
        /// What a run has that no other is like.
        const ALONE: u64 = 1 << 20;
        let energy = |list: &List| {
            let runs = self.kinds.get(&list.kind).copied().unwrap_or(1);
            ALONE / u64::from(runs.max(1)) + 1
        };
        rng.draw(self.lists.iter().map(|list| (list, energy(list))))
    }

    fn change(&self, pairs: &mut Vec<Pair>, rng: &mut SplitMix64) {
        let place = |pairs: &[Pair], rng: &mut SplitMix64| rng.below(pairs.len() as u64) as usize;
        // What there is to change; a pair more is as likely as all other changes.
        match rng.below(6) {
            0 if !pairs.is_empty() => drop(pairs.swap_remove(place(pairs, rng))),
            1 if !pairs.is_empty() => {
                let at = place(pairs, rng);
                pairs[at][0] ^= 1;
            }
            2 if !pairs.is_empty() => {
                let at = place(pairs, rng);
                pairs.swap_remove(at);
                pairs.extend(self.pair(rng));
            }
            _ => {
                if pairs.len() == MOST_PAIRS {
                    pairs.swap_remove(place(pairs, rng));
                }
                pairs.extend(self.pair(rng));
            }
        }
    }

    /// A write and a read of one word, if possible such as no run has seen, and wanted then.
    fn pair(&self, rng: &mut SplitMix64) -> Option<Pair> {
        let mut drawn = None;
        for _ in 0..TRIES {
            let &word = nth(nth(self.alike.values(), rng)?.iter(), rng)?;
            let shared = &self.words[&word];
            let Some(&read) = nth(shared.reads.iter(), rng) else {
                continue;
            };
            let writes = shared.writes.iter().copied().map(Some);
            let write = nth(std::iter::once(None).chain(writes), rng)?;
            let site = write.map_or(0, |site| site.0 + 1);
            // Memory that was allocated is elsewhere in another schedule.
            let place = if rng.below(2) == 0 { word } else { 0 };
            if !self.seen.contains(&ReadsFrom { word, write, read }) {
                return Some([1, site, read.0, place]);
            }
            let wanted = rng.below(2) as u32;
            drawn = Some([wanted, site, read.0, place]);
        }
        drawn
    }
}

fn nth<T>(all: impl Iterator<Item = T> + Clone, rng: &mut SplitMix64) -> Option<T> {
    let count = all.clone().count() as u64;
    let mut all = all;
    (count > 0).then(|| all.nth(rng.below(count) as usize))?
}
