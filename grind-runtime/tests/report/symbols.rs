//! Where frames come from, on real modules and on broken ones.

use crate::support::{all_sites, fixture};
use grind_runtime::model::sites::Site;
use grind_runtime::program::symbols::{Frame, SymbolSource, Symbolizer};
use std::sync::Arc;
use wasm_encoder::{CustomSection, Module, RawSection, Section as _};
use wasmparser::{Parser, Payload};

/// The frames at the only instruction of the module whose text begins like this in this function.
fn frames_of(module: &Arc<[u8]>, func: u32, operator: &str) -> Vec<Frame> {
    let site = site_of(module, func, operator);
    Symbolizer::new(Arc::clone(module)).frames(site)
}

fn site_of(module: &[u8], func: u32, operator: &str) -> Site {
    all_sites(module)
        .into_iter()
        .find(|(site, text)| site.func == func && text.starts_with(operator))
        .expect("the operator is in the function")
        .0
}

fn brief(frames: &[Frame]) -> Vec<String> {
    frames
        .iter()
        .map(|frame| {
            format!(
                "{}{} {}:{}:{}",
                frame.function.as_deref().unwrap_or("?"),
                if frame.inlined { " (inlined)" } else { "" },
                frame.file.as_deref().unwrap_or("?"),
                frame.line.unwrap_or(0),
                frame.column.unwrap_or(0)
            )
        })
        .collect()
}

const ITERATOR: &str = "/rustc/0000/library/core/src/iter/traits/iterator.rs";

#[test]
fn inlined_frames_are_expanded_and_demangled() {
    for name in ["race-full", "race-v0"] {
        let frames = frames_of(&fixture(name), 1, "I32Store");
        assert!(
            frames
                .iter()
                .all(|frame| frame.source == SymbolSource::Dwarf)
        );
        let frames = brief(&frames);
        assert_eq!(frames[0], "race::bump (inlined) /src/race.rs:14:9");
        assert!(
            frames[1].starts_with("<race::Counter as race::deep::Work>::work::{"),
            "{}",
            frames[1]
        );
        assert!(
            frames[1].ends_with("} (inlined) /src/race.rs:25:37"),
            "{}",
            frames[1]
        );
        assert!(frames[2].contains(ITERATOR), "{}", frames[2]);
        assert_eq!(
            frames[5],
            "<race::Counter as race::deep::Work>::work /src/race.rs:25:24"
        );
        assert_eq!(frames.len(), 6);
    }
}

#[test]
fn with_line_tables_only_the_functions_own_name_is_the_modules() {
    let frames = brief(&frames_of(&fixture("race-lines"), 1, "I32Store"));
    assert_eq!(frames[0], "bump (inlined) /src/race.rs:14:9");
    assert_eq!(
        frames[5],
        "<race::Counter as race::deep::Work>::work /src/race.rs:25:24"
    );
}

#[test]
fn names_only() {
    let module = fixture("race-names");
    let symbolizer = Symbolizer::new(Arc::clone(&module));
    let site = site_of(&module, 1, "I32Store");
    let frames = symbolizer.frames(site);
    assert_eq!(frames.len(), 1);
    assert_eq!(
        frames[0],
        Frame {
            function: Some("<race::Counter as race::deep::Work>::work".into()),
            file: None,
            line: None,
            column: None,
            inlined: false,
            func_index: 1,
            offset: site.offset,
            source: SymbolSource::NameSection,
        }
    );
    assert_eq!(symbolizer.best_source(), SymbolSource::NameSection);
    assert_eq!(
        symbolizer.function_name(0).as_deref(),
        Some("race::deep::generic")
    );
    assert!(
        symbolizer
            .raw_function_name(0)
            .is_some_and(|name| name.starts_with("_ZN4race4deep7generic17h"))
    );
    assert_eq!(symbolizer.warnings(), Vec::<String>::new());
}

