//! Texts of statements: the words at their start, and the statements that become a subquery.

use super::PostgresError;

/// The longest statement, in bytes.
const MOST_BYTES: usize = 256 << 10;

/// Words at the start of statements that would leave the transaction of a call, reach files or programs of the
/// server, or change the session.
const REFUSED: &[&str] = &[
    "abort",
    "begin",
    "checkpoint",
    "close",
    "commit",
    "copy",
    "deallocate",
    "declare",
    "discard",
    "end",
    "execute",
    "fetch",
    "listen",
    "load",
    "move",
    "prepare",
    "release",
    "reset",
    "rollback",
    "savepoint",
    "set",
    "start",
    "unlisten",
];

/// Returns a statement without comments and spaces at its start and a semicolon at its end.
pub(super) fn trimmed(sql: &str) -> Result<&str, PostgresError> {
    if sql.len() > MOST_BYTES || sql.contains('\0') {
        let message = format!("a statement has at most {MOST_BYTES} bytes, without NUL");
        return Err(PostgresError::BadRequest(message));
    }
    let text = without_comments(sql).trim_end();
    let text = text.strip_suffix(';').unwrap_or(text).trim_end();
    if text.is_empty() {
        return Err(PostgresError::BadRequest("write one statement".to_owned()));
    }
    Ok(text)
}

/// Fails for a statement that no call may use.
pub(super) fn check(text: &str) -> Result<(), PostgresError> {
    let word = first_word(text);
    match REFUSED.iter().find(|refused| word.eq_ignore_ascii_case(refused)) {
        None => Ok(()),
        Some(refused) => Err(PostgresError::Refused(format!(
            "{} is not allowed: each call is one transaction of its statements, and its settings are fixed",
            refused.to_uppercase()
        ))),
    }
}

/// Returns the first word of a statement.
pub(super) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    &text[..end]
}

/// Returns the rest of a text after the comments and spaces at its start. Comments in `/* */` are nested.
fn without_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let after = if let Some(line) = rest.strip_prefix("--") {
            line.find('\n').map_or("", |end| &line[end..])
        } else if let Some(block) = rest.strip_prefix("/*") {
            after_block(block)
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
}

fn after_block(block: &str) -> &str {
    let (mut depth, mut at) = (1_usize, 0);
    while depth > 0 {
        let rest = &block[at..];
        let (open, close) = (rest.find("/*"), rest.find("*/"));
        match (open, close) {
            (_, None) => return "",
            (Some(open), Some(close)) if open < close => {
                depth += 1;
                at += open + 2;
            }
            (_, Some(close)) => {
                depth -= 1;
                at += close + 2;
            }
        }
    }
    &block[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_found_behind_comments() {
        for (sql, expected) in [
            ("select 1", Some("select")),
            ("  -- a\n /* b /* c */ d */ Select 1;", Some("Select")),
            ("(select 1)", Some("")),
            ("commit;", Some("commit")),
            ("/* open select", None),
            ("-- only a comment", None),
            (";", None),
            ("", None),
        ] {
            assert_eq!(trimmed(sql).ok().map(first_word), expected, "{sql}");
        }
        for (sql, is_allowed) in [
            ("COMMIT", false),
            ("/* x */ Set role x", false),
            ("settle", true),
            ("copy t to program 'x'", false),
            ("update t set a = 1", true),
        ] {
            let text = trimmed(sql).expect("a statement");
            assert_eq!(check(text).is_ok(), is_allowed, "{sql}");
        }
    }
}
