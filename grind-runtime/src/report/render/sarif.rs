//! SARIF 2.1.0, for code scanning.
//!
//! Rule ids are the names of [`FindingKind`](crate::report::finding::FindingKind); the fingerprint is the partial fingerprint `grind/v2`. Each
//! principal stack is a stack of the result, its frames with lines are related locations, and the way each thread went is a thread
//! flow of one code flow: of a race, the interleaving. The limits are those of GitHub's code scanning.

use crate::detect::common::kind::{Rule, Severity};
use crate::program::symbols::Frame;
use crate::report::finding::frames::{is_library, place};
use crate::report::finding::history::Line;
use crate::report::finding::summary::{GuestExit, Report};
use crate::report::finding::{Access, BaselineState, Evidence, Finding, FindingKind, Race};
use crate::report::render::human::function;
use crate::report::render::json::printable;
use crate::report::render::limits::{FRAMES, SARIF_LOCATIONS, SARIF_RESULTS, first};
use crate::report::render::options::Options;
use crate::report::render::sections::{Role, Section, sections};
use crate::report::text::{address_label, count};
use serde::{Serialize, Serializer};
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, CodeFlow, Invocation, Location, LogicalLocation, Message,
    MultiformatMessageString, Notification, PhysicalLocation, PropertyBag, Region,
    ReportingConfiguration, ReportingDescriptor, Result as SarifResult, ResultLevel, Run,
    RunAutomationDetails, Stack, StackFrame, ThreadFlow, ThreadFlowLocation, Tool, ToolComponent,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the fingerprint. Changes with [`crate::report::finding::fingerprint`]'s scheme.
const FINGERPRINT: &str = "grind/v2";

/// The report as SARIF.
pub(in crate::report) fn render(report: &Report, options: &Options) -> String {
    let writer = Writer { report, options };
    let (findings, left_out) = first(report, SARIF_RESULTS);
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [RunWithResults {
            run: writer.run(left_out),
            results: Results {
                writer: &writer,
                findings,
            },
        }],
    };
    let text = serde_json::to_string_pretty(&log)
        .expect("SARIF has string keys only and writes to memory");
    let mut text = printable(&text);
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [RunWithResults<'a>; 1],
}

#[derive(Serialize)]
struct RunWithResults<'a> {
    #[serde(flatten)]
    run: Run,
    results: Results<'a>,
}

/// What code scanning takes two uploads to be of the same by: the command and the module. Up to the last slash it is GitHub's
/// category; the name of the run, behind it, is left to whoever uploads.
fn automation_id(report: &Report) -> String {
    let module = Path::new(&report.program.module);
    let stem = module.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo's hash of what a test was built with changes with the compiler.
    let in_deps = module
        .parent()
        .is_some_and(|directory| directory.ends_with("deps"));
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let name = match stem.rsplit_once('-') {
        Some((name, hash)) if in_deps && is_hash(hash) => name,
        // A report that was made by hand may have none.
        _ if stem.is_empty() => "module",
        _ => &stem,
    };
    format!("grind/{}/{name}/", report.command.name())
}

/// Written one after the other: thousands of results at once, as the crate has them in memory, take gigabytes.
struct Results<'a> {
    writer: &'a Writer<'a>,
    findings: Vec<&'a Finding>,
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.findings.iter()).map(|finding| self.writer.result(finding)))
    }
}

struct Writer<'a> {
    report: &'a Report,
    options: &'a Options,
}

