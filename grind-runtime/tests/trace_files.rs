//! Trace files that are cut, corrupted, of another version or of another run: always an error with a cause, or the
//! beginning of what was recorded.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/read_trace.rs"]
mod read_trace;
#[path = "support/recording.rs"]
mod recording;

use grind_runtime::machine::{BufferIo, NullIo};
use grind_runtime::model::{
    Driven, Event, EventKind, Limits, LockMode, RunSpec, Schedule, Slice, ThreadId,
};
use grind_runtime::program::Program;
use grind_runtime::session::{self, ReplayError, ReplayOptions, RunOptions, TraceInput};
use grind_runtime::trace::{
    Detail, Entry, TraceEnd, TraceError, TraceReader, TraceWriter, VERSION,
};
use recording::{Memory, header, open, record};
use std::path::Path;

const DETAILS: [Detail; 2] = [Detail::Light, Detail::Full];

/// Two threads that write the same word, and one that spins for a while.
const GUEST: &str = r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "thread_start") (param i32)
        (local $n i32)
        (loop $again
            (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))
            (drop (i32.atomic.rmw.add (i32.const 128) (i32.const 1)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 20)))))
    (func (export "_start")
        (drop (call $create (i32.const 0) (i32.const 0)))
        (drop (call $create (i32.const 4) (i32.const 0)))
        (drop (call $join (i32.load (i32.const 0))))
        (drop (call $join (i32.load (i32.const 4))))))"#;

fn program(text: &str) -> Program {
    Program::new(&wat::parse_str(text).unwrap()).unwrap()
}

fn guest(path: &str) -> Program {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    Program::new(&wat::parse_file(programs.join(path)).unwrap()).unwrap()
}

/// Entries, with the records of those that have some.
type Entries = Vec<(Entry, Vec<u64>)>;

/// All that can be read, and how that ended.
fn read(bytes: &[u8]) -> (Entries, Result<Option<TraceEnd>, TraceError>) {
    let mut entries = Vec::new();
    let mut reader = match open(bytes) {
        Ok(reader) => reader,
        Err(error) => return (entries, Err(error)),
    };
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                let records = match entry {
                    Entry::Records(_) => reader.records().iter().map(|record| record.0).collect(),
                    _ => Vec::new(),
                };
                entries.push((entry, records));
            }
            Ok(None) => return (entries, Ok(reader.end().cloned())),
            Err(error) => return (entries, Err(error)),
        }
    }
}

fn recorded(detail: Detail) -> Vec<u8> {
    record(&program(GUEST), &RunOptions::default(), detail)
        .unwrap()
        .1
}

#[test]
fn a_file_cut_anywhere_reads_up_to_its_last_whole_chunk() {
    for detail in DETAILS {
        let bytes = recorded(detail);
        let (whole, end) = read(&bytes);
        assert!(matches!(end, Ok(Some(TraceEnd::Complete(_)))));
        let mut without_end = 0;
        for len in 0..bytes.len() {
            match read(&bytes[..len]) {
                (entries, Ok(end)) => {
                    assert_eq!(end, Some(TraceEnd::Truncated));
                    assert!(whole.starts_with(&entries));
                    without_end += usize::from(entries.len() == whole.len());
                }
                (entries, Err(error)) => {
                    assert!(entries.is_empty());
                    assert!(
                        matches!(error, TraceError::NotATrace | TraceError::Truncated(_)),
                        "{error}"
                    );
                }
            }
        }
        assert!(without_end > 0, "the footer is a chunk of its own");
    }
}

#[test]
fn a_flipped_byte_is_never_taken_for_good() {
    for detail in DETAILS {
        let mut bytes = recorded(detail);
        let (whole, _) = read(&bytes);
        for at in 0..bytes.len() {
            bytes[at] ^= 0x55;
            let (entries, end) = read(&bytes);
            assert!(whole.starts_with(&entries), "byte {at}");
            // A longer last chunk is none that is truncated.
            assert!(end.is_err(), "byte {at}: {end:?}");
            bytes[at] ^= 0x55;
        }
    }
}

#[test]
fn another_version_is_named_with_ours() {
    let (major, minor) = VERSION;
    let ours = format!("reads {major}.{minor};");
    // Another major version, and a newer minor one.
    for (byte, value, theirs) in [
        (8, 9, format!("format 9.{minor},")),
        (10, 99, format!("format {major}.99,")),
    ] {
        let mut bytes = recorded(Detail::Light);
        bytes[byte] = value;
        let message = open(&bytes).unwrap_err().to_string();
        assert!(
            message.contains(&theirs) && message.contains(&ours),
            "{message}"
        );
    }
}

