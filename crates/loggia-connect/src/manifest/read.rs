//! The reader of manifests: from the text to a [`ConnectorManifest`], with all problems of the text in one run.

use toml::de::DeTable;

use super::check;
use super::connector_test;

use super::format::MANIFEST;
use super::read_backend::backend;
use super::read_value::pattern;
use super::source::{ManifestProblems, TableReader, json_of};
use super::text::is_field_name;
use super::{ConfigChoice, ConfigField, ConfigFieldType, ConnectorIcon, ConnectorManifest, ManifestError};
use crate::problem::{Problem, toml_message};

pub(super) fn manifest(text: &str, file: &str) -> Result<ConnectorManifest, ManifestError> {
    let mut problems = ManifestProblems::new(text, file);
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            problems.add::<()>(&span, toml_message(error.message()));
            return Err(ManifestError { problems: problems.found });
        }
    };
    // Messages about the file as a whole point at its beginning.
    let root = TableReader::new(table.get_ref(), &MANIFEST, 0..0);
    root.check(None, &mut problems);
    let manifest = read_root(&root, &mut problems);
    check::manifest(&manifest, &root, &mut problems);
    match problems.found.is_empty() {
        true => Ok(manifest),
        false => {
            let mut found: Vec<Problem> = problems.found;
            found.sort_by(|one, other| one.location.cmp(&other.location));
            Err(ManifestError { problems: found })
        }
    }
}

/// Reads what the check of the format let through. A value that is missing or wrong was reported, and is read as empty.
fn read_root(root: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> ConnectorManifest {
    let text = |key: &str| root.owned(key).unwrap_or_default();
    let config = root.named_tables("config");
    let config = config.into_iter().map(|((name, span), table)| {
        if !is_field_name(name) {
            problems.add::<()>(&span, "the name of a value has small letters, digits and '_'");
        }
        config_field(name, &table, problems)
    });
    let config: Vec<ConfigField> = config.collect();
    let backends = root.tables("backends");
    if root.has("backends") && backends.is_empty() {
        problems.add::<()>(&root.span_of("backends"), "a connector needs a backend: write [[backends]]");
    }
    ConnectorManifest {
        name: text("name"),
        title: text("title"),
        version: text("version"),
        description: text("description"),
        website: root.owned("website"),
        icons: root.tables("icons").iter().map(icon).collect(),
        categories: root.texts("categories"),
        not_shown: root.texts("not_shown"),
        config,
        backends: backends.iter().filter_map(|table| backend(table, problems)).collect(),
        tests: root
            .tables("tests")
            .iter()
            .filter_map(|table| connector_test::test(table, problems))
            .collect(),
    }
}

fn icon(table: &TableReader<'_>) -> ConnectorIcon {
    ConnectorIcon {
        src: table.owned("src").unwrap_or_default(),
        mime_type: table.owned("mime_type"),
        sizes: table.texts("sizes"),
        theme: table.owned("theme"),
    }
}

fn config_field(name: &str, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) -> ConfigField {
    let number = |key: &str| table.json(key).and_then(|number| number.as_f64());
    let choices = table.items("choices").filter_map(|item| match item.get_ref().as_str() {
        Some(value) => Some(ConfigChoice { value: value.to_owned(), title: value.to_owned() }),
        None => {
            let choice = json_of(item.get_ref());
            let value = choice["value"].as_str()?.to_owned();
            let title = choice["title"].as_str().unwrap_or(&value).to_owned();
            Some(ConfigChoice { value, title })
        }
    });
    let field = ConfigField {
        name: name.to_owned(),
        field_type: table.text("type").and_then(ConfigFieldType::from_name).unwrap_or(ConfigFieldType::Text),
        title: table.owned("title").unwrap_or_default(),
        description: table.owned("description"),
        is_required: table.boolean("required").unwrap_or(false),
        default: table.json("default"),
        pattern: pattern(table, "pattern", problems),
        min: number("min"),
        max: number("max"),
        choices: choices.collect(),
        is_multiple: table.boolean("multiple").unwrap_or(false),
    };
    check_field(&field, table, problems);
    field
}

fn check_field(field: &ConfigField, table: &TableReader<'_>, problems: &mut ManifestProblems<'_>) {
    use ConfigFieldType::{Choice, Number, Secret, Text};
    let keys: [(&str, bool, &str); 6] = [
        ("pattern", matches!(field.field_type, Text | Secret), "string or secret"),
        ("min", field.field_type == Number, "number"),
        ("max", field.field_type == Number, "number"),
        ("choices", field.field_type == Choice, "choice"),
        ("multiple", field.field_type.is_path(), "file or folder"),
        ("default", field.field_type != Secret, ""),
    ];
    for (key, belongs, types) in keys {
        if table.has(key) && !belongs && table.text("type").is_some() {
            let message = match key {
                "default" => "a secret never has a default".to_owned(),
                _ => format!("'{key}' is for values of type {types}"),
            };
            problems.add::<()>(&table.span_of(key), message);
        }
    }
    if field.field_type == Choice && field.choices.is_empty() {
        problems.add::<()>(&table.span, "a choice needs its choices, for example choices = [\"eu\", \"us\"]");
    }
    if let Some(Err(message)) =
        field.default.as_ref().filter(|_| field.field_type != Secret).map(|default| field.check(default))
    {
        problems.add::<()>(&table.span_of("default"), format!("the default does not fit: {message}"));
    }
}
