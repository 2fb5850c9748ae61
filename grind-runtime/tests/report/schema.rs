//! The machine-readable form against `docs/report.schema.json`.

use crate::json::report;
use crate::kinds::timeline;
use grind_runtime::model::{Schedule, ScheduleName};
use grind_runtime::report::finding::{BaselineState, ShownBy};
use grind_runtime::report::{GuestExit, HowEnded, Report, Schedules, Suppressed, json};
use serde_json::Value;

/// The schema; `strict` ones know no field beyond those listed, so that none is forgotten.
fn schema(strict: bool) -> jsonschema::Validator {
    let text = include_str!("../../../docs/report.schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    if strict {
        close(&mut schema);
    }
    jsonschema::validator_for(&schema).expect("it is a schema")
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            if fields.get("type") == Some(&"object".into()) && fields.contains_key("properties") {
                fields.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[track_caller]
fn conforms(schema: &jsonschema::Validator, report: &Report) {
    let value: Value = serde_json::from_str(&json::to_string(report)).expect("it is JSON");
    let errors: Vec<String> = schema
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_is_written_is_what_the_schema_says() {
    let schema = schema(true);
    let mut report = report();
    conforms(&schema, &report);
    report.schedules = Some(Schedules {
        first: ScheduleName::Decisions {
            decisions: "0123456789abcdef".to_owned(),
        },
        last: Schedule::from(u64::MAX).name(),
        run: 7,
        with_findings: 3,
        timed_out: 1,
        outcomes: vec![HowEnded {
            how: "exit code 0".to_owned(),
            count: 1,
            first: Schedule::from(3).name(),
        }],
    });
    for finding in &mut report.findings {
        finding.schedules = Some(ShownBy {
            shown: 2,
            first: Schedule::from(u64::MAX).name(),
        });
        finding.baseline = Some(BaselineState::Known);
    }
    report.timeline = Some(timeline(&report));
    report.suppressed.push(Suppressed {
        suppression: "race:f".into(),
        origin: "s.txt:1".into(),
        reason: None,
        findings: 1,
    });
    conforms(&schema, &report);
    for exit in [
        GuestExit::Exited { code: -1 },
        GuestExit::Deadlocked,
        GuestExit::Stopped {
            reason: "why".into(),
        },
    ] {
        report.exit = Some(exit);
        conforms(&schema, &report);
    }
    conforms(&schema, &Report::default());
}

#[test]
fn what_is_not_a_report_does_not_conform() {
    let schema = schema(false);
    let good: Value = serde_json::from_str(&json::to_string(&report())).expect("it is JSON");
    assert!(schema.is_valid(&good));
    type Break = dyn Fn(&mut Value);
    let breaks: [(&str, &Break); 6] = [
        ("another version", &|v| v["schema"] = 2.into()),
        ("an unknown kind", &|v| {
            v["findings"][0]["kind"] = "bug".into()
        }),
        ("no fingerprint", &|v| {
            v["findings"][0]["fingerprint"] = "x".into()
        }),
        ("one access", &|v| {
            v["findings"][0]["race"]["accesses"]
                .as_array_mut()
                .expect("accesses")
                .pop();
        }),
        ("no evidence", &|v| {
            v["findings"][0]
                .as_object_mut()
                .expect("a finding")
                .remove("race");
        }),
        ("an exit without a reason", &|v| {
            v["exit"].as_object_mut().expect("an exit").remove("reason");
        }),
    ];
    for (what, change) in breaks {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(!schema.is_valid(&bad), "{what}");
    }
    let mut later = good;
    later["new_field"] = true.into();
    later["findings"][0]["new_field"] = true.into();
    assert!(
        schema.is_valid(&later),
        "a later version of the format may add fields"
    );
}

#[test]
fn the_documented_version_is_the_one_that_is_written() {
    let text = include_str!("../../../docs/report.schema.json");
    let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], json::SCHEMA);
}