#[test]
fn many_chunks_are_one_trace() {
    let program = guest("wasip1-threads/wasm/clean_rayon_sort.wasm");
    let (outcome, bytes) = record(&program, &RunOptions::default(), Detail::Full).unwrap();
    let (entries, end) = read(&bytes);
    let Ok(Some(TraceEnd::Complete(footer))) = end else {
        panic!("{end:?}")
    };
    let events = entries
        .iter()
        .filter(|(entry, _)| matches!(entry, Entry::Event(_)))
        .count();
    assert_eq!(footer.events, events as u64);
    assert_eq!(footer.events, outcome.stats.events);
    assert!(
        bytes.len() > 3 << 16,
        "{} bytes are too few chunks",
        bytes.len()
    );
}

#[test]
fn an_input_larger_than_a_chunk_comes_whole() {
    let program = program(GUEST);
    let file = Memory::default();
    let header = header(&program, &RunOptions::default(), Detail::Light);
    let mut writer = TraceWriter::create(file.clone(), &header, program.sites(), None).unwrap();
    let large: Vec<u8> = (0..9_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let inputs = [large.clone(), large, Vec::new(), vec![1, 2, 3]];
    for input in &inputs {
        writer.input(input.clone());
    }
    writer.slice(grind_runtime::model::Slice {
        thread: ThreadId(3),
        words: 17,
    });
    drop(writer.finish(&footer()).unwrap());
    let (entries, _) = read(&file.bytes());
    let found: Vec<Vec<u8>> = (entries.iter())
        .filter_map(|(entry, _)| match entry {
            Entry::Input(input) => Some(input.to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(found, inputs);
    assert!(matches!(
        entries.last(),
        Some((Entry::Slice { kept: 0, .. }, _))
    ));
}

fn footer() -> grind_runtime::trace::Footer {
    grind_runtime::trace::Footer {
        exit_code: 0,
        words: 0,
        events: 0,
        threads: 1,
        findings: 0,
        nanoseconds: 0,
    }
}

#[test]
fn stacks_are_known_with_either_detail() {
    let program = guest("wasm/race_counter.wasm");
    let stacks = |detail| {
        let (_, bytes) = record(&program, &RunOptions::default(), detail).unwrap();
        let mut reader = open(&bytes).unwrap();
        let mut stacks = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            if let Entry::Event(event) = entry {
                stacks.push(reader.stack(event.thread));
            }
        }
        stacks
    };
    let (light, full) = (stacks(Detail::Light), stacks(Detail::Full));
    assert_eq!(light, full);
    assert!(light.iter().any(|stack| stack.len() > 5));
}

#[test]
fn decisions_come_back_whatever_their_size() {
    let program = program(GUEST);
    let file = Memory::default();
    let header = header(&program, &RunOptions::default(), Detail::Light);
    let mut writer = TraceWriter::create(file.clone(), &header, program.sites(), None).unwrap();
    let mut written = Vec::new();
    for kept in [0, 1, 7, 8, 200] {
        for thread in [0, 1, 15, 16, 1 << 19].map(ThreadId) {
            let slice = Slice { thread, words: 300 };
            (0..kept).for_each(|_| writer.kept());
            writer.slice(slice);
            written.push(Entry::Slice { kept, slice });
            // Of the thread that runs, and of one that does not.
            for thread in [thread, ThreadId(1)] {
                let kind = EventKind::HideBegin;
                let event = Event { thread, kind };
                writer.event(&event, &[]);
                written.push(Entry::Event(event));
            }
        }
    }
    writer.finish(&footer()).unwrap();
    let (entries, _) = read(&file.bytes());
    let entries: Vec<Entry> = entries.into_iter().map(|(entry, _)| entry).collect();
    assert_eq!(entries, written);
}

#[test]
fn another_run_diverges_at_the_event_that_differs() {
    let program = program(GUEST);
    let of = |seed| RunOptions::seeded(seed);
    let (_, bytes) = record(&program, &of(1), Detail::Light).unwrap();
    // The recorded run again, but for one event.
    let mut reader = open(&bytes).unwrap();
    let file = Memory::default();
    let mut writer =
        TraceWriter::create(file.clone(), reader.header(), program.sites(), None).unwrap();
    let mut events = 0;
    let mut changed = 0;
    while let Some(entry) = reader.next_entry().unwrap() {
        match entry {
            Entry::Slice { kept, slice } => {
                (0..kept).for_each(|_| writer.kept());
                writer.slice(slice);
            }
            Entry::Event(mut event) => {
                events += 1;
                if let (EventKind::Atomic { addr, .. }, 0) = (&mut event.kind, changed) {
                    *addr += 4;
                    changed = events;
                }
                writer.event(&event, &[]);
            }
            _ => {}
        }
    }
    writer.finish(&footer()).unwrap();
    let bytes = file.bytes();
    let replayed = session::replay(
        &program,
        || open(&bytes),
        ReplayOptions::default(),
        Box::new(NullIo),
    );
    let Err(ReplayError::Diverged(divergence)) = replayed else {
        panic!("it is the same run")
    };
    assert_eq!(divergence.event, changed);
    assert!(
        divergence.recorded.contains("0x84") && divergence.replayed.contains("0x80"),
        "{divergence}"
    );
}

#[test]
fn a_run_that_was_stopped_is_replayed_to_there() {
    let endless = program(
        r#"(module (memory 1) (func (export "_start")
            (loop $again (i32.store (i32.const 0) (i32.const 1)) (br $again))))"#,
    );
    let options =
        RunOptions::from(RunSpec::default().limits(Limits::default().steps(Some(1_000_000))));
    for detail in DETAILS {
        let (outcome, bytes) = record(&endless, &options, detail).unwrap();
        let replayed = session::replay(
            &endless,
            || open(&bytes),
            ReplayOptions::default(),
            Box::new(NullIo),
        )
        .unwrap();
        assert_eq!(replayed.outcome.ending, outcome.ending);
        // At the first finding: the replay goes no further, though nobody asks it to stop.
        let racy = program(GUEST);
        let mut options = RunOptions::default();
        options.analysis.halt_on_error = true;
        let (outcome, bytes) = record(&racy, &options, detail).unwrap();
        let replayed = session::replay(
            &racy,
            || open(&bytes),
            ReplayOptions::default(),
            Box::new(NullIo),
        )
        .unwrap();
        // The replay looks at the rest of the accesses that were delivered with the one that raced.
        let (found, again) = (
            outcome.analysis.diagnoses,
            replayed.outcome.analysis.diagnoses,
        );
        assert_eq!(found.len(), 1);
        assert!(again.starts_with(&found));
        assert_eq!(outcome.stats.events, replayed.outcome.stats.events);
    }
}

#[test]
fn a_replay_recorded_again_is_the_same_trace() {
    let program = program(GUEST);
    let options = RunOptions::from(RunSpec::default().schedule(Schedule::Strategy {
        strategy: "round-robin".parse().unwrap(),
        seed: 0,
    }));
    for detail in DETAILS {
        let (_, first) = record(&program, &options, Detail::Light).unwrap();
        let (_, wanted) = record(&program, &options, detail).unwrap();
        let file = Memory::default();
        let header = header(&program, &options, detail);
        let output = Box::new(file.clone()) as _;
        let record = TraceWriter::create(output, &header, program.sites(), None).unwrap();
        let options = ReplayOptions::default().record(Some(record));
        let replayed =
            session::replay(&program, || open(&first), options, Box::new(NullIo)).unwrap();
        let outcome = &replayed.outcome;
        let findings = outcome.analysis.diagnoses.len();
        let footer = outcome.footer(outcome.exit_code(), findings);
        replayed.record.unwrap().finish(&footer).unwrap();
        let ((entries, end), (wanted_entries, wanted_end)) = (read(&file.bytes()), read(&wanted));
        assert_eq!(entries, wanted_entries);
        assert_eq!(end.unwrap(), wanted_end.unwrap());
        assert_eq!(file.bytes(), wanted);
    }
}

#[test]
fn names_and_blocked_threads_survive() {
    let program = program(GUEST);
    let file = Memory::default();
    let header = header(&program, &RunOptions::default(), Detail::Light);
    let mut writer = TraceWriter::create(file.clone(), &header, program.sites(), None).unwrap();
    let kinds = [
        EventKind::ThreadName {
            of: ThreadId(7),
            name: "π".to_owned(),
        },
        EventKind::LockAcquire {
            lock: u32::MAX,
            mode: LockMode::Shared,
        },
        EventKind::Stop { words: u64::MAX },
    ];
    let events: Vec<Event> = (kinds.into_iter())
        .map(|kind| Event {
            thread: ThreadId(2),
            kind,
        })
        .collect();
    events.iter().for_each(|event| writer.event(event, &[]));
    writer.finish(&footer()).unwrap();
    let (entries, _) = read(&file.bytes());
    let found: Vec<Event> = (entries.into_iter())
        .filter_map(|(entry, _)| match entry {
            Entry::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    assert_eq!(found, events);
}

#[test]
fn a_host_that_cannot_write_is_said_at_the_end() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let program = guest("wasip1-threads/wasm/clean_rayon_sort.wasm");
    let options = RunOptions::default();
    let header = header(&program, &options, Detail::Full);
    let output = Box::new(Full(200_000)) as _;
    let writer = TraceWriter::create(output, &header, program.sites(), None).unwrap();
    let (outcome, writer) =
        session::record(&program, options, BufferIo::default(), writer).unwrap();
    assert_eq!(outcome.exit_code(), 0, "the run went on");
    let error = writer.finish(&footer()).map(drop).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn absurd_numbers_allocate_nothing() {
    let bytes = recorded(Detail::Light);
    let mut long = bytes[..12].to_vec();
    long.extend([
        1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    let error = TraceReader::open(Box::new(std::io::Cursor::new(long)) as TraceInput).unwrap_err();
    assert!(error.to_string().contains("impossibly long"), "{error}");
}

#[test]
fn the_corpus_reads_whole_and_cut() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/trace");
    let mut files = 0;
    let mut ways = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += 1;
        ways += read_trace::read_trace(&bytes);
        for len in (0..bytes.len()).step_by(97) {
            read_trace::read_trace(&bytes[..len]);
        }
    }
    assert!(files >= 3 && ways >= 4, "{ways} ways of {files} files");
}

/// `race_counter` of seed 3, recorded in full by the last grind of format 1.3.
const FORMAT_1_3: &[u8] = include_bytes!("traces/format-1.3.trace");

/// The same under round robin, by the last one of format 1.4.
const FORMAT_1_4: &[u8] = include_bytes!("traces/format-1.4.trace");

/// Of format 1.5: two threads of a driver that spin for longer than their fuel, write the same word and race, and one that sleeps; the
/// module is in it.
const FORMAT_1_5: &[u8] = include_bytes!("traces/format-1.5.trace");

#[test]
fn a_driven_run_of_the_version_before_is_replayed_with_its_fuel() {
    let reader = open(FORMAT_1_5).unwrap();
    let header = reader.header();
    assert_eq!(header.driven, Driven::AsMainThread);
    assert_eq!(header.fuel, Some(10_000_000));
    let program = Program::new(reader.module().unwrap()).unwrap();
    let open = || open(FORMAT_1_5);
    let options = ReplayOptions::default();
    let replayed = session::replay(&program, open, options, Box::new(NullIo)).unwrap();
    assert!(!replayed.truncated);
    assert_eq!(replayed.outcome.analysis.diagnoses.len(), 2);
    let (_, end) = read(FORMAT_1_5);
    let Ok(Some(TraceEnd::Complete(footer))) = end else {
        panic!("{end:?}")
    };
    assert_eq!(replayed.outcome.footer(66, 2), footer);
}

#[test]
fn traces_of_the_versions_before_are_read() {
    let reader = open(FORMAT_1_3).unwrap();
    let header = reader.header();
    assert_eq!(header.module, b"wasm/race_counter.wasm");
    assert_eq!(header.spec.schedule, Schedule::from(3));
    assert_eq!(header.driven, Driven::ByNobody);
    let (entries, end) = read(FORMAT_1_3);
    let Ok(Some(TraceEnd::Complete(footer))) = end else {
        panic!("{end:?}")
    };
    let events = (entries.iter()).filter(|(entry, _)| matches!(entry, Entry::Event(_)));
    assert_eq!((events.count() as u64, footer.events), (170, 170));
    assert_eq!((footer.findings, footer.exit_code), (1, 66));

    let reader = open(FORMAT_1_4).unwrap();
    let schedule = Schedule::Strategy {
        strategy: "round-robin".parse().unwrap(),
        seed: 3,
    };
    assert_eq!(reader.header().spec.schedule, schedule);
    let (_, end) = read(FORMAT_1_4);
    assert!(matches!(end, Ok(Some(TraceEnd::Complete(_)))), "{end:?}");
}
