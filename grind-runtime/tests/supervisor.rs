//! Supervisors: OTP's rules, the faults that supervisors of others are known for, and that all of it follows from the seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::host::supervisor::{
    AutoShutdown, Backoff, ChildEnd, ChildSpec, Count, Intensity, Progress, Restart, Shutdown,
    SpecError, Strategy, Supervisor, SupervisorEnd, SupervisorError, SupervisorReport,
    SupervisorSpec, What,
};
use grind_runtime::host::{JoinError, ThreadRuntime};
use grind_runtime::session::ReplayOptions;
use grind_runtime::{ActError, NullIo, Program, RunOptions, Value, replay};
use recording::{Memory, open};
use std::time::Duration;

/// Numbers of calls are counted at 64 + 4n; stop flags are at 128 + 4n.
const GUEST: &str = r#"(module
    (memory (export "memory") 1 1 shared)
    (func $sleep (param $ns i64)
        (drop (memory.atomic.wait32 (i32.const 1024) (i32.const 0) (local.get $ns))))
    (func (export "return_after") (param $ns i64) (result i32)
        (call $sleep (local.get $ns)) (i32.const 5))
    (func (export "trap_after") (param $ns i64) (call $sleep (local.get $ns)) unreachable)
    (func $serve (export "serve") (param $flag i32)
        (loop $again
            (drop (memory.atomic.wait32 (local.get $flag) (i32.const 0) (i64.const -1)))
            (br_if $again (i32.eqz (i32.atomic.load (local.get $flag))))))
    (func (export "serve_and_end_slowly") (param $flag i32) (param $ns i64)
        (call $serve (local.get $flag))
        (call $sleep (local.get $ns)))
    (func (export "serve_and_trap") (param $flag i32)
        (call $serve (local.get $flag)) unreachable)
    (func (export "spin") (loop $for_ever (br $for_ever)))
    ;; Traps, or returns, after so long the first times, then serves.
    (func (export "flap") (param $counter i32) (param $times i32) (param $traps i32) (param $ns i64)
        (param $flag i32)
        (if (i32.lt_u (i32.atomic.rmw.add (local.get $counter) (i32.const 1)) (local.get $times))
            (then
                (call $sleep (local.get $ns))
                (if (local.get $traps) (then unreachable))
                (return)))
        (call $serve (local.get $flag)))
    (func (export "write") (i32.store (i32.const 2048) (i32.const 1))))"#;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn program() -> Program {
    Program::new(&wat::parse_str(GUEST).unwrap()).unwrap()
}

fn runtime(seed: u64) -> ThreadRuntime<NullIo> {
    ThreadRuntime::with_program(&program(), RunOptions::seeded(seed), NullIo).unwrap()
}

fn ns(time: Duration) -> Value {
    Value::I64(i64::try_from(time.as_nanos()).unwrap())
}

/// Serves until it is asked to end.
fn server(id: &str, number: i32) -> ChildSpec {
    let flag = 128 + 4 * number;
    ChildSpec::worker(id, "serve", [Value::I32(flag)]).stop_flag(flag.cast_unsigned())
}

/// Ends so often after so long, and serves then.
fn flapping(id: &str, number: i32, times: i32, traps: bool, after: Duration) -> ChildSpec {
    let (counter, flag) = (64 + 4 * number, 128 + 4 * number);
    let args = [
        Value::I32(counter),
        Value::I32(times),
        Value::I32(traps.into()),
        ns(after),
        Value::I32(flag),
    ];
    ChildSpec::worker(id, "flap", args).stop_flag(flag.cast_unsigned())
}

fn trapping(id: &str, after: Duration) -> ChildSpec {
    ChildSpec::worker(id, "trap_after", [ns(after)])
}

fn supervisor(spec: SupervisorSpec) -> Supervisor {
    Supervisor::new(spec).unwrap()
}

/// Runs it for so long, in which it does not end. Returns the names of those that run.
fn pending(
    supervisor: &mut Supervisor,
    runtime: &ThreadRuntime<NullIo>,
    time: Duration,
) -> Vec<String> {
    match supervisor.run_for(runtime, time).unwrap() {
        Progress::Pending(pending) => pending.iter().map(|one| one.path.join("/")).collect(),
        Progress::Ended(report) => panic!("it has ended: {report}"),
    }
}

