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
use std::ops::RangeInclusive;

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
    /// Seeds that were not given out.
    left: RangeInclusive<u64>,
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
            left: seeds.seeds(),
            given: 0,
            profile: Profile::default(),
            corpus: Corpus::default(),
        }
    }

    /// Whose turn it is, with parameters by what is known of the program.
    fn turn(&mut self, seed: u64) -> Strategy {
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

    /// Parameters of `surw` for a word, drawn by how often it is accessed, as in the paper, or by its kind: most accesses are those of locks
    /// and counters of libraries.
    fn word(&self, rng: &mut SplitMix64) -> Vec<u32> {
        let shared = &self.profile.shared;
        let word = match rng.below(2) {
            0 => rng.draw(shared.iter().map(|(&word, shared)| {
                let accesses = shared.accesses.values().map(|&count| u64::from(count));
                (word, accesses.sum())
            })),
            _ => {
                let alike = self.profile.alike();
                let kind = rng.pick(alike.values());
                kind.and_then(|words| rng.pick(words.iter().copied()))
            }
        };
        let Some(word) = word else { return Vec::new() };
        // The run that is looked for may be one in which threads go on where they ended in the profile.
        let more = match rng.below(2) {
            0 => 0,
            _ => 1 + rng.below(2) as u32,
        };
        surw::parameters(&self.profile, word, more)
    }
}

impl Explorer for Rotation {
    fn next(&mut self) -> Option<Schedule> {
        let seed = self.left.next()?;
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
            given => given / 4,
        }
    }

    fn profiles(&self) -> bool {
        self.learns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ending;

    fn names(rotation: &mut Rotation) -> Vec<String> {
        let given = std::iter::from_fn(|| rotation.next());
        let name = |schedule: Schedule| match schedule {
            Schedule::Strategy { strategy, .. } => strategy.to_string(),
            Schedule::Decisions(_) => unreachable!("it gives out strategies"),
        };
        given.map(name).collect()
    }

    fn seeds(text: &str) -> SeedRange {
        text.parse().expect("a range")
    }

    #[test]
    fn strategies_take_turns_behind_two_profiles() {
        let names = names(&mut Rotation::new(seeds("0..21")));
        assert_eq!(names[..2], ["round-robin", "random"]);
        // Nobody told it anything, so that there are no parameters but the shortest length.
        let turn = |depth: u32| {
            let pct = format!("pct:{depth},16");
            ["rff", "surw", "rff", "surw", "pos", &pct].map(str::to_owned)
        };
        assert_eq!(names[2..8], turn(2));
        assert_eq!(names[8..14], turn(3));
        assert_eq!(names[14..20], turn(5));
    }

    #[test]
    fn one_in_64_is_random_whichever_seed_it_begins_with() {
        for range in ["0..200", "1000..1200"] {
            let names = names(&mut Rotation::new(seeds(range)));
            let random: Vec<usize> = (0..200).filter(|&at| names[at] == "random").collect();
            assert_eq!(random, [1, 63, 127, 191]);
        }
    }

    #[test]
    fn those_that_are_given_are_taken_as_they_are() {
        let of = |turns: &[&str]| {
            let turns = turns.iter().map(|turn| turn.parse().expect("a strategy"));
            names(&mut Rotation::of(turns.collect(), seeds("0..4")))
        };
        assert_eq!(of(&["pos"]), ["pos"; 4]);
        assert_eq!(
            of(&["pct:7,90", "pos"]),
            ["pct:7,90", "pos", "pct:7,90", "pos"]
        );
        // One that has to be told its length is told.
        assert_eq!(
            of(&["pct"]),
            ["round-robin", "random", "pct:2,16", "pct:3,16"]
        );
        assert_eq!(of(&[])[..2], ["round-robin", "random"]);
    }

    #[test]
    fn the_length_is_that_of_the_last_run() {
        let mut rotation = Rotation::of(vec!["pct".parse().expect("a strategy")], seeds("0..4"));
        for operations in [300, 400] {
            let schedule = rotation.next().expect("more");
            rotation.learn(&RunFeedback {
                schedule,
                ending: Ending::Returned,
                findings: 0,
                profile: Some(Profile {
                    operations,
                    ..Profile::default()
                }),
            });
        }
        assert_eq!(names(&mut rotation), ["pct:2,400", "pct:3,400"]);
    }
}
