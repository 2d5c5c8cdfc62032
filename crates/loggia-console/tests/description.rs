//! The description of the admin API is in the repository, because the console's client is generated from it.

use std::path::Path;

#[test]
fn the_console_has_the_description_of_this_api() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console/src/api/openapi.json");
    let text =
        serde_json::to_string_pretty(&loggia_console::openapi_description()).expect("it is JSON") + "\n";
    if std::env::var_os("UPDATE_API").is_some() {
        std::fs::write(&file, &text).expect("it can be written");
    }
    let Ok(kept) = std::fs::read_to_string(&file) else {
        return eprintln!("skipped: a published crate has no sources of the console");
    };
    assert!(kept == text, "UPDATE_API=1 cargo test -p loggia-console; then npm run api in console/");
}
