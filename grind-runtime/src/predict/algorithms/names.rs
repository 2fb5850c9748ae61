//! Dense numbers for the names of a trace file, and the names for the numbers.

use crate::predict::algorithms::event::{MAX_LOCKS, MAX_THREADS, MAX_VARIABLES, Op, ReadError};
use rustc_hash::FxHashMap;
use std::hash::Hash;

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Of accesses.
    Variable,
    /// Of acquire, release and request.
    Lock,
    /// Of fork and join.
    Thread,
    /// Of wait and notify.
    Condition,
    /// There is none.
    Nothing,
}

impl Op {
    /// What its operand is.
    pub fn operand(self) -> Operand {
        match self {
            Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite => Operand::Variable,
            Op::Acquire | Op::Release | Op::Request => Operand::Lock,
            Op::Fork | Op::Join => Operand::Thread,
            Op::Wait | Op::Needs | Op::Notify | Op::Load | Op::Store => Operand::Condition,
            Op::Begin | Op::End => Operand::Nothing,
        }
    }
}

#[derive(Clone, Debug)]
struct Table<K> {
    numbers: FxHashMap<K, u32>,
    names: Vec<K>,
}

impl<K: Eq + Hash + Clone> Table<K> {
    fn new() -> Self {
        Table {
            numbers: FxHashMap::default(),
            names: Vec::new(),
        }
    }

    /// `None` if `limit` names are known and this is none of them.
    fn number<Q>(&mut self, name: &Q, limit: u32) -> Option<u32>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(&number) = self.numbers.get(name) {
            return Some(number);
        }
        let number = u32::try_from(self.names.len())
            .ok()
            .filter(|&next| next < limit)?;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        Some(number)
    }
}

/// The names of one trace. `K` is what a format calls things by: text, or numbers that need not be dense.
#[derive(Clone, Debug)]
pub struct Names<K> {
    tables: [Table<K>; 4],
}

const WHAT: [(&str, u32); 4] = [
    ("threads", MAX_THREADS),
    ("locks", MAX_LOCKS),
    ("variables", MAX_VARIABLES),
    ("conditions", MAX_LOCKS),
];

fn table(operand: Operand) -> Option<usize> {
    match operand {
        Operand::Thread => Some(0),
        Operand::Lock => Some(1),
        Operand::Variable => Some(2),
        Operand::Condition => Some(3),
        Operand::Nothing => None,
    }
}

impl<K: Eq + Hash + Clone> Default for Names<K> {
    fn default() -> Self {
        Names {
            tables: [(); 4].map(|()| Table::new()),
        }
    }
}

impl<K: Eq + Hash + Clone> Names<K> {
    /// The number of `name`, a new one if it was not seen before; 0 for [`Operand::Nothing`].
    ///
    /// # Errors
    /// [`ReadError::TooMany`], with `event` in it, if there are too many names of that kind.
    pub fn number<Q>(&mut self, operand: Operand, name: &Q, event: u64) -> Result<u32, ReadError>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let Some(index) = table(operand) else {
            return Ok(0);
        };
        let (what, limit) = WHAT[index];
        self.tables[index]
            .number(name, limit)
            .ok_or(ReadError::TooMany { event, what, limit })
    }

    /// What `number` stands for.
    pub fn name(&self, operand: Operand, number: u32) -> Option<&K> {
        self.tables[table(operand)?].names.get(number as usize)
    }

    /// How many names of that kind occurred.
    pub fn count(&self, operand: Operand) -> usize {
        table(operand).map_or(0, |index| self.tables[index].names.len())
    }
}
