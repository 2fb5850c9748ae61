//! Subjects: small programs with one concurrency bug each, to measure by how many schedules a strategy finds it.
//!
//! A subject is an exported function without parameters, `reorder`, and its twin in which no schedule fails is `reorder_fixed`. The
//! first argument of the program is the size, where a subject has one:
//!
//! ```text
//! grind run --invoke reorder wasm/subjects/subjects.wasm 5
//! ```
//!
//! All are told anew after descriptions: those of SCTBench (Thomson, Donaldson, Betts, TOPC 2016) and of the Chess examples in it,
//! Vyukov's SafeStack, the kinds of bugs that Qin et al. found in Rust programs (PLDI 2020), and textbooks. Sizes of SCTBench are
//! kept where they decide how hard a subject is (threads), and made smaller where they do not (elements).
//!
//! **No data races**: what threads share is atomic and sequentially consistent ([`guest::Word`]), so that each access is a scheduling point, or
//! belongs to a lock. What fails is an assertion ([`guest::check`], which traps), or threads wait for ever.
//!
//! **Few events**: threads have stacks of their own in static memory, nothing is allocated, formatted or printed. A schedule is to cost
//! microseconds, and its steps are to be those of the bug.
//!
//! In a header, *preemptions* is the least number of them that shows the bug: how often a thread has to be left that could go on.

#![feature(asm_experimental_arch, stdarch_wasm_atomic_wait)]

mod atomicity;
mod exclusion;
mod guest;
mod locks;
mod publication;
mod stacks;
mod turns;
mod waiting;
mod windows;
mod work_stealing;

/// Each subject is an entry of its own.
fn main() {}