#[test]
fn no_names_at_all() {
    let module = fixture("race-stripped");
    let symbolizer = Symbolizer::new(Arc::clone(&module));
    let inner = symbolizer.frames(site_of(&module, 1, "I32Store"));
    assert_eq!((inner.len(), &inner[0].function), (1, &None));
    assert_eq!(inner[0].source, SymbolSource::Offset);
    let exported = symbolizer.frames(site_of(&module, 2, "I32Load"));
    assert_eq!(exported[0].function.as_deref(), Some("run"));
    assert_eq!(exported[0].source, SymbolSource::Export);
    assert_eq!(symbolizer.best_source(), SymbolSource::Offset);
}

const WAT: &str = r#"(module
  (import "env" "memory" (memory 1 1 shared))
  (import "host" "log" (func $log (param i32)))
  (func $bump (export "bump")
    (i32.store (i32.const 8)
      (i32.add (i32.load (i32.const 8)) (i32.const 1))))
  (func (export "anonymous")
    call $bump
    (call $log (i32.const 1))))
"#;

/// A module of WAT with line tables that point into the text.
pub(crate) fn wat_with_lines(text: &str) -> Arc<[u8]> {
    wat::Parser::new()
        .generate_dwarf(wat::GenerateDwarf::Lines)
        .parse_str(Some("app.wat".as_ref()), text)
        .expect("the text is right")
        .into()
}

#[test]
fn wat_text_carries_lines() {
    let module = wat_with_lines(WAT);
    let store = brief(&frames_of(&module, 1, "I32Store"));
    assert_eq!(store.len(), 1);
    assert!(
        store[0].starts_with("bump ") && store[0].contains("app.wat:5:"),
        "{}",
        store[0]
    );
    let load = brief(&frames_of(&module, 1, "I32Load"));
    assert!(load[0].contains("app.wat:6:"), "{}", load[0]);
    let call = brief(&frames_of(&module, 2, "Call"));
    assert!(
        call[0].starts_with("anonymous ") && call[0].contains("app.wat:8:"),
        "{}",
        call[0]
    );
}

#[test]
fn imports_and_exports_name_functions_at_last() {
    let module: Arc<[u8]> = strip(&wat_with_lines(WAT), |_| true).into();
    let symbolizer = Symbolizer::new(module);
    assert_eq!(symbolizer.function_name(0).as_deref(), Some("host.log"));
    assert_eq!(symbolizer.function_name(1).as_deref(), Some("bump"));
    assert_eq!(symbolizer.function_name(2).as_deref(), Some("anonymous"));
    assert_eq!(symbolizer.function_name(3), None);
}

#[test]
fn debug_information_elsewhere_is_said_to_be_there() {
    let mut module = strip(&fixture("race-names"), |_| false);
    let mut contents = vec![8];
    contents.extend(b"app.d\x1b[m");
    CustomSection {
        name: "external_debug_info".into(),
        data: contents.into(),
    }
    .append_to(&mut module);
    let symbolizer = Symbolizer::new(module.into());
    assert_eq!(symbolizer.best_source(), SymbolSource::NameSection);
    let warnings = symbolizer.warnings();
    assert!(warnings[0].contains("in another file"), "{warnings:?}");
}

/// The module without the custom sections that `drop` says.
fn strip(module: &[u8], drop: impl Fn(&str) -> bool) -> Vec<u8> {
    rewrite(module, |name, data| (!drop(name)).then(|| data.to_vec()))
}

/// The module with each custom section's contents replaced; the others stay where they are.
pub(crate) fn rewrite(
    module: &[u8],
    mut change: impl FnMut(&str, &[u8]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.expect("the module is right");
        if let Payload::CustomSection(section) = &payload {
            if let Some(data) = change(section.name(), section.data()) {
                out.section(&CustomSection {
                    name: section.name().into(),
                    data: data.into(),
                });
            }
        } else if let Some((id, range)) = payload.as_section() {
            out.section(&RawSection {
                id,
                data: &module[range.start as usize..range.end as usize],
            });
        }
    }
    out.finish()
}

