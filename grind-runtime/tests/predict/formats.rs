//! Reading what was written, and saying what is wrong with what was not.

use grind_runtime::predict::rapid_bin::WriteError;
use grind_runtime::predict::{
    Event, Extensions, Op, RapidBinReader, RapidBinWriter, ReadError, Source, StdReader, write_std,
};
use std::io::Cursor;

fn all(mut source: impl Source) -> (Vec<Event>, Option<ReadError>) {
    let mut events = Vec::new();
    loop {
        match source.next_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn std(text: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    all(StdReader::new(text, Extensions::On))
}

fn bin(bytes: &[u8]) -> (Vec<Event>, Option<ReadError>) {
    match RapidBinReader::new(bytes) {
        Ok(reader) => all(reader),
        Err(error) => (Vec::new(), Some(error)),
    }
}

fn to_bin(events: &[Event]) -> Result<Vec<u8>, WriteError> {
    let mut writer = RapidBinWriter::new(Cursor::new(Vec::new()))?;
    for event in events {
        writer.write(event, None)?;
    }
    writer.finish().map(Cursor::into_inner)
}

const TEXT: &str = "main|fork(T1)|7
T1|req(a.b[3])|8
T1|acq(a.b[3])|8
T1|w(V 0)|4294967295
main|begin|0
main|r(V(1))|9
main|end|1
T1|notify(c)|10
T1|rel(a.b[3])|11
main|wait(c)|12
main|join(T1)|13
";

#[test]
fn text_is_written_as_it_was_read() {
    let mut reader = StdReader::new(TEXT.as_bytes(), Extensions::On);
    let mut text = Vec::new();
    let mut bare = Vec::new();
    let mut events = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        write_std(&mut text, &event, Some(reader.names())).unwrap();
        write_std(&mut bare, &event, None).unwrap();
        events.push(event);
    }
    assert_eq!(String::from_utf8(text).unwrap(), TEXT);
    assert_eq!(events.len(), 11);
    assert_eq!(events[3], Event::new(1, Op::Write, 0).at(u32::MAX));
    assert_eq!(events[9], Event::new(0, Op::Wait, 0).at(12));
    // Under other names it is the same trace.
    assert_eq!(std(&bare).0, events);
    assert!(bare.starts_with(b"T0|fork(T1)|7\nT1|req(L0)|8\n"));
}

#[test]
fn line_ends() {
    let expected = std(b"a|w(x)|1\nb|w(x)|2\n");
    assert_eq!(expected.0.len(), 2);
    for text in ["a|w(x)|1\r\nb|w(x)|2\r\n", "a|w(x)|1\nb|w(x)|2"] {
        let (events, error) = std(text.as_bytes());
        assert!(error.is_none() && events == expected.0, "{text:?}");
    }
}

#[test]
fn a_bad_line_is_named() {
    let long = format!("T0|w({})|1", "x".repeat(5000));
    let cases = [
        (
            "",
            "line 2: `thread|op(operand)|location` expected, found ``",
        ),
        (
            "T0|w(x)",
            "line 2: `thread|op(operand)|location` expected, found `T0|w(x)`",
        ),
        (
            "T0|w(x)|1|2",
            "line 2: `thread|op(operand)|location` expected, found `T0|w(x)|1|2`",
        ),
        (
            "|w(x)|1",
            "line 2: the name of a thread before the first `|` expected, found `|w(x)|1`",
        ),
        (
            "T0|w(x|1",
            "line 2: `)` after the operand expected, found `T0|w(x|1`",
        ),
        ("T0|w|1", "line 2: `op(operand)` expected, found `w`"),
        ("T0|w()|1", "line 2: `op(operand)` expected, found `w()`"),
        (
            "T0|write(x)|1",
            "line 2: one of r, w, acq, rel, fork, join, begin, end expected, found `write`",
        ),
        (
            "T0|req(x)|1",
            "line 2: one of r, w, acq, rel, fork, join, begin, end expected, found `req`",
        ),
        (
            "T0|w(x)|+1",
            "line 2: a location, a number below 2^32, expected, found `+1`",
        ),
        (
            "T0|w(x)|4294967296",
            "line 2: a location, a number below 2^32, expected, found `4294967296`",
        ),
        (
            &long,
            "line 2: a line of less than 4096 bytes expected, found `T0|w(xxxxxxxxxxxxxxxxxxxxxxxxx\
             xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`",
        ),
    ];
    for (line, expected) in cases {
        let text = format!("T0|r(x)|1\n{line}\n");
        let (events, error) = all(StdReader::new(text.as_bytes(), Extensions::Off));
        assert_eq!(events.len(), 1, "{line}");
        assert_eq!(error.unwrap().to_string(), expected);
    }
}

/// Words of the format, written down from its description and not with the writer.
const WORDS: [u64; 7] = [
    4 << 10 | 5 << 14 | 1 << 48,
    5 | 8 << 10 | 9 << 14,
    5 | 9 << 14,
    5 | 3 << 10 | 0x3_ffff_ffff << 14 | 0x7fff << 48,
    2 << 10 | 0x3_ffff_ffff << 14,
    5 | 1 << 10 | 9 << 14,
    5 << 10 | 5 << 14,
];

fn file(threads: i16, locks: i32, variables: i32, events: i64, words: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(threads.to_be_bytes());
    bytes.extend(locks.to_be_bytes());
    bytes.extend(variables.to_be_bytes());
    bytes.extend(events.to_be_bytes());
    bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    bytes
}

fn small() -> Vec<u8> {
    file(2, 1, 1, WORDS.len() as i64, &WORDS)
}

#[test]
fn binary_is_written_as_it_was_read() {
    let bytes = small();
    let mut reader = RapidBinReader::new(bytes.as_slice()).unwrap();
    let mut writer = RapidBinWriter::new(Cursor::new(Vec::new())).unwrap();
    let mut events = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        writer.write(&event, Some(reader.names())).unwrap();
        events.push(event);
    }
    assert_eq!(writer.finish().unwrap().into_inner(), bytes);
    assert_eq!(
        events,
        [
            Event::new(0, Op::Fork, 1).at(1),
            Event::new(1, Op::Request, 0),
            Event::new(1, Op::Acquire, 0),
            Event::new(1, Op::Write, 0).at(0x7fff),
            Event::new(0, Op::Read, 0),
            Event::new(1, Op::Release, 0),
            Event::new(0, Op::Join, 1),
        ]
    );
    assert_eq!(bin(&to_bin(&events).unwrap()).0, events);
}

