//! Decides from the kind of an error, not from its text, whether and when another attempt may succeed.

use std::io::ErrorKind;

use loggia::Error;

/// The time of the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// After a growing pause.
    Soon,
    /// After the longest pause: a missing program may be installed meanwhile.
    Slowly,
    /// Never: only another configuration helps.
    Never,
}

impl RetryDecision {
    /// Returns the time of the next attempt after `error`. If the connector was up before, its configuration works,
    /// so every failure may be temporary: a folder is mounted again, a program is replaced.
    pub(crate) fn after(error: &Error, was_up: bool) -> RetryDecision {
        match RetryDecision::from(error) {
            RetryDecision::Never if was_up && matches!(error, Error::Io(_)) => RetryDecision::Slowly,
            retry => retry,
        }
    }
}

impl From<&Error> for RetryDecision {
    fn from(error: &Error) -> RetryDecision {
        match error {
            Error::Configuration(_) => RetryDecision::Never,
            Error::Io(error) => match error.kind() {
                ErrorKind::NotFound => RetryDecision::Slowly,
                ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::ArgumentListTooLong => RetryDecision::Never,
                _ => RetryDecision::Soon,
            },
            _ => RetryDecision::Soon,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_was_up_is_tried_again_unless_its_configuration_is_wrong() {
        let denied =
            || Error::Io(std::io::Error::new(ErrorKind::PermissionDenied, "the folder cannot be opened"));
        for (error, was_up, expected) in [
            (denied(), false, RetryDecision::Never),
            (denied(), true, RetryDecision::Slowly),
            (Error::Configuration("no header".to_owned()), true, RetryDecision::Never),
            (Error::Connection("refused".to_owned()), true, RetryDecision::Soon),
        ] {
            assert_eq!(RetryDecision::after(&error, was_up), expected, "{error} {was_up}");
        }
    }

    #[test]
    fn only_the_configuration_mends_an_error_of_the_configuration() {
        let io = |kind: ErrorKind| Error::Io(std::io::Error::new(kind, "the server could not be started"));
        let cases = [
            (Error::Configuration("the header cannot be sent".to_owned()), RetryDecision::Never),
            (io(ErrorKind::PermissionDenied), RetryDecision::Never),
            (io(ErrorKind::InvalidInput), RetryDecision::Never),
            (io(ErrorKind::NotADirectory), RetryDecision::Never),
            (io(ErrorKind::NotFound), RetryDecision::Slowly),
            (io(ErrorKind::ExecutableFileBusy), RetryDecision::Soon),
            (io(ErrorKind::OutOfMemory), RetryDecision::Soon),
            (Error::Connection("refused".to_owned()), RetryDecision::Soon),
            (Error::Unauthorized("Bearer".to_owned()), RetryDecision::Soon),
            (Error::timeout(std::time::Duration::from_secs(1)), RetryDecision::Soon),
        ];
        for (error, expected) in cases {
            assert_eq!(RetryDecision::from(&error), expected, "{error}");
        }
    }
}
