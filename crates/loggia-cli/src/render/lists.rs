//! Lists as tables, and one thing in full.

use std::fmt::Write;

use loggia::model::{Prompt, Resource, ResourceTemplate, Tool};
use unicode_width::UnicodeWidthStr;

use super::schema;
use crate::out::{BOLD, DIM, NAME, WARN};
use crate::text::{bytes, first_paragraph, one_line, pad, paragraph, wrap};

/// Columns that a name may take before its description begins on the next line.
const NAMES: usize = 36;

/// One row of a table.
struct Row {
    name: String,
    about: String,
    detail: String,
}

/// The tools.
pub(crate) fn tools(tools: &[Tool], width: usize) -> String {
    let rows = tools.iter().map(|tool| Row {
        name: one_line(&tool.name),
        about: first_paragraph(tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default()),
        detail: schema::signature(&tool.input_schema),
    });
    table(rows.collect(), width)
}

/// The prompts.
pub(crate) fn prompts(prompts: &[Prompt], width: usize) -> String {
    let rows = prompts.iter().map(|prompt| {
        let arguments = prompt.arguments.iter().flatten();
        let arguments = arguments.map(|argument| {
            format!("{}{}", one_line(&argument.name), if argument.required == Some(true) { "" } else { "?" })
        });
        Row {
            name: one_line(&prompt.name),
            about: first_paragraph(
                prompt.description.as_deref().or(prompt.title.as_deref()).unwrap_or_default(),
            ),
            detail: arguments.collect::<Vec<_>>().join(", "),
        }
    });
    table(rows.collect(), width)
}

/// The resources, then the templates.
pub(crate) fn resources(resources: &[Resource], templates: &[ResourceTemplate], width: usize) -> String {
    let listed = resources.iter().map(|resource| Row {
        name: one_line(&resource.uri),
        about: about(&resource.name, resource.title.as_deref(), resource.description.as_deref()),
        detail: [resource.mime_type.clone(), resource.size.map(bytes)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
    });
    let mut out = table(listed.collect(), width);
    if !templates.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{BOLD}Templates{BOLD:#}");
        let listed = templates.iter().map(|template| Row {
            name: one_line(&template.uri_template),
            about: about(&template.name, template.title.as_deref(), template.description.as_deref()),
            detail: template.mime_type.clone().unwrap_or_default(),
        });
        out.push_str(&table(listed.collect(), width));
    }
    out
}

fn about(name: &str, title: Option<&str>, description: Option<&str>) -> String {
    match description {
        Some(description) => format!("{}: {}", title.unwrap_or(name), first_paragraph(description)),
        None => title.unwrap_or(name).to_owned(),
    }
}

fn table(rows: Vec<Row>, width: usize) -> String {
    let column = rows.iter().map(|row| row.name.width()).filter(|w| *w <= NAMES).max().unwrap_or(0);
    let margin = column + 2;
    let mut out = String::new();
    for row in rows {
        let mut lines = wrap(&row.about, width.saturating_sub(margin).max(20)).into_iter();
        // Writing into a String cannot fail.
        if row.name.width() <= column {
            let first = lines.next().unwrap_or_default();
            let _ = writeln!(out, "{NAME}{}{NAME:#}  {first}", pad(&row.name, column));
        } else {
            let _ = writeln!(out, "{NAME}{}{NAME:#}", row.name);
        }
        for line in lines {
            let _ = writeln!(out, "{:margin$}{line}", "");
        }
        for line in wrap(&row.detail, width.saturating_sub(margin).max(20)) {
            let _ = writeln!(out, "{:margin$}{DIM}{line}{DIM:#}", "");
        }
    }
    out
}

/// One tool in full.
pub(crate) fn tool(tool: &Tool, width: usize) -> String {
    let mut out = heading(&tool.name, tool.title.as_deref());
    if let Some(description) = &tool.description {
        paragraph(&mut out, description, 0, width);
        out.push('\n');
    }
    let hints = hints(tool);
    if !hints.is_empty() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{WARN}{}{WARN:#}\n", hints.join(", "));
    }
    let mut arguments = String::new();
    schema::arguments(&mut arguments, &tool.input_schema, width);
    section(&mut out, "Arguments", &arguments, "none");
    if let Some(output) = &tool.output_schema {
        let mut fields = String::new();
        schema::arguments(&mut fields, output, width);
        section(&mut out, "Result", &fields, "any");
    }
    out
}

/// One prompt in full.
pub(crate) fn prompt(prompt: &Prompt, width: usize) -> String {
    let mut out = heading(&prompt.name, prompt.title.as_deref());
    if let Some(description) = &prompt.description {
        paragraph(&mut out, description, 0, width);
        out.push('\n');
    }
    let mut arguments = String::new();
    for argument in prompt.arguments.iter().flatten() {
        let optional = if argument.required == Some(true) { "" } else { "  optional" };
        // Writing into a String cannot fail.
        let _ = writeln!(arguments, "  {NAME}{}{NAME:#}{DIM}{optional}{DIM:#}", one_line(&argument.name));
        if let Some(description) = &argument.description {
            paragraph(&mut arguments, description, 6, width);
        }
    }
    section(&mut out, "Arguments", &arguments, "none");
    out
}

/// One resource in full.
pub(crate) fn resource(resource: &Resource, width: usize) -> String {
    let mut out = heading(&resource.uri, Some(resource.title.as_deref().unwrap_or(&resource.name)));
    if let Some(description) = &resource.description {
        paragraph(&mut out, description, 0, width);
    }
    let facts = [resource.mime_type.clone(), resource.size.map(bytes)];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{DIM}{}{DIM:#}", one_line(&facts.join(", ")));
    }
    out
}

fn heading(name: &str, title: Option<&str>) -> String {
    match title.filter(|title| *title != name) {
        Some(title) => format!("{NAME}{}{NAME:#}  {BOLD}{}{BOLD:#}\n", one_line(name), one_line(title)),
        None => format!("{NAME}{}{NAME:#}\n", one_line(name)),
    }
}

fn section(out: &mut String, title: &str, body: &str, empty: &str) {
    // Writing into a String cannot fail.
    let _ = match body.is_empty() {
        true => writeln!(out, "{BOLD}{title}{BOLD:#}: {empty}"),
        false => write!(out, "{BOLD}{title}{BOLD:#}\n{body}"),
    };
}

/// Returns the hints that a tool declares. Only hints: a server may claim anything.
fn hints(tool: &Tool) -> Vec<&'static str> {
    let Some(hints) = &tool.annotations else { return Vec::new() };
    let said = [
        (hints.read_only_hint == Some(true), "says it only reads"),
        (hints.destructive_hint == Some(true), "may destroy"),
        (hints.idempotent_hint == Some(true), "may be repeated"),
        (hints.open_world_hint == Some(true), "reaches outside"),
    ];
    said.into_iter().filter_map(|(applies, text)| applies.then_some(text)).collect()
}
