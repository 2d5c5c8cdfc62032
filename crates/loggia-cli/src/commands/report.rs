//! Reports of the libraries in the format that the user chose.

use loggia_gateway::report_text::ReportText;
use serde::Serialize;

use crate::args::FormatArgs;
use crate::exit::Outcome;
use crate::out;

/// Prints a report: `json` for programs, `text` for people.
pub(super) fn show(format: FormatArgs, json: &impl Serialize, text: &ReportText) -> Outcome {
    match format.is_human() {
        true => Ok(out::print(out::paint(text))?),
        false => print_json(json),
    }
}

/// Prints one JSON value.
pub(super) fn print_json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value).expect("reports have no maps and no failing fields");
    Ok(out::print_json(&text)?)
}
