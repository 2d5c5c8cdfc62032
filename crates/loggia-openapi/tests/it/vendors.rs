//! Whole descriptions of vendors. They stand beside the repository; without them the tests say so and carry on.

use std::collections::HashSet;
use std::path::PathBuf;

use loggia_openapi::Api;
use serde_json::Value;

fn vendor(file: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vendors").join(file);
    let text = std::fs::read(&path).ok();
    if text.is_none() {
        eprintln!("skipped: ../shared/vendors/{file} is absent");
    }
    text
}

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
            let tool = operation.tool();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(tool.name.len() <= 52 && tool.name.chars().all(is_plain), "{file}: {}", tool.name);
            let text = tool.input_schema.as_str();
            assert!(
                text.len() <= 24 * 1024 && !text.contains("\"$ref\""),
                "{file}: {} has {} bytes",
                tool.name,
                text.len()
            );
            let schema: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(schema["type"], "object");
            if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
                panic!("{file}: {}: {error}: {schema}", tool.name);
            }
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