fn restarts(report: &SupervisorReport) -> Vec<u64> {
    report.children.iter().map(|child| child.restarts).collect()
}

fn limit_of(child: &str, max_restarts: u32, max_seconds: Duration) -> Option<SupervisorEnd> {
    Some(SupervisorEnd::LimitReached {
        child: child.to_owned(),
        max_restarts,
        max_seconds,
    })
}

/// Who was asked, killed or found ended, in order.
fn ends(report: &SupervisorReport) -> Vec<(&str, &ChildEnd)> {
    fn ended(what: &What) -> Option<&ChildEnd> {
        match what {
            What::Ended(end) => Some(end),
            _ => None,
        }
    }
    (report.history.iter())
        .filter_map(|one| Some((one.child.as_str(), ended(&one.what)?)))
        .collect()
}

#[test]
fn each_strategy_restarts_whom_it_says_after_each_end() {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
            for traps in [true, false] {
                let runtime = runtime(1);
                let middle = flapping("b", 1, 1, traps, MS).restart(restart);
                let spec = SupervisorSpec::new(strategy)
                    .child(server("a", 0))
                    .child(middle)
                    .child(server("c", 2));
                let mut supervisor = supervisor(spec);
                let running = pending(&mut supervisor, &runtime, 100 * MS);
                let again = match restart {
                    Restart::Permanent => true,
                    Restart::Transient => traps,
                    Restart::Temporary => false,
                };
                let expected = match (again, strategy) {
                    (false, _) => [0, 0, 0],
                    (true, Strategy::OneForOne) => [0, 1, 0],
                    (true, Strategy::OneForAll) => [1, 1, 1],
                    (true, Strategy::RestForOne) => [0, 1, 1],
                };
                let case = format!("{strategy:?} {restart:?}, traps: {traps}");
                assert_eq!(restarts(&supervisor.report()), expected, "{case}");
                let all = if again {
                    vec!["a", "b", "c"]
                } else {
                    vec!["a", "c"]
                };
                assert_eq!(running, all, "{case}");
                let count = Count {
                    specs: 3,
                    active: all.len(),
                    supervisors: 0,
                    workers: 3,
                };
                assert_eq!(supervisor.count_children(), count, "{case}");
                // The last that was started is stopped first.
                let report = supervisor.stop(&runtime).unwrap();
                assert_eq!(report.end, Some(SupervisorEnd::Stopped), "{case}");
                let stopped: Vec<&str> = ends(&report).iter().map(|(id, _)| *id).collect();
                let reverse: Vec<&str> = all.iter().rev().copied().collect();
                assert_eq!(stopped[stopped.len() - all.len()..], reverse, "{case}");
                for id in &all {
                    let end = &report.child(id).unwrap().end;
                    assert_eq!(*end, Some(ChildEnd::Stopped), "{case}");
                }
                assert_eq!(supervisor.count_children().active, 0);
                let outcome = runtime.finish().unwrap();
                assert!(outcome.analysis.diagnoses.len() <= 1, "the trap, if any");
            }
        }
    }
}

#[test]
fn a_temporary_child_is_not_restarted_where_another_s_end_stopped_it() {
    for (strategy, restarted) in [
        (Strategy::OneForAll, [1, 1, 0]),
        (Strategy::RestForOne, [0, 1, 0]),
        (Strategy::OneForOne, [0, 1, 0]),
    ] {
        let runtime = runtime(1);
        let spec = SupervisorSpec::new(strategy)
            .child(server("a", 0))
            .child(flapping("b", 1, 1, true, MS))
            .child(server("c", 2).restart(Restart::Temporary));
        let mut supervisor = supervisor(spec);
        let running = pending(&mut supervisor, &runtime, 100 * MS);
        let report = supervisor.report();
        assert_eq!(restarts(&report), restarted);
        let stays = strategy == Strategy::OneForOne;
        assert_eq!(running.contains(&"c".to_owned()), stays);
        let end = &report.child("c").unwrap().end;
        assert_eq!(*end, (!stays).then_some(ChildEnd::Stopped));
    }
}