/// Asks for everything; what comes back must be frames, whatever the module.
fn ask_everything(module: Vec<u8>, sites: &[Site]) -> Symbolizer {
    let symbolizer = Symbolizer::new(module.into());
    for site in sites {
        let frames = symbolizer.frames(*site);
        assert!(!frames.is_empty());
        assert!(frames.iter().rev().skip(1).all(|frame| frame.inlined));
        assert!(frames.len() < 1000);
    }
    let _ = (symbolizer.best_source(), symbolizer.warnings());
    for address in [0, 0x0010_0000, 0x0010_0002, u32::MAX] {
        let _ = symbolizer.global(address);
    }
    symbolizer
}

fn sites_of(module: &[u8]) -> Vec<Site> {
    let sites = all_sites(module).into_iter().map(|(site, _)| site);
    sites.step_by(3).collect()
}

#[test]
fn debug_sections_cut_short_anywhere() {
    for name in ["race-lines", "race-full"] {
        let module = fixture(name);
        let sites = sites_of(&module);
        let mut longest = 0;
        rewrite(&module, |_, data| {
            longest = longest.max(data.len());
            None
        });
        // Each section by itself, at every point.
        for victim in [
            ".debug_info",
            ".debug_abbrev",
            ".debug_line",
            ".debug_str",
            ".debug_ranges",
            "name",
        ] {
            for length in 0..longest {
                let mut cut = false;
                let module = rewrite(&module, |name, data| {
                    if name != victim || length >= data.len() {
                        return Some(data.to_vec());
                    }
                    cut = true;
                    Some(data[..length].to_vec())
                });
                if !cut {
                    break;
                }
                ask_everything(module, &sites);
            }
        }
    }
}

#[test]
fn modules_cut_short_anywhere() {
    let module = fixture("race-lines");
    let sites = sites_of(&module);
    for length in 0..module.len() {
        ask_everything(module[..length].to_vec(), &sites);
    }
}

#[test]
fn debug_sections_with_every_bit_flipped() {
    let module = fixture("race-lines");
    let sites = sites_of(&module);
    for victim in [
        ".debug_info",
        ".debug_abbrev",
        ".debug_line",
        ".debug_str",
        "name",
    ] {
        let mut size = 0;
        rewrite(&module, |name, data| {
            if name == victim {
                size = data.len();
            }
            None
        });
        assert!(size > 0, "{victim}");
        for bit in 0..size * 8 {
            let module = rewrite(&module, |name, data| {
                let mut data = data.to_vec();
                if name == victim {
                    data[bit / 8] ^= 1 << (bit % 8);
                }
                Some(data)
            });
            ask_everything(module, &sites);
        }
    }
}

#[test]
fn broken_debug_information_is_reported_and_names_take_over() {
    let module = fixture("race-full");
    let sites = sites_of(&module);
    for victim in [".debug_info", ".debug_abbrev"] {
        let broken = rewrite(&module, |name, data| {
            let mut data = data.to_vec();
            if name == victim {
                data.fill(0xff);
            }
            Some(data)
        });
        let symbolizer = ask_everything(broken, &sites);
        let frame = &symbolizer.frames(site_of(&module, 1, "I32Store"))[0];
        assert_eq!(frame.source, SymbolSource::NameSection, "{victim}");
        let warnings = symbolizer.warnings();
        assert_eq!(warnings.len(), 1, "{victim}: {warnings:?}");
        assert!(warnings[0].contains("malformed"), "{warnings:?}");
    }
}

