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
/// Pairs that are drawn, of which the one is taken that was asked for least.
const DRAWN: usize = 8;

/// A pair as the strategy takes it: wanted or not, one more than the site of the write, that of the read, the word.
type Pair = [u32; 4];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    lists: Vec<List>,
    seen: FxHashSet<ReadsFrom>,
    /// How often each pair was asked for.
    asked: FxHashMap<ReadsFrom, u32>,
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
    pub(super) fn next(&mut self, rng: &mut SplitMix64) -> Vec<u32> {
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

    fn change(&mut self, pairs: &mut Vec<Pair>, rng: &mut SplitMix64) {
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
    fn pair(&mut self, rng: &mut SplitMix64) -> Option<Pair> {
        let drawn: Vec<ReadsFrom> = (0..DRAWN).filter_map(|_| self.draw(rng)).collect();
        let rank = |pair: &&ReadsFrom| {
            let asked = self.asked.get(*pair).copied().unwrap_or(0);
            (self.seen.contains(*pair), asked)
        };
        let pair = *drawn.iter().min_by_key(rank)?;
        if self.asked.len() < MOST_KNOWN || self.asked.contains_key(&pair) {
            *self.asked.entry(pair).or_default() += 1;
        }
        let ReadsFrom { word, write, read } = pair;
        let site = write.map_or(0, |site| site.0 + 1);
        // Memory that was allocated is elsewhere in another schedule.
        let place = if rng.below(2) == 0 { word } else { 0 };
        let wanted = !self.seen.contains(&pair) || rng.below(2) == 1;
        Some([wanted.into(), site, read.0, place])
    }

    fn draw(&self, rng: &mut SplitMix64) -> Option<ReadsFrom> {
        let alike = rng.pick(self.alike.values())?;
        let word = rng.pick(alike.iter().copied())?;
        let shared = &self.words[&word];
        let read = rng.pick(shared.reads.iter().copied())?;
        let writes = shared.writes.iter().copied().map(Some);
        let write = rng.pick(std::iter::once(None).chain(writes))?;
        Some(ReadsFrom { word, write, read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A run that accessed a word, in which the read saw this write.
    fn saw(write: Option<u32>) -> Profile {
        let word = SharedWord {
            accesses: [(0, 1), (1, 3)].into(),
            reads: [SiteId(9)].into(),
            writes: [SiteId(1), SiteId(2), SiteId(3)].into(),
        };
        let pair = ReadsFrom {
            word: 16,
            write: write.map(SiteId),
            read: SiteId(9),
        };
        Profile {
            shared: [(16, word)].into(),
            reads_from: [pair].into(),
            ..Profile::default()
        }
    }

    #[test]
    fn pairs_that_no_run_saw_are_asked_for() {
        let mut corpus = Corpus::default();
        let mut rng = SplitMix64::new(7);
        assert_eq!(corpus.next(&mut rng), [] as [u32; 0]);
        corpus.learn(&saw(None), &[]);
        let asked: Vec<Vec<u32>> = (0..500).map(|_| corpus.next(&mut rng)).collect();
        // All are of this word or any, and of its sites.
        for pair in asked.iter().flat_map(|pairs| pairs.as_chunks::<4>().0) {
            let &[wanted, write, read, word] = pair;
            assert!(wanted <= 1 && read == 9 && (word == 0 || word == 16));
            assert!([0, 2, 3, 4].contains(&write), "{pair:?}");
        }
        let wanted = |write: u32| {
            let is_wanted = |pairs: &&Vec<u32>| pairs[..2] == [1, write];
            asked.iter().filter(is_wanted).count()
        };
        assert!(wanted(2) > 60 && wanted(3) > 60 && wanted(4) > 60);
        assert!(wanted(0) < 60, "a run has seen it");
    }

    #[test]
    fn what_showed_news_is_changed_further() {
        let mut corpus = Corpus::default();
        let mut rng = SplitMix64::new(7);
        corpus.learn(&saw(None), &[]);
        corpus.learn(&saw(Some(2)), &[1, 3, 9, 16]);
        // No news, so nothing to go on from.
        corpus.learn(&saw(Some(2)), &[0, 1, 9, 16]);
        let asked: BTreeSet<Vec<u32>> = (0..500).map(|_| corpus.next(&mut rng)).collect();
        let begins = |with: &[u32]| asked.iter().any(|pairs| pairs.starts_with(with));
        assert!(begins(&[1, 3, 9, 16, 1, 2, 9]) && begins(&[0, 3, 9, 16]));
        assert!(!begins(&[0, 1, 9, 16, 1]));
        assert!(asked.iter().all(|pairs| pairs.len() <= 4 * MOST_PAIRS));
    }
}