#[test]
fn one_for_all_starts_those_again_that_had_ended_in_order() {
    let runtime = runtime(1);
    let ended = ChildSpec::worker("a", "return_after", [ns(MS)]).restart(Restart::Transient);
    let spec = SupervisorSpec::new(Strategy::OneForAll)
        .child(ended)
        .child(flapping("b", 1, 1, true, 5 * MS));
    let mut supervisor = supervisor(spec);
    assert_eq!(pending(&mut supervisor, &runtime, 100 * MS), ["b"]);
    let report = supervisor.report();
    assert_eq!(restarts(&report), [1, 1]);
    let end = &report.child("a").unwrap().end;
    assert_eq!(*end, Some(ChildEnd::Returned(vec![Value::I32(5)])));
}

#[test]
fn a_child_that_dies_at_once_for_ever_reaches_the_limit() {
    for (spec, allowed, time) in [
        (SupervisorSpec::new(Strategy::OneForOne), 1, 5 * S),
        (
            SupervisorSpec::new(Strategy::OneForOne)
                .max_restarts(7)
                .max_seconds(S),
            7,
            S,
        ),
        // What is waited for before a restart is longer than the time in which restarts are counted.
        (
            SupervisorSpec::new(Strategy::OneForOne)
                .max_restarts(3)
                .max_seconds(MS)
                .backoff(Backoff::default().initial(10 * MS)),
            3,
            MS,
        ),
        (
            SupervisorSpec::new(Strategy::OneForAll)
                .max_restarts(0)
                .backoff(Backoff::none()),
            0,
            5 * S,
        ),
    ] {
        let runtime = runtime(1);
        let spec = spec
            .child(server("stays", 0))
            .child(trapping("dies", Duration::ZERO));
        let report = supervisor(spec).run(&runtime).unwrap();
        assert_eq!(report.end, limit_of("dies", allowed, time));
        let dies = report.child("dies").unwrap();
        assert_eq!(dies.restarts, u64::from(allowed));
        assert!(matches!(dies.end, Some(ChildEnd::Trapped(_))));
        let stays = report.child("stays").unwrap();
        assert_eq!(stays.end, Some(ChildEnd::Stopped));
        let text = report.to_string();
        let said = format!("shutdown: more than {allowed} restarts within {time:?}");
        assert!(text.starts_with(&said), "{text}");
    }
}

#[test]
fn the_time_counts_and_not_the_number_of_restarts() {
    let runs_for = |ran: Duration, times: i32| {
        let runtime = runtime(1);
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .max_restarts(2)
            .max_seconds(S)
            .child(flapping("a", 0, times, true, ran));
        let mut supervisor = supervisor(spec);
        match supervisor.run_for(&runtime, 100 * S).unwrap() {
            Progress::Ended(report) => (report.end.clone(), report.restarts),
            Progress::Pending(_) => (None, supervisor.report().restarts),
        }
    };
    // Twenty restarts, of which no three are within a second.
    assert_eq!(runs_for(501 * MS, 20), (None, 20));
    assert_eq!(runs_for(499 * MS, 20), (limit_of("a", 2, S), 2));
}

#[test]
fn children_that_take_long_to_stop_do_not_hide_the_limit() {
    // Stopping takes longer than max_seconds / max_restarts: with a clock that goes on meanwhile, this never ends.
    let runtime = runtime(1);
    let slow = ChildSpec::worker(
        "slow",
        "serve_and_end_slowly",
        [Value::I32(128), ns(10 * S)],
    );
    let slow = slow.stop_flag(128).shutdown(Shutdown::Timeout(20 * S));
    let spec = SupervisorSpec::new(Strategy::OneForAll)
        .child(slow)
        .child(trapping("dies", MS));
    let mut supervisor = supervisor(spec);
    let Progress::Ended(report) = supervisor.run_for(&runtime, 1000 * S).unwrap() else {
        panic!("it is restarted for ever")
    };
    assert_eq!(report.end, limit_of("dies", 1, 5 * S));
    let slow = report.child("slow").unwrap();
    assert_eq!(
        (slow.restarts, slow.end.clone()),
        (1, Some(ChildEnd::Stopped))
    );
    assert!(runtime.now().unwrap() > 20 * S);
}

