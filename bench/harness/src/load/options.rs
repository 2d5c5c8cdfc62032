//! The options of the command line.

use std::time::Duration;

use bench_harness::Failure;
use bench_harness::message::{Era, Kind, Question};

pub(crate) struct Options {
    pub(crate) what: String,
    words: Vec<String>,
    pub(crate) program: Vec<String>,
}

/// The length of a measurement: a time, or a number of calls.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Time(Duration),
    Calls(u64),
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Option<Self> {
        let split = arguments.iter().position(|word| word == "--")?;
        let program = arguments[split + 1..].to_vec();
        let words = arguments.get(1..split)?.to_vec();
        (!program.is_empty()).then(|| Self { what: arguments[0].clone(), words, program })
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == name)?;
        self.words.get(at + 1).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, Failure> {
        match self.value(name) {
            Some(text) => text.parse().map_err(|_| format!("{name} {text}: not a number").into()),
            None => Ok(default),
        }
    }

    pub(crate) fn pin(&self) -> Option<&str> {
        self.value("--pin")
    }

    /// Returns the endpoint.
    pub(crate) fn path(&self) -> &str {
        self.value("--path").unwrap_or("/mcp")
    }

    /// Returns whether the program is asked to end, instead of being killed.
    pub(crate) fn ends(&self) -> bool {
        self.words.iter().any(|word| word == "--end")
    }

    pub(crate) fn length(&self) -> Result<Length, Failure> {
        if self.value("--calls").is_some() {
            return Ok(Length::Calls(self.number("--calls", 0)? as u64));
        }
        let seconds = self.value("--seconds").map_or(Ok(1.0), str::parse::<f64>)?;
        Ok(Length::Time(Duration::try_from_secs_f64(seconds)?))
    }

    pub(crate) fn question(&self) -> Result<Question, Failure> {
        let era = match self.value("--era") {
            None | Some("modern") => Era::Modern,
            Some("legacy") => Era::Legacy,
            Some(other) => return Err(format!("--era {other}: modern or legacy").into()),
        };
        let kind = match self.value("--kind") {
            None | Some("echo") => Kind::Echo,
            Some("progress") => Kind::Progress,
            Some("list") => Kind::List,
            Some(other) => return Err(format!("--kind {other}: echo, progress or list").into()),
        };
        let question = Question::new(era, kind, self.number("--bytes", 32)?);
        Ok(match self.value("--tool") {
            Some(tool) => question.called(tool),
            None => question,
        })
    }
}

impl Length {
    /// Returns the part of it before the measurement.
    pub(crate) fn warm_up(self) -> Self {
        match self {
            Self::Time(time) => Self::Time(time / 4),
            Self::Calls(_) => Self::Calls(200),
        }
    }
}
