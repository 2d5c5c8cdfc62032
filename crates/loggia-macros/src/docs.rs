//! Documentation comments as descriptions: a wrapped paragraph becomes one line; lists and code are unchanged.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Returns the documentation in `attributes`.
pub(crate) fn of(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(text);
    // `split` and not `lines`: an empty comment line is a line.
    let lines: Vec<String> = lines.flat_map(|text| text.split('\n').map(clean).collect::<Vec<_>>()).collect();
    join(&lines)
}

/// Returns whether `attribute` is a documentation comment.
pub(crate) fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

fn text(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if is_doc(attribute) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns one line without the space after `///` and the ` *` of block comments.
fn clean(line: &str) -> String {
    let line = line.trim_end();
    let starred = line.trim_start();
    match starred.strip_prefix("* ") {
        Some(rest) if line.starts_with(' ') && line.len() - starred.len() <= 5 => rest.to_owned(),
        _ => line.strip_prefix(' ').unwrap_or(line).to_owned(),
    }
}

fn join(lines: &[String]) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in lines {
        let fence = line.starts_with("```");
        let continues = !in_code && !fence && starts_prose(line) && !out.is_empty() && !out.ends_with('\n');
        if continues && !out.ends_with("```") {
            out.push(' ');
        } else if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(line);
        in_code ^= fence;
    }
    let mut text = out.trim().to_owned();
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    text
}

fn starts_prose(line: &str) -> bool {
    let mut chars = line.chars();
    match (chars.next(), chars.next()) {
        (None, _) => false,
        (Some(bullet), Some(' ')) if "-*+#>".contains(bullet) => false,
        (Some(first), _) => !first.is_whitespace() && !first.is_ascii_digit() && !"|#".contains(first),
    }
}