#[test]
fn one_flapping_child_does_not_take_its_siblings_with_it() {
    // Within the limit, they do not notice.
    let runtime = runtime(1);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .max_restarts(5)
        .child(server("a", 0))
        .child(flapping("b", 1, 5, true, MS))
        .child(server("c", 2));
    let mut supervised = supervisor(spec);
    assert_eq!(pending(&mut supervised, &runtime, 20 * S), ["a", "b", "c"]);
    assert_eq!(restarts(&supervised.report()), [0, 5, 0]);

    // Beyond a limit of its own, it is given up alone; beyond that of its supervisor, all are.
    for own in [true, false] {
        let runtime = self::runtime(1);
        let mut flaps = trapping("b", MS);
        if own {
            flaps = flaps.intensity(Intensity::new(2, S));
        }
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(server("a", 0))
            .child(flaps)
            .child(server("c", 2));
        let mut supervised = supervisor(spec);
        let progress = supervised.run_for(&runtime, 20 * S).unwrap();
        let report = supervised.report();
        assert_eq!(matches!(progress, Progress::Pending(_)), own);
        assert_eq!(report.child("b").unwrap().given_up, own);
        assert_eq!(restarts(&report), if own { [0, 2, 0] } else { [0, 1, 0] });
        assert_eq!(supervised.count_children().active, if own { 2 } else { 0 });
        assert_eq!(report.to_string().contains("b, 2 restarts: given up"), own);
    }
}

#[test]
fn children_are_counted_after_restarts_as_before() {
    let runtime = runtime(1);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .max_restarts(100)
        .child(server("a", 0))
        .child(flapping("b", 1, 30, true, MS))
        .child(ChildSpec::supervisor(
            "c",
            SupervisorSpec::new(Strategy::OneForOne).child(server("d", 2)),
        ));
    let mut supervisor = supervisor(spec);
    let expected = Count {
        specs: 3,
        active: 3,
        supervisors: 1,
        workers: 2,
    };
    assert_eq!(supervisor.count_children().active, 0);
    pending(&mut supervisor, &runtime, Duration::ZERO);
    assert_eq!(supervisor.count_children(), expected);
    assert_eq!(
        pending(&mut supervisor, &runtime, 60 * S),
        ["a", "b", "c/d"]
    );
    assert_eq!(restarts(&supervisor.report()), [0, 30, 0]);
    assert_eq!(supervisor.count_children(), expected);
    supervisor.stop(&runtime).unwrap();
    let none = Count {
        active: 0,
        ..expected
    };
    assert_eq!(supervisor.count_children(), none);
}

#[test]
fn a_supervisor_around_another_does_not_swallow_the_limit() {
    for (restart, inner_runs) in [
        (Restart::Permanent, 2),
        (Restart::Transient, 1),
        (Restart::Temporary, 1),
    ] {
        let runtime = runtime(1);
        let inner = SupervisorSpec::new(Strategy::OneForOne).child(trapping("dies", MS));
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::supervisor("inner", inner).restart(restart));
        let report = supervisor(spec).run(&runtime).unwrap();
        // Always restarted, its limits are restarts of its own. In OTP, its reason is `shutdown`, after which a transient one is not.
        match restart {
            Restart::Permanent => assert_eq!(report.end, limit_of("inner", 1, 5 * S)),
            _ => assert_eq!(report.end, Some(SupervisorEnd::Finished)),
        }
        let inner = report.child("inner").unwrap();
        assert_eq!(inner.restarts + 1, inner_runs);
        let limit = limit_of("dies", 1, 5 * S).unwrap();
        assert_eq!(inner.end, Some(ChildEnd::Supervisor(Box::new(limit))));
        let within = inner.supervisor.as_ref().unwrap();
        assert_eq!(within.end, limit_of("dies", 1, 5 * S));
        assert!(report.to_string().contains("the last one of `dies`"));
        let outcome = runtime.finish().unwrap();
        // Each run of the inner one is two of its child.
        assert_eq!(u64::from(outcome.stats.threads), 1 + 2 * inner_runs);
    }
}

