//! JUnit XML: one test case for each finding, one that passes if there is none.

use crate::report::finding::Finding;
use crate::report::finding::summary::Report;
use crate::report::render::human::render_finding;
use crate::report::render::limits::{TEXT_FINDINGS, first};
use crate::report::render::options::Options;
use crate::report::text;
use crate::report::text::clean;
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

/// The report as JUnit XML. Findings that a baseline knows are skipped tests.
pub(in crate::report) fn render(report: &Report, options: &Options) -> String {
    let options = options.plain();
    let (findings, left_out) = first(report, TEXT_FINDINGS);
    let mut suite = TestSuite::new(clean(&report.program.module));
    for finding in findings {
        suite.add_test_case(case(finding, &options));
    }
    if suite.test_cases.is_empty() {
        let mut clean = TestCase::new("no findings", TestCaseStatus::success());
        clean.set_classname("grind");
        suite.add_test_case(clean);
    }
    let mut property = |name: &str, value: &str| {
        suite.add_property(Property::new(name, clean(value)));
    };
    if let Some(command) = &report.reproduce {
        property("reproduce", command);
    }
    for limit in &report.limits {
        property("limit", limit);
    }
    for warning in &report.warnings {
        property("warning", warning);
    }
    if left_out > 0 {
        property(
            "left-out",
            &text::count(left_out as u64, "finding", "findings"),
        );
    }
    let mut junit = quick_junit::Report::new("grind");
    junit.add_test_suite(suite);
    junit
        .to_string()
        .expect("quick-junit writes well-formed XML to memory")
}

fn case(finding: &Finding, options: &Options) -> TestCase {
    let class = finding.kind.name();
    let name = format!("{} {}", finding.kind.rule().title, finding.fingerprint);
    if finding.is_known() {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("known: {}", clean(&finding.title)));
        let mut case = TestCase::new(name, status);
        case.set_classname(class);
        return case;
    }
    failure(
        &name,
        class,
        &finding.title,
        render_finding(finding, options),
    )
}

fn failure(name: &str, class: &str, title: &str, body: String) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status
        .set_message(clean(title))
        .set_type(class)
        .set_description(body);
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}
