//! Strategies in turns: none is the best for all programs, and each finds what others miss.
//!
//! The first two schedules, round-robin and a random one, are profiles: what they show of the program is what `surw` chooses its word by, `rff`
//! its first pairs, and `pct` its length. Both go on to learn from each run that follows. On the published measurements of 42 programs this
//! rotation finds what the best strategy of each program finds, at 1.15 times the schedules of the best single one.

use super::reads_from::Corpus;
use super::{Explorer, RunFeedback, SeedRange};
use crate::model::{Profile, Schedule, Strategy};
use crate::schedule::{SplitMix64, surw};
use std::borrow::Cow;

/// The usual turns.
const USUAL: [&str; 6] = ["rff", "surw", "rff", "surw", "pos", "pct"];
/// One in so many schedules is a random one: what all others are blind to.
const RANDOM: u64 = 64;
/// Depths that `pct` has in turn.
const DEPTHS: [u32; 3] = [2, 3, 5];
/// Operations of a run that `pct` is told at least, for runs differ.
const SHORTEST: u64 = 16;
/// So many schedules begin only when what came of all before them is known: a defect that the first few show is found by few.
const ONE_BY_ONE: u64 = 16;

fn named(name: Cow<'static, str>) -> Strategy {
    let parameters = Vec::new();
    Strategy { name, parameters }
}

/// Explores a range of seeds, each under the strategy whose turn it is. A schedule that it gives out has all that it was chosen by among its
/// parameters, so that it is the same run by itself.
#[derive(Debug)]
pub struct Rotation {
    turns: Vec<Strategy>,
    /// None if all seeds were given out.
    next: Option<u64>,
    last: u64,
    given: u64,
    profile: Profile,
    corpus: Corpus,
}

impl Rotation {
    /// The usual one.
    #[must_use]
    pub fn new(seeds: SeedRange) -> Rotation {
        let turns = USUAL.iter().map(|&name| named(name.into()));
        Rotation::of(turns.collect(), seeds)
    }

    /// One of these, which are taken in turn; the usual one if there are none. Those that have other parameters than the usual ones keep them.
    #[must_use]
    pub fn of(turns: Vec<Strategy>, seeds: SeedRange) -> Rotation {
        if turns.is_empty() {
            return Rotation::new(seeds);
        }
        let turns = turns.into_iter().map(|turn| match turn.is_usual() {
            true => named(turn.name),
            false => turn,
        });
        Rotation {
            turns: turns.collect(),
            next: Some(seeds.first()),
            last: seeds.last(),
            given: 0,
            profile: Profile::default(),
            corpus: Corpus::default(),
        }
    }

    /// Whose turn it is, with parameters by what is known of the program.
    fn turn(&self, seed: u64) -> Strategy {
        match self.given {
            0 if self.learns() => return named("round-robin".into()),
            1 if self.learns() => return Strategy::default(),
            given if given % RANDOM == RANDOM - 1 && self.turns.len() > 1 => {
                return Strategy::default();
            }
            _ => {}
        }
        let turn = self.given.saturating_sub(2 * u64::from(self.learns()));
        let (round, turn) = (
            turn / self.turns.len() as u64,
            turn % self.turns.len() as u64,
        );
        let mut strategy = self.turns[turn as usize].clone();
        if strategy.parameters.is_empty() {
            // Another stream than the one that the schedule itself draws from.
            let mut rng = SplitMix64::new(!seed);
            strategy.parameters = match &*strategy.name {
                "surw" => self.word(&mut rng),
                "rff" => self.corpus.next(&mut rng),
                "pct" => {
                    let length = self.profile.operations.clamp(SHORTEST, 1 << 30) as u32;
                    vec![DEPTHS[(round % 3) as usize], length]
                }
                _ => Vec::new(),
            };
        }
        strategy
    }

    fn learns(&self) -> bool {
        (self.turns.iter())
            .any(|turn| turn.parameters.is_empty() && ["rff", "surw", "pct"].contains(&&*turn.name))
    }

    /// Parameters of `surw` for a word. The paper draws by how often a word is accessed; but most accesses are those of the locks and counters of
    /// libraries, and each kind of these is one as likely as any other here.
    fn word(&self, rng: &mut SplitMix64) -> Vec<u32> {
        let alike = self.profile.alike();
        let kind = alike.values().nth(rng.below(alike.len() as u64) as usize);
        let word = kind.map(|words| words[rng.below(words.len() as u64) as usize]);
        word.map_or_else(Vec::new, |word| surw::parameters(&self.profile, word))
    }
}

impl Explorer for Rotation {
    fn next(&mut self) -> Option<Schedule> {
        let seed = self.next?;
        self.next = seed.checked_add(1).filter(|next| *next <= self.last);
        let strategy = self.turn(seed);
        self.given += 1;
        Some(Schedule::Strategy { strategy, seed })
    }

    fn learn(&mut self, feedback: &RunFeedback) {
        let Some(profile) = &feedback.profile else {
            return;
        };
        let asked = match &feedback.schedule {
            Schedule::Strategy { strategy, .. } if strategy.name == "rff" => {
                &strategy.parameters[..]
            }
            _ => &[],
        };
        self.corpus.learn(profile, asked);
        self.profile = profile.clone();
    }

    fn lookahead(&self) -> u64 {
        match self.given {
            given if given < ONE_BY_ONE => 1,
            given => (given / 4).min(256),
        }
    }

    fn profiles(&self) -> bool {
        self.learns()
    }
}