#[test]
fn each_child_is_stopped_as_its_specification_says() {
    let slow = |id: &str, number: i32, takes: Duration| {
        let flag = 128 + 4 * number;
        let args = [Value::I32(flag), ns(takes)];
        ChildSpec::worker(id, "serve_and_end_slowly", args).stop_flag(flag.cast_unsigned())
    };
    let runtime = runtime(1);
    let traps = ChildSpec::worker("traps", "serve_and_trap", [Value::I32(144)]).stop_flag(144);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .child(slow("in time", 0, 4 * S))
        .child(slow("late", 1, 6 * S))
        .child(slow("short", 2, 2 * S).shutdown(Shutdown::Timeout(S)))
        .child(server("killed", 3).shutdown(Shutdown::BrutalKill))
        .child(traps)
        .child(ChildSpec::worker("deaf", "spin", []))
        .child(
            ChildSpec::worker("deaf and asked", "spin", [])
                .stop_flag(148)
                .shutdown(Shutdown::Timeout(50 * MS)),
        );
    let mut supervisor = supervisor(spec);
    assert_eq!(pending(&mut supervisor, &runtime, MS).len(), 7);
    let before = runtime.now().unwrap();
    let report = supervisor.stop(&runtime).unwrap();
    let end = |id: &str| report.child(id).unwrap().end.clone().unwrap();
    assert_eq!(end("in time"), ChildEnd::Stopped);
    for id in ["late", "short", "killed", "deaf", "deaf and asked"] {
        assert_eq!(end(id), ChildEnd::Killed, "{id}");
    }
    assert!(matches!(end("traps"), ChildEnd::Trapped(_)));
    // One after the other: 50 ms for the one that spins, 1 s, 5 s and 4 s.
    let took = runtime.now().unwrap() - before - 50 * MS;
    assert!((10 * S..10 * S + 10 * MS).contains(&took), "{took:?}");
    let order: Vec<&str> = ends(&report).iter().map(|(id, _)| *id).collect();
    let mut expected = [
        "in time",
        "late",
        "short",
        "killed",
        "traps",
        "deaf",
        "deaf and asked",
    ];
    expected.reverse();
    assert_eq!(order, expected);
}

#[test]
fn a_supervisor_below_has_the_time_that_it_is_given() {
    for (shutdown, end) in [
        (Shutdown::Infinity, ChildEnd::Stopped),
        (Shutdown::Timeout(20 * S), ChildEnd::Stopped),
        (Shutdown::Timeout(S), ChildEnd::Killed),
        (Shutdown::BrutalKill, ChildEnd::Killed),
    ] {
        let runtime = runtime(1);
        let slow = ChildSpec::worker("slow", "serve_and_end_slowly", [Value::I32(128), ns(4 * S)]);
        let inner = SupervisorSpec::new(Strategy::OneForOne).child(slow.stop_flag(128));
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(ChildSpec::supervisor("inner", inner).shutdown(shutdown));
        let mut supervisor = supervisor(spec);
        assert_eq!(pending(&mut supervisor, &runtime, MS), ["inner/slow"]);
        let report = supervisor.stop(&runtime).unwrap();
        let inner = report.child("inner").unwrap();
        let stopped = ChildEnd::Supervisor(Box::new(SupervisorEnd::Stopped));
        assert_eq!(inner.end, Some(stopped));
        let slow = inner.supervisor.as_ref().unwrap().child("slow").unwrap();
        assert_eq!(slow.end, Some(end), "{shutdown:?}");
    }
}

