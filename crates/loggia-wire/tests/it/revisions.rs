//! Every type, written for every revision, against that revision's official schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use loggia_wire::{Method, Version};
use proptest::prelude::*;
use serde_json::Value;

use crate::official::{Official, complaints};
use crate::samples::{self, Sample};

#[test]
fn full_values_satisfy_each_revision() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for version in Version::ALL {
        let Some(official) = Official::load(version) else { return };
        for sample in samples::all() {
            let Some(written) = (sample.recode)(&sample.full, version).unwrap() else { continue };
            let definition = sample.definition;
            let found = complaints(&official.validator(definition), &written);
            if !found.is_empty() {
                wrong.push(format!("{version} {definition}:\n{}\n{written}", found.join("\n")));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(checked > 100, "only {checked} values were checked");
}

/// A value with all members is written for a revision without the members that the revision does not have.
#[test]
fn members_of_later_revisions_are_absent() {
    let mut wrong = Vec::new();
    for version in Version::ALL {
        let Some(official) = Official::load(version) else { return };
        for sample in samples::all() {
            let Some(written) = (sample.recode)(&sample.full, version).unwrap() else { continue };
            let mut found = Vec::new();
            unnamed(&official, sample.definition, &written, &mut found);
            if !found.is_empty() {
                wrong.push(format!("{version} {}: {found:?}", sample.definition));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn unnamed(official: &Official, definition: &str, value: &Value, found: &mut Vec<String>) {
    let (Some(members), Value::Object(object)) = (official.members(definition), value) else { return };
    let named: BTreeSet<String> = members.into_iter().collect();
    // Requests and notifications are envelopes in some revisions' schemas and not in others'.
    let envelope = ["jsonrpc", "id"];
    let strange = object.keys().filter(|key| !named.contains(*key) && !envelope.contains(&key.as_str()));
    found.extend(strange.map(|key| format!("{definition}.{key}")));
    for (_, member, definition, many) in NESTED.iter().filter(|nested| nested.0 == definition) {
        match object.get(*member) {
            Some(Value::Array(items)) if *many => {
                items.iter().for_each(|item| unnamed(official, definition, item, found))
            }
            Some(item) if !*many => unnamed(official, definition, item, found),
            _ => {}
        }
    }
}

/// Members whose definition is known: of which type, the member, its definition,
/// whether it is a list.
const NESTED: &[(&str, &str, &str, bool)] = &[
    ("ListToolsResult", "tools", "Tool", true),
    ("ListResourcesResult", "resources", "Resource", true),
    ("ListResourceTemplatesResult", "resourceTemplates", "ResourceTemplate", true),
    ("ListPromptsResult", "prompts", "Prompt", true),
    ("Prompt", "arguments", "PromptArgument", true),
    ("InitializeResult", "serverInfo", "Implementation", false),
    ("InitializeResult", "capabilities", "ServerCapabilities", false),
    ("DiscoverResult", "capabilities", "ServerCapabilities", false),
    ("Tool", "annotations", "ToolAnnotations", false),
    ("Resource", "annotations", "Annotations", false),
    ("ResourceTemplate", "annotations", "Annotations", false),
];

#[test]
fn methods_are_those_of_the_schemas() {
    for version in Version::ALL {
        let Some(official) = Official::load(version) else { return };
        let theirs: BTreeSet<String> = official
            .definitions()
            .filter_map(|(_, schema)| schema.pointer("/properties/method/const")?.as_str().map(str::to_owned))
            // The experimental tasks of 2025-11-25 became an extension: for us they are methods of an extension.
            .filter(|method| !method.contains("tasks/"))
            .collect();
        let ours: BTreeSet<String> =
            Method::KNOWN.iter().filter(|m| m.exists_in(version)).map(|m| m.as_str().to_owned()).collect();
        assert_eq!(ours, theirs, "{version}");
    }
}

#[test]
fn a_client_may_ask_the_requests_of_its_revision() {
    use Version::{V2025_11_25, V2026_07_28};
    let cases = [
        ("tools/call", V2025_11_25, true),
        ("tools/call", V2026_07_28, true),
        ("ping", V2025_11_25, true),
        ("ping", V2026_07_28, false),
        ("server/discover", V2025_11_25, false),
        ("subscriptions/listen", V2026_07_28, true),
        ("sampling/createMessage", V2025_11_25, false),
        ("notifications/cancelled", V2025_11_25, false),
        ("example.org/other", V2026_07_28, true),
    ];
    for (name, version, allowed) in cases {
        assert_eq!(Method::from(name).is_client_request(version), allowed, "{name} in {version}");
    }
}

/// Takes members away, as `choices` say.
fn prune(value: &Value, choices: &mut impl Iterator<Item = bool>) -> Value {
    match value {
        Value::Object(object) => {
            let kept: Vec<_> = object.iter().filter(|_| choices.next().unwrap_or(true)).collect();
            Value::Object(
                kept.into_iter()
                    .map(|(key, value)| (key.clone(), prune_member(key, value, choices)))
                    .collect(),
            )
        }
        Value::Array(items) => {
            let kept: Vec<_> = items.iter().filter(|_| choices.next().unwrap_or(true)).collect();
            Value::Array(kept.into_iter().map(|item| prune(item, choices)).collect())
        }
        other => other.clone(),
    }
}

/// Answers to questions are carried raw: the model does not judge them.
fn prune_member(key: &str, value: &Value, choices: &mut impl Iterator<Item = bool>) -> Value {
    if key == "inputResponses" { value.clone() } else { prune(value, choices) }
}

/// A repeatable run of choices, four of five of which keep.
fn choices(seed: u64) -> impl Iterator<Item = bool> {
    std::iter::successors(Some(seed | 1), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .map(|state| !(state >> 33).is_multiple_of(5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever part of a value our model accepts, what it writes satisfies the schema.
    #[test]
    fn partial_values_satisfy_each_revision(seed: u64) {
        for (version, sample, validator) in VALIDATORS.iter() {
            let value = prune(&sample.full, &mut choices(seed));
            let Ok(Some(written)) = (sample.recode)(&value, *version) else { continue };
            let found = complaints(validator, &written);
            prop_assert!(found.is_empty(), "{version} {}:\n{}\n{value:#}\n{written:#}", sample.definition, found.join("\n"));
        }
    }

    /// A value that was written for a revision can be read and written again without a change.
    #[test]
    fn writing_again_changes_nothing(seed: u64) {
        for sample in samples::all() {
            let value = prune(&sample.full, &mut choices(seed));
            for version in Version::ALL {
                let Ok(Some(once)) = (sample.recode)(&value, version) else { continue };
                let read = sample.payload(&once);
                let twice = (sample.recode)(&read, version).unwrap();
                prop_assert_eq!(Some(once), twice, "{} {}", version, sample.definition);
            }
        }
    }

    /// Unknown members are kept, wherever the schema allows them.
    #[test]
    fn unknown_members_survive(name in "[a-z]{3,8}X") {
        for sample in samples::all() {
            let mut value = sample.full.clone();
            sample.payload_mut(&mut value)[&name] = true.into();
            for version in Version::ALL {
                let Some(written) = (sample.recode)(&value, version).unwrap() else { continue };
                let mut payload = sample.payload(&written);
                let found = sample.payload_mut(&mut payload).get(&name);
                prop_assert_eq!(found, Some(&Value::Bool(true)), "{} {}", version, sample.definition);
            }
        }
    }
}

/// Compiling a schema takes longer than checking a value: done once for all cases.
static VALIDATORS: LazyLock<Vec<(Version, Sample, jsonschema::Validator)>> = LazyLock::new(|| {
    let officials = Version::ALL.into_iter().filter_map(|version| Some((version, Official::load(version)?)));
    officials
        .flat_map(|(version, official)| {
            let known = samples::all().into_iter().filter(|s| official.has(s.definition)).collect::<Vec<_>>();
            known.into_iter().map(move |sample| {
                let validator = official.validator(sample.definition);
                (version, sample, validator)
            })
        })
        .collect()
});