impl Writer<'_> {
    fn run(&self, left_out: usize) -> Run {
        let driver = ToolComponent::builder()
            .name("grind")
            .version(env!("CARGO_PKG_VERSION"))
            .semantic_version(env!("CARGO_PKG_VERSION"))
            .information_uri(env!("CARGO_PKG_REPOSITORY"))
            .rules(FindingKind::ALL.map(|kind| rule(kind.rule())).to_vec())
            .build();
        Run::builder()
            .tool(Tool::builder().driver(driver).build())
            .automation_details(
                RunAutomationDetails::builder()
                    .id(automation_id(self.report))
                    .build(),
            )
            .column_kind(json!("unicodeCodePoints"))
            .invocations(vec![self.invocation(left_out)])
            .build()
    }

    /// How the run went: what is no finding, but should be known.
    fn invocation(&self, left_out: usize) -> Invocation {
        let report = self.report;
        let mut notifications: Vec<Notification> = Vec::new();
        let mut note = |text: &str| {
            notifications.push(
                Notification::builder()
                    .level(json!("warning"))
                    .message(message(text))
                    .build(),
            );
        };
        for text in (report.limits.iter())
            .chain(&report.warnings)
            .chain(&report.notes)
        {
            note(text);
        }
        if left_out > 0 {
            let left_out = count(
                left_out as u64,
                "further finding is",
                "further findings are",
            );
            note(&format!(
                "{left_out} left out of this file, which has the {SARIF_RESULTS} most important ones"
            ));
        }
        let invocation = Invocation::builder()
            .execution_successful(!matches!(report.exit, Some(GuestExit::Stopped { .. })))
            .tool_execution_notifications(notifications);
        match &report.reproduce {
            Some(command) => invocation.command_line(command.clone()).build(),
            None => invocation.build(),
        }
    }

    fn result(&self, finding: &Finding) -> SarifResult {
        let sections = sections(finding);
        let related = self.related(&sections);
        let rule = finding.kind.rule();
        let index = FindingKind::ALL.iter().position(|k| *k == finding.kind);
        let mut text = escape(&finding.title);
        // A link to the section's own location, by its id.
        for (location, section) in related.iter().filter_map(|(l, s)| Some((l, (*s)?))) {
            if let Some(id) = location.id {
                text.push_str(&format!("\n[{}]({id})", escape(&section.heading)));
            }
        }
        let mut properties: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        if let Some(schedules) = &finding.schedules {
            properties.insert("schedulesShown".into(), json!(schedules.shown));
            let first = schedules.first.to_string();
            properties.insert("firstSchedule".into(), json!(first));
        }
        let principals = || sections.iter().filter(|s| s.role == Role::Principal);
        let primary = principals().next().and_then(|s| place(s.stack));
        let mut result = SarifResult::builder()
            .rule_id(rule.kind.name())
            .rule_index(index.and_then(|i| i64::try_from(i).ok()).unwrap_or(-1))
            .level(match rule.severity {
                Severity::Error => ResultLevel::Error,
                Severity::Warning => ResultLevel::Warning,
            })
            .message(Message::builder().text(text).build())
            .locations(vec![self.location(primary)])
            .related_locations(related.into_iter().map(|(l, _)| l).collect::<Vec<_>>())
            .stacks(principals().map(|s| self.stack(s)).collect::<Vec<_>>())
            .code_flows(vec![self.code_flow(finding, &sections)])
            .occurrence_count(i64::try_from(finding.count.max(1)).unwrap_or(i64::MAX))
            .partial_fingerprints(BTreeMap::from([(
                FINGERPRINT.to_owned(),
                finding.fingerprint.to_string(),
            )]))
            .properties(
                PropertyBag::builder()
                    .additional_properties(properties)
                    .build(),
            )
            .build();
        result.baseline_state = finding.baseline.map(|state| match state {
            BaselineState::New => json!("new"),
            BaselineState::Known => json!("unchanged"),
        });
        result
    }

    /// The place of each section, then the other frames of the principal ones that have a line of their own.
    fn related<'s>(&self, sections: &'s [Section<'s>]) -> Vec<(Location, Option<&'s Section<'s>>)> {
        let headings = sections.iter().filter_map(|section| {
            let frame = place(section.stack)?;
            Some((frame, section.heading.clone(), Some(section)))
        });
        let frames = sections
            .iter()
            .filter(|section| section.role == Role::Principal)
            .flat_map(|section| {
                let own = (section.stack.iter().enumerate())
                    .filter(|(_, frame)| !is_library(frame) && frame.line.is_some());
                own.map(|(index, frame)| {
                    (
                        frame,
                        format!("#{index} {}", function(frame, self.options)),
                        None,
                    )
                })
            });
        (1..)
            .zip(headings.chain(frames).take(SARIF_LOCATIONS))
            .map(|(id, (frame, text, section))| {
                let mut location = self.location(Some(frame));
                location.id = Some(id);
                location.message = Some(message(&text));
                (location, section)
            })
            .collect()
    }

    fn stack(&self, section: &Section<'_>) -> Stack {
        let frames = section.stack.iter().take(FRAMES);
        let mut heading = section.heading.clone();
        if section.stack.len() > FRAMES {
            heading.push_str(&format!(
                " ({} left out)",
                count((section.stack.len() - FRAMES) as u64, "frame", "frames")
            ));
        }
        Stack::builder()
            .message(message(&heading))
            .frames(
                frames
                    .map(|frame| {
                        StackFrame::builder()
                            .location(self.location(Some(frame)))
                            .thread_id(i64::from(section.thread.0))
                            .build()
                    })
                    .collect::<Vec<_>>(),
            )
            .build()
    }

    fn code_flow(&self, finding: &Finding, sections: &[Section<'_>]) -> CodeFlow {
        let flows = match &finding.evidence {
            Evidence::Race(race) if race.history.is_some() => self.interleaving(finding, race),
            _ => self.ends(finding, sections),
        };
        CodeFlow::builder().thread_flows(flows).build()
    }

    /// The steps that led to a race, a flow for each thread; their execution order is the interleaving.
    fn interleaving(&self, finding: &Finding, race: &Race) -> Vec<ThreadFlow> {
        let lines: Vec<Line<'_>> = (race.history.iter())
            .flat_map(|history| history.lines(race))
            .collect();
        let flow = |access: &Access| {
            let mine = lines.iter().filter(|line| line.thread == access.thread);
            let steps = mine.map(|line| {
                let number = line.access.map(|access| format!("({access}) "));
                let role = line.role.map(|role| format!(", {role}"));
                let text = [number, Some(line.text.clone()), role].map(Option::unwrap_or_default);
                let mut step = self.step(line.frame, &text.concat(), 0);
                step.execution_order = i64::try_from(line.number).ok();
                if line.access.is_some() {
                    step.importance = Some(json!("essential"));
                }
                step
            });
            ThreadFlow::builder()
                .id(finding.label(access.thread))
                .locations(steps.collect::<Vec<_>>())
                .build()
        };
        race.accesses.iter().map(flow).collect()
    }

    /// One flow for each principal section: the locks the thread took, its calls, what it did in the end. The order
    /// between threads is known of the ends alone.
    fn ends(&self, finding: &Finding, sections: &[Section<'_>]) -> Vec<ThreadFlow> {
        let principals: Vec<_> = (sections.iter())
            .filter(|section| section.role == Role::Principal)
            .collect();
        let room = SARIF_LOCATIONS / principals.len().max(1);
        let flows = (1..).zip(&principals).map(|(order, section)| {
            let calls = (section.stack.iter().skip(1))
                .filter(|frame| !is_library(frame) && frame.line.is_some())
                .take(room.saturating_sub(section.locks.len() + 1));
            let mut steps: Vec<ThreadFlowLocation> = Vec::new();
            for lock in section.locks {
                let name = address_label(lock.address, lock.name.as_deref());
                let place = place(&lock.stack);
                steps.push(self.step(place, &format!("takes lock {name}"), 0));
            }
            let depth = section.stack.len();
            let calls: Vec<_> = calls.enumerate().collect();
            steps.extend(calls.into_iter().rev().map(|(index, frame)| {
                let text = format!("in {}", function(frame, self.options));
                self.step(Some(frame), &text, depth.saturating_sub(index + 2))
            }));
            let mut end = self.step(
                place(section.stack),
                &section.heading,
                depth.saturating_sub(1),
            );
            end.execution_order = Some(order);
            end.importance = Some(json!("essential"));
            steps.push(end);
            ThreadFlow::builder()
                .id(finding.label(section.thread))
                .locations(steps)
                .build()
        });
        flows.collect()
    }

    fn step(&self, frame: Option<&Frame>, text: &str, depth: usize) -> ThreadFlowLocation {
        let mut location = self.location(frame);
        location.message = Some(message(text));
        ThreadFlowLocation::builder()
            .location(location)
            .nesting_level(i64::try_from(depth).unwrap_or(0))
            .build()
    }

    /// Where a frame is; without lines, where in the module; without a frame, the module.
    fn location(&self, frame: Option<&Frame>) -> Location {
        let module = || uri(&self.report.program.module);
        let physical = match frame {
            None => physical(module(), None),
            Some(frame) => match (&frame.file, frame.line) {
                (Some(file), line) => {
                    let region = line.map(|line| {
                        let mut region =
                            Region::builder().start_line(i64::from(line.max(1))).build();
                        region.start_column = frame.column.map(|c| i64::from(c.max(1)));
                        region
                    });
                    physical(uri(&self.options.sources.display(file)), region)
                }
                (None, _) => physical(
                    module(),
                    Some(
                        Region::builder()
                            .byte_offset(i64::from(frame.offset))
                            .byte_length(1)
                            .build(),
                    ),
                ),
            },
        };
        let mut location = Location::builder().physical_location(physical).build();
        location.logical_locations = frame.map(|frame| {
            vec![
                LogicalLocation::builder()
                    .fully_qualified_name(function(frame, self.options))
                    .kind("function")
                    .build(),
            ]
        });
        location
    }
}

fn rule(rule: &Rule) -> ReportingDescriptor {
    let (level, severity) = match rule.severity {
        Severity::Error => ("error", "error"),
        Severity::Warning => ("warning", "warning"),
    };
    let text = |text: &str| MultiformatMessageString::builder().text(text).build();
    let tags = ["concurrency", "correctness"].map(str::to_owned).to_vec();
    ReportingDescriptor::builder()
        .id(rule.kind.name())
        .name(rule.title)
        .short_description(text(rule.title))
        .full_description(text(rule.help))
        .help(text(rule.help))
        .default_configuration(
            ReportingConfiguration::builder()
                .level(json!(level))
                .build(),
        )
        .properties(
            PropertyBag::builder()
                .tags(tags)
                .additional_properties(BTreeMap::from([
                    ("problem.severity".to_owned(), json!(severity)),
                    ("precision".to_owned(), json!("very-high")),
                ]))
                .build(),
        )
        .build()
}

fn physical(uri: String, region: Option<Region>) -> PhysicalLocation {
    let mut location = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri).build())
        .build();
    location.region = region;
    location
}

fn message(text: &str) -> Message {
    Message::builder().text(escape(text)).build()
}

/// A guest must not write links: brackets begin one in a message.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A path as a URI: relative ones stay so, which code hosts take from the root of the repository.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let windows = path.as_bytes().get(1) == Some(&b':');
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    } else if windows {
        out.push_str("file:///");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            b':' if windows => out.push(':'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escape, uri};

    #[test]
    fn paths_become_uris() {
        for (path, expected) in [
            ("src/main.rs", "src/main.rs"),
            ("/a b/ä.rs", "file:///a%20b/%C3%A4.rs"),
            ("C:\\x\\y.rs", "file:///C:/x/y.rs"),
            ("a:b.rs", "file:///a:b.rs"),
            ("a%20b#c?d", "a%2520b%23c%3Fd"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn a_name_is_no_link() {
        assert_eq!(escape("[x](1)\\"), "\\[x\\](1)\\\\");
    }
}