#[test]
fn significant_children_end_their_supervisor() {
    let child = |id: &str, number: i32, after: Duration| {
        flapping(id, number, 1, false, after)
            .restart(Restart::Transient)
            .significant(true)
    };
    for (auto, end) in [
        (AutoShutdown::AnySignificant, "a"),
        (AutoShutdown::AllSignificant, "b"),
    ] {
        let runtime = runtime(1);
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .auto_shutdown(auto)
            .child(child("a", 0, MS))
            .child(child("b", 1, 2 * MS))
            .child(server("c", 2));
        let report = supervisor(spec).run(&runtime).unwrap();
        let child = end.to_owned();
        assert_eq!(report.end, Some(SupervisorEnd::AutoShutdown { child }));
        assert_eq!(report.child("c").unwrap().end, Some(ChildEnd::Stopped));
    }
    // One that is restarted has not ended.
    let runtime = runtime(1);
    let traps = flapping("a", 0, 1, true, MS)
        .restart(Restart::Transient)
        .significant(true);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(traps);
    assert_eq!(pending(&mut supervisor(spec), &runtime, S), ["a"]);
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let one = |child: ChildSpec| SupervisorSpec::new(Strategy::OneForOne).child(child);
    let name = || "a".to_owned();
    let significant = server("a", 0).significant(true);
    let mut deep = SupervisorSpec::new(Strategy::OneForOne);
    for _ in 0..64 {
        deep = one(ChildSpec::supervisor("a", deep));
    }
    let nested = |flag: i32| ChildSpec::supervisor("s", one(server("b", flag)));
    let cases = [
        (
            one(significant.clone()).auto_shutdown(AutoShutdown::AnySignificant),
            SpecError::SignificantPermanent(name()),
        ),
        (
            one(significant.restart(Restart::Transient)),
            SpecError::SignificantForNothing(name()),
        ),
        (
            one(server("a", 0).shutdown(Shutdown::Infinity)),
            SpecError::InfiniteWorker(name()),
        ),
        (
            one(server("a", 0)).child(server("a", 1)),
            SpecError::SameId(name()),
        ),
        (
            one(server("a", 0)).child(nested(0)),
            SpecError::SameStopFlag(128),
        ),
        (
            one(server("a", 0).stop_flag(130)),
            SpecError::UnalignedStopFlag {
                id: name(),
                address: 130,
            },
        ),
        (
            one(ChildSpec::supervisor("a", one(server("b", 0))).stop_flag(132)),
            SpecError::StopFlagOfSupervisor(name()),
        ),
        (
            SupervisorSpec::new(Strategy::OneForAll)
                .child(server("a", 0).intensity(Intensity::default())),
            SpecError::OwnIntensity(name()),
        ),
        (
            one(server("a", 0)).max_seconds(Duration::ZERO),
            SpecError::NoTime,
        ),
        (deep, SpecError::TooDeep),
    ];
    for (spec, why) in cases {
        assert_eq!(Supervisor::new(spec).err(), Some(why));
    }
    assert!(Supervisor::new(one(server("a", 0)).child(nested(1))).is_ok());
}

#[test]
fn what_cannot_be_started_is_told_and_the_others_are_stopped() {
    let runtime = runtime(1);
    let gone = ChildSpec::worker("gone", "gone", []);
    let no_flag = server("no flag", 0).stop_flag(1 << 20);
    for (child, why) in [
        (gone.clone(), ActError::NoFunction("gone".to_owned())),
        (
            no_flag,
            ActError::OutOfBounds {
                addr: 1 << 20,
                len: 4,
            },
        ),
    ] {
        let id = child.id.clone();
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(server("a", 1))
            .child(child)
            .child(server("b", 2));
        let report = supervisor(spec).run(&runtime).unwrap();
        let why = Some(why);
        assert_eq!(
            report.end,
            Some(SupervisorEnd::NotStarted { child: id, why })
        );
        assert_eq!(report.child("a").unwrap().end, Some(ChildEnd::Stopped));
        assert_eq!(report.child("b").unwrap().end, None);
    }
    // One below says so as well.
    let inner = SupervisorSpec::new(Strategy::OneForOne).child(gone);
    let spec =
        SupervisorSpec::new(Strategy::OneForOne).child(ChildSpec::supervisor("inner", inner));
    let report = supervisor(spec).run(&runtime).unwrap();
    let (child, why) = ("inner".to_owned(), None);
    assert_eq!(report.end, Some(SupervisorEnd::NotStarted { child, why }));
    assert!(report.to_string().contains("no exported function `gone`"));
}

#[test]
fn a_restart_that_finds_no_room_counts_as_one() {
    let mut options = RunOptions::seeded(1);
    options.spec.limits.threads = 2;
    let runtime = ThreadRuntime::with_program(&program(), options, NullIo).unwrap();
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .max_restarts(3)
        .child(trapping("dies", MS));
    let mut supervisor = supervisor(spec);
    // It waits for its restart, and somebody else takes its place.
    assert!(pending(&mut supervisor, &runtime, 2 * MS).is_empty());
    let spins = runtime.spawn("spin", []).unwrap();
    let report = supervisor.run(&runtime).unwrap();
    assert_eq!(report.end, limit_of("dies", 3, 5 * S));
    let dies = report.child("dies").unwrap();
    let no_room = ChildEnd::NotStarted(ActError::TooManyThreads);
    assert_eq!((dies.restarts, &dies.end), (3, &Some(no_room)));
    spins.abort();
    assert_eq!(runtime.finish().unwrap().limits_reached.len(), 1);
}