#[test]
fn debug_information_of_other_code_is_not_believed() {
    let module = fixture("race-full");
    // As a tool does that rewrites the code and keeps all custom sections.
    let rewritten: Arc<[u8]> = {
        let mut out = Module::new();
        for payload in Parser::new(0).parse_all(&module) {
            let payload = payload.expect("the module is right");
            match (&payload, payload.as_section()) {
                (Payload::CustomSection(section), _) => {
                    out.section(&CustomSection {
                        name: section.name().into(),
                        data: section.data().into(),
                    });
                }
                (Payload::CodeSectionStart { .. }, Some((_, range))) => {
                    // The first function gets longer, so that all others move.
                    let mut data = module[range.start as usize..range.end as usize].to_vec();
                    assert!(data[1] < 100 && data[2] == 0, "short, and without locals");
                    data[1] += 7;
                    data.splice(3..3, [1; 7]);
                    out.section(&RawSection {
                        id: 10,
                        data: &data,
                    });
                }
                (_, Some((id, range))) => {
                    out.section(&RawSection {
                        id,
                        data: &module[range.start as usize..range.end as usize],
                    });
                }
                _ => {}
            }
        }
        out.finish().into()
    };
    let symbolizer = Symbolizer::new(rewritten);
    assert_eq!(symbolizer.best_source(), SymbolSource::NameSection);
    let warnings = symbolizer.warnings();
    assert!(
        warnings[0].contains("belongs to other code"),
        "{warnings:?}"
    );
}

#[test]
fn nesting_without_end_does_not_exhaust_the_stack() {
    // One abbreviation of an inlined subroutine with children and no attributes, and a million of it.
    let abbreviations = [
        &[1, 0x11, 1, 0, 0][..],                     // DW_TAG_compile_unit
        &[2, 0x2e, 1, 0x11, 0x01, 0x12, 0x0f, 0, 0], // DW_TAG_subprogram, low_pc, high_pc
        &[3, 0x1d, 1, 0, 0],                         // DW_TAG_inlined_subroutine
        &[0],
    ]
    .concat();
    let mut unit = vec![4, 0, 0, 0, 0, 0, 4]; // version 4, abbreviations at 0, 4-byte addresses
    unit.extend([1, 2, 0, 0, 0, 0, 0xff, 0x7f]);
    unit.extend(std::iter::repeat_n(3, 1_000_000));
    let mut info = u32::try_from(unit.len())
        .expect("small")
        .to_le_bytes()
        .to_vec();
    info.extend(unit);
    let module = fixture("race-lines");
    let sites = sites_of(&module);
    let deep = rewrite(&module, |name, data| {
        Some(match name {
            ".debug_info" => info.clone(),
            ".debug_abbrev" => abbreviations.clone(),
            _ => data.to_vec(),
        })
    });
    let symbolizer = ask_everything(deep, &sites);
    assert!(
        symbolizer.warnings()[0].contains("nest"),
        "{:?}",
        symbolizer.warnings()
    );
}

proptest::proptest! {
    /// What single bits do not reach. More with `PROPTEST_CASES=100000`.
    #[test]
    fn debug_sections_with_bytes_changed(
        changes in proptest::collection::vec(
            (proptest::num::u32::ANY, proptest::num::u8::ANY, proptest::bool::weighted(0.1)),
            1..12,
        ),
    ) {
        let module = fixture("race-full");
        let sites = sites_of(&module);
        let mut all = 0;
        rewrite(&module, |name, data| {
            all += if name.starts_with(".debug_") { data.len() } else { 0 };
            None
        });
        let mut start = 0;
        let module = rewrite(&module, |name, data| {
            let mut data = data.to_vec();
            if name.starts_with(".debug_") {
                let end = start + data.len();
                for (at, byte, remove) in &changes {
                    let at = *at as usize % all;
                    if (start..end).contains(&at) && at - start < data.len() {
                        if *remove {
                            data.truncate(at - start);
                        } else {
                            data[at - start] = *byte;
                        }
                    }
                }
                start = end;
            }
            Some(data)
        });
        ask_everything(module, &sites);
    }
}
