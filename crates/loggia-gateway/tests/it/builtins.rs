//! Built-in connectors are added by name and are served.

use std::path::Path;

use loggia_connect::manifest::ManifestDirectory;
use loggia_gateway::add::{AddAnswers, AddPlace, AddPlan, AddSource};
use loggia_gateway::{ConnectorContext, Credentials, Redactor};
use serde_json::{Map, Value};

/// A connector: its name, its values, and the names of its tools.
struct AddedBuiltin {
    name: &'static str,
    values: &'static [(&'static str, &'static str)],
    tools: &'static [&'static str],
}

const BUILTINS: &[AddedBuiltin] = &[
    AddedBuiltin { name: "fetch", values: &[], tools: &["fetch"] },
    AddedBuiltin {
        name: "memory",
        values: &[("path", "memory.db")],
        tools: &["remember", "recall", "list", "read", "update", "forget", "relate"],
    },
    AddedBuiltin {
        name: "time",
        values: &[("zone", "Europe/Berlin")],
        tools: &["now", "parse", "convert", "difference"],
    },
    AddedBuiltin {
        name: "git",
        values: &[("root", ".")],
        tools: &["repositories", "status", "log", "show", "read", "diff", "blame", "search", "references"],
    },
    AddedBuiltin {
        name: "git",
        values: &[("root", "."), ("author", "Ada <ada@example.com>")],
        tools: &[
            "repositories",
            "status",
            "log",
            "show",
            "read",
            "diff",
            "blame",
            "search",
            "references",
            "commit",
        ],
    },
    AddedBuiltin { name: "sqlite", values: &[("path", "shop.db")], tools: &["schema", "query"] },
    AddedBuiltin {
        name: "sqlite",
        values: &[("path", "shop.db"), ("write", "true")],
        tools: &["schema", "query", "execute"],
    },
];

/// Makes the systems that the connectors need.
fn prepare(folder: &Path) {
    std::fs::write(folder.join("shop.db"), "").expect("written");
}

#[tokio::test]
async fn a_builtin_is_added_by_its_name_with_its_values() {
    for AddedBuiltin { name, values, tools } in BUILTINS {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let credentials =
            Credentials::new(Some(folder.path().join("credentials")), Vec::new(), Redactor::default());
        let source = AddSource::parse(name, &ManifestDirectory::embedded(), &credentials).await;
        let plan = AddPlan::new(source.expect("it is in the directory"), None, None).expect("a plan");
        let mut config = Map::<String, Value>::new();
        for (field, text) in *values {
            let is_path = plan.config.iter().any(|known| known.name == *field && known.field_type.is_path());
            let text =
                if is_path { folder.path().join(text).display().to_string() } else { (*text).to_owned() };
            config.insert((*field).to_owned(), plan.read_value(field, &text).expect("it fits"));
        }
        let place = AddPlace::of(None, &credentials).expect("a place");
        let answers = AddAnswers { config, ..AddAnswers::default() };
        let context = ConnectorContext::new(credentials.clone());
        let report = plan.finish(answers, &place, &context, None).await;
        let report = report.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.tools, *tools, "{name}");
        assert!(report.is_checked, "{name}");
    }
}

/// A path of the user begins at the folder of the command, and the value without a name is the required one.
#[tokio::test]
async fn a_relative_path_is_stored_as_an_absolute_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials =
        Credentials::new(Some(folder.path().join("credentials")), Vec::new(), Redactor::default());
    let source = AddSource::parse("sqlite", &ManifestDirectory::embedded(), &credentials).await;
    let plan = AddPlan::new(source.expect("it is in the directory"), None, None).expect("a plan");
    assert_eq!(plan.main_field().map(|field| field.name.as_str()), Some("path"));
    let value = plan.read_value("path", "shop.db").expect("it fits");
    assert!(value.as_str().is_some_and(|path| Path::new(path).is_absolute()), "{value}");
}