#[test]
fn a_restart_that_waits_is_forgotten_while_others_are_stopped() {
    let runtime = runtime(1);
    let slow = [Value::I32(128), ns(4 * S)];
    let backoff = Backoff::default().initial(100 * MS);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .backoff(backoff)
        .child(trapping("waits", MS))
        .child(trapping("too many", 50 * MS))
        .child(ChildSpec::worker("slow", "serve_and_end_slowly", slow).stop_flag(128));
    let report = supervisor(spec).run(&runtime).unwrap();
    assert_eq!(report.end, limit_of("too many", 1, 5 * S));
    assert_eq!(restarts(&report), [0, 0, 0]);
    assert_eq!(report.child("slow").unwrap().end, Some(ChildEnd::Stopped));
}

#[test]
fn an_abort_from_outside_is_no_normal_end() {
    for (restart, again) in [
        (Restart::Permanent, 1),
        (Restart::Transient, 1),
        (Restart::Temporary, 0),
    ] {
        let runtime = runtime(1);
        let spec = SupervisorSpec::new(Strategy::OneForOne)
            .child(server("a", 0).restart(restart))
            .child(server("b", 1));
        let mut supervisor = supervisor(spec);
        let Progress::Pending(handles) = supervisor.run_for(&runtime, MS).unwrap() else {
            panic!("it serves")
        };
        handles[0].handle.abort();
        // Whoever joins it does not keep its supervisor from seeing its end.
        if restart == Restart::Transient {
            assert!(handles[0].handle.join().is_err());
        }
        pending(&mut supervisor, &runtime, S);
        let report = supervisor.report();
        let a = report.child("a").unwrap();
        assert_eq!((a.restarts, &a.end), (again, &Some(ChildEnd::Aborted)));
    }
}

#[test]
fn a_supervisor_without_children_left_has_ended() {
    let runtime = runtime(1);
    let report = supervisor(SupervisorSpec::new(Strategy::OneForAll)).run(&runtime);
    assert_eq!(report.unwrap().end, Some(SupervisorEnd::Finished));
    let ends = ChildSpec::worker("a", "return_after", [ns(MS)]).restart(Restart::Temporary);
    let mut supervisor = supervisor(SupervisorSpec::new(Strategy::OneForOne).child(ends));
    let report = supervisor.run(&runtime).unwrap();
    assert_eq!(report.end, Some(SupervisorEnd::Finished));
    let returned = ChildEnd::Returned(vec![Value::I32(5)]);
    assert_eq!(report.child("a").unwrap().end, Some(returned));
    // It stays so.
    assert_eq!(supervisor.stop(&runtime).unwrap(), report);
}

#[test]
fn a_supervisor_that_waits_for_ever_says_so_and_goes_on_later() {
    let runtime = runtime(1);
    let mut supervised = supervisor(SupervisorSpec::new(Strategy::OneForOne).child(server("a", 0)));
    let blocked = supervised.run(&runtime);
    assert!(matches!(
        blocked,
        Err(SupervisorError::Join(JoinError::Blocked))
    ));
    let other = self::runtime(1);
    let refused = supervised.run(&other);
    assert!(matches!(refused, Err(SupervisorError::OtherRuntime)));
    let report = supervised.stop(&runtime).unwrap();
    assert_eq!(report.end, Some(SupervisorEnd::Stopped));

    // Dropped, it leaves nothing behind.
    let mut dropped = supervisor(SupervisorSpec::new(Strategy::OneForOne).child(server("a", 0)));
    pending(&mut dropped, &runtime, MS);
    drop(dropped);
    let late = runtime.spawn("write", []).unwrap();
    assert_eq!(late.join().unwrap(), []);
    let mut over = supervisor(SupervisorSpec::new(Strategy::OneForOne).child(server("a", 0)));
    pending(&mut over, &runtime, MS);
    drop(runtime);
    assert_eq!(over.count_children().active, 1);
}

