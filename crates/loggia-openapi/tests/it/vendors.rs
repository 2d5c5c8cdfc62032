//! Whole descriptions of vendors. They stand beside the repository; without them the tests say so and carry on.

use std::collections::HashSet;

use loggia_openapi::Api;
use serde_json::Value;

use crate::files::{assert_strict, digest, npm, vendor};

/// File, least number of operations, and an operation that must be there.
const VENDORS: [(&str, usize, &str); 5] = [
    ("notion.openapi.json", 20, "get_self"),
    ("figma.openapi.yaml", 40, "get_file"),
    ("asana.openapi.yaml", 150, "get_task"),
    ("sentry.openapi.json", 150, "list_organizations"),
    ("stripe.openapi.json", 250, "get_balance"),
];

#[test]
fn every_operation_is_a_tool_that_strict_clients_accept() {
    for (file, least, known) in VENDORS {
        let Some(text) = vendor(file) else { continue };
        let api = Api::read(&text).expect("a description");
        assert_eq!(api.problems(), [], "{file}");
        assert!(api.operations().len() >= least, "{file}: {}", api.operations().len());
        let names: HashSet<&str> = api.operations().iter().map(|operation| operation.name()).collect();
        assert_eq!(names.len(), api.operations().len(), "{file}: names are unique");
        assert!(names.contains(known), "{file}: {known} is not in {names:?}");
        let url = api.base_url();
        assert!(url.is_ok(), "{file}: {url:?}");
        for operation in api.operations() {
            assert_strict(&operation.tool());
        }
    }
}

#[test]
fn names_do_not_depend_on_the_order_of_paths() {
    let Some(text) = vendor("notion.openapi.json") else { return };
    let description: Value = serde_json::from_slice(&text).expect("JSON");
    let names = |description: &Value| -> HashSet<(String, String)> {
        let api = Api::read(description.to_string().as_bytes()).expect("a description");
        api.operations()
            .iter()
            .map(|operation| {
                (operation.name().to_owned(), format!("{} {}", operation.method(), operation.path()))
            })
            .collect()
    };
    let mut fewer = description.clone();
    let paths = fewer["paths"].as_object_mut().expect("an object");
    let first = paths.keys().next().expect("a path").clone();
    paths.remove(&first);
    let (all, some) = (names(&description), names(&fewer));
    assert!(some.is_subset(&all) && some.len() < all.len());
}

/// Names are a promise: a change of one breaks the policies that name it.
#[test]
fn names_of_whole_apis_are_stable() {
    let forge = "@octokit/openapi/generated/api.github.com.json";
    let table = [
        ("stripe.openapi.json", vendor("stripe.openapi.json"), 417, "b388bd86f594e8c8"),
        ("sentry.openapi.json", vendor("sentry.openapi.json"), 223, "610340c425f7aae6"),
        (forge, npm(forge), 1223, "e343aa0be556a871"),
    ];
    for (file, text, count, expected) in table {
        let Some(text) = text else { continue };
        let api = Api::read(&text).expect("a description");
        assert_eq!((api.problems(), api.operations().len()), ([].as_slice(), count), "{file}");
        let names: HashSet<&str> = api.operations().iter().map(|operation| operation.name()).collect();
        assert_eq!(names.len(), count, "{file}: names are unique");
        let found = digest(api.operations().iter().map(|operation| operation.name()));
        assert_eq!(found, expected, "{file}");
        for operation in api.operations() {
            assert_strict(&operation.tool());
        }
    }
}