#[test]
fn what_does_not_fit_is_not_written() {
    let fits = Event::new(1023, Op::Write, 0).at(32767);
    assert_eq!(bin(&to_bin(&[fits]).unwrap()).0[0].location, 32767);
    let cases = [
        (
            fits.at(32768),
            "event 1: location 32768 does not fit 15 bits",
        ),
        (
            Event::new(1024, Op::Write, 0),
            "event 1: thread 1024 does not fit 10 bits",
        ),
        (
            Event::new(0, Op::Fork, 1024),
            "event 1: thread 1024 does not fit 10 bits",
        ),
        (
            Event::new(0, Op::Notify, 0),
            "event 1: the format has no Notify",
        ),
    ];
    for (event, expected) in cases {
        assert_eq!(to_bin(&[event]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_bad_binary_is_refused() {
    let events = WORDS.len() as i64;
    let mut longer = small();
    longer.push(0);
    let cases = [
        (Vec::new(), "byte 0: a header has 18 bytes, there are 0"),
        (
            file(-1, 1, 1, 0, &[]),
            "byte 0: -1 threads, where 0 to 1024 are possible",
        ),
        (
            file(2, i32::MAX, 1, 0, &[]),
            "byte 2: 2147483647 locks, where 0 to 1048576 are possible",
        ),
        (
            file(2, 1, i32::MIN, 0, &[]),
            "byte 6: -2147483648 variables, where 0 to 268435456 are possible",
        ),
        (
            file(2, 1, 1, i64::MAX, &[]),
            "byte 10: 9223372036854775807 events, where 0 to 4294967294 are possible",
        ),
        (
            file(2, 1, 1, 0xffff_ff00, &[]),
            "byte 18: the file ends after 0 of 4294967040 events",
        ),
        (
            file(1, 1, 1, events, &WORDS),
            "byte 18: more threads than the 1 of the header",
        ),
        (
            file(2, 0, 1, events, &WORDS),
            "byte 26: more locks than the 0 of the header",
        ),
        (
            file(2, 1, 0, events, &WORDS),
            "byte 42: more variables than the 0 of the header",
        ),
        (file(2, 1, 1, 1, &[6 << 10]), "byte 18: no event has op 6"),
        (
            file(2, 1, 1, 1, &[1 << 63]),
            "byte 18: the highest bit of an event is not zero",
        ),
        (longer, "byte 74: more than the 7 events of the header"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(bin(&bytes).1.unwrap().to_string(), expected);
    }
}

#[test]
fn a_truncated_file_gives_what_is_before() {
    let (whole, error) = std(TEXT.as_bytes());
    assert!(error.is_none());
    for length in 0..TEXT.len() {
        let (events, error) = std(&TEXT.as_bytes()[..length]);
        let lines = TEXT[..length].matches('\n').count();
        assert_eq!(events[..lines], whole[..lines], "{length}");
        // A location may have lost digits; nothing else of the last line can be different.
        let rest = events.get(lines).map(|last| last.at(0));
        assert!(
            rest.is_none() || rest == Some(whole[lines].at(0)),
            "{length}"
        );
        let cut = &TEXT[..length].rsplit('\n').next().unwrap();
        assert_eq!(
            error.is_some(),
            !cut.is_empty() && rest.is_none(),
            "{length}"
        );
    }
    let bytes = small();
    let (whole, error) = bin(&bytes);
    assert!(error.is_none());
    for length in 0..bytes.len() {
        let (events, error) = bin(&bytes[..length]);
        assert_eq!(events, whole[..length.saturating_sub(18) / 8], "{length}");
        assert!(error.is_some(), "{length}");
    }
}

#[test]
fn a_flipped_bit_harms_nothing_before_it() {
    let (whole, _) = std(TEXT.as_bytes());
    let bytes = small();
    let (whole_bin, _) = bin(&bytes);
    for bit in 0..8 {
        for at in 0..TEXT.len() {
            let mut text = TEXT.as_bytes().to_vec();
            text[at] ^= 1 << bit;
            let lines = TEXT[..at].matches('\n').count();
            let (events, error) = std(&text);
            assert_eq!(events[..lines], whole[..lines], "{at}");
            assert!(error.is_some() || events.len() + 1 >= whole.len(), "{at}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let (events, error) = bin(&bytes);
            let before = at.saturating_sub(18) / 8;
            let intact = before.min(events.len());
            assert_eq!(events[..intact], whole_bin[..intact], "{at}");
            assert!(error.is_some() || events.len() == whole_bin.len(), "{at}");
            assert!(
                error.is_some() || !(10..18).contains(&at),
                "{at}: a wrong count of events"
            );
        }
    }
}