#[test]
fn a_restart_is_held_back_for_longer_each_time() {
    let runtime = runtime(1);
    let backoff = Backoff::default().jitter_percent(0).max(35 * MS);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .max_restarts(10)
        .max_seconds(S)
        .backoff(backoff)
        .child(flapping("a", 0, 4, true, MS));
    let mut supervised = supervisor(spec);
    pending(&mut supervised, &runtime, 10 * S);
    let waited = |report: &SupervisorReport| -> Vec<Duration> {
        let waits = report.history.iter().filter_map(|one| match one.what {
            What::Waits(time) => Some(time),
            _ => None,
        });
        waits.collect()
    };
    let report = supervised.report();
    assert_eq!(waited(&report), [10 * MS, 20 * MS, 35 * MS, 35 * MS]);
    // It is what passes between an end and the next start.
    let at = |is: fn(&What) -> bool| {
        let found = report.history.iter().filter(move |one| is(&one.what));
        found.map(|one| one.at).collect::<Vec<_>>()
    };
    let ended = at(|what| matches!(what, What::Ended(_)));
    let started = at(|what| matches!(what, What::Started(_)));
    for (index, wait) in waited(&report).into_iter().enumerate() {
        let between = started[index + 1] - ended[index];
        assert!(between >= wait && between < wait + MS / 100, "{between:?}");
    }
    // After it has run for long, it begins anew.
    let runtime = self::runtime(1);
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .max_seconds(S)
        .backoff(backoff)
        .child(flapping("a", 0, 3, true, 2 * S));
    let mut supervised = supervisor(spec);
    pending(&mut supervised, &runtime, 100 * S);
    assert_eq!(waited(&supervised.report()), [10 * MS; 3]);
}

/// A tree in which something happens.
fn busy() -> Supervisor {
    let inner = SupervisorSpec::new(Strategy::RestForOne)
        .max_restarts(4)
        .child(flapping("x", 2, 3, true, 3 * MS))
        .child(server("y", 3));
    supervisor(
        SupervisorSpec::new(Strategy::OneForAll)
            .max_restarts(6)
            .child(server("a", 0))
            .child(flapping("b", 1, 2, true, 7 * MS))
            .child(ChildSpec::supervisor("inner", inner))
            .child(ChildSpec::worker("w", "write", []).restart(Restart::Temporary)),
    )
}

#[test]
fn the_same_seed_restarts_the_same_children_at_the_same_times() {
    let run = |seed| {
        let runtime = runtime(seed);
        let mut supervisor = busy();
        pending(&mut supervisor, &runtime, 2 * S);
        let report = supervisor.stop(&runtime).unwrap();
        let outcome = runtime.finish().unwrap();
        (report, outcome.decisions, outcome.stats)
    };
    let waits = |report: &SupervisorReport| -> Vec<What> {
        let waits = report.history.iter().map(|one| one.what.clone());
        waits
            .filter(|what| matches!(what, What::Waits(_)))
            .collect()
    };
    let mut seen = Vec::new();
    for seed in 0..4 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first, second);
        assert!(first.0.restarts >= 4, "{}", first.0);
        seen.push(waits(&first.0));
    }
    // The jitter is another with another seed.
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
}

#[test]
fn a_trace_of_a_supervised_run_replays_without_its_supervisor() {
    let program = program();
    for seed in 0..4 {
        let file = Memory::default();
        let options = RunOptions::seeded(seed);
        let runtime = ThreadRuntime::record(&program, options, NullIo, file.clone()).unwrap();
        let mut supervisor = busy();
        pending(&mut supervisor, &runtime, 2 * S);
        // It races with the child that was not joined before, or was: the second pass repeats all acts either way.
        supervisor.stop(&runtime).unwrap();
        let live = runtime.finish().unwrap();
        let open = || open(&file.bytes());
        let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert!(!again.truncated);
        assert_eq!(again.outcome.stats, live.stats);
        assert_eq!(again.outcome.decisions, live.decisions);
        assert_eq!(again.outcome.analysis.diagnoses, live.analysis.diagnoses);
    }
}

#[test]
fn what_a_child_did_is_before_what_the_host_does_when_its_supervisor_has_seen_its_end() {
    for (joined, races) in [(true, 0), (false, 1)] {
        let runtime = runtime(1);
        if joined {
            let child = ChildSpec::worker("w", "write", []).restart(Restart::Temporary);
            let spec = SupervisorSpec::new(Strategy::OneForOne).child(child);
            supervisor(spec).run(&runtime).unwrap();
        } else {
            let writes = runtime.spawn("write", []).unwrap();
            while !writes.is_finished() {}
        }
        runtime.mem_write(2048, &[2]).unwrap();
        let outcome = runtime.finish().unwrap();
        assert_eq!(outcome.analysis.diagnoses.len(), races);
    }
}
