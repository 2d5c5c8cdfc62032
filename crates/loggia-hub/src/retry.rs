//! Whether another attempt may mend a failed one. The kind of the error decides, not its text.

use std::io::ErrorKind;

use loggia::Error;

/// The time of the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// After a pause that grows.
    Soon,
    /// After the longest pause: what is missing may be installed meanwhile.
    Slowly,
    /// Never: only another configuration helps.
    Never,
}

impl Retry {
    /// Returns the time of the next attempt after `error`. A connector that was up before has a working
    /// configuration, so every failure may be temporary: a folder that is remounted, a program that is replaced.
    pub(crate) fn after(error: &Error, was_up: bool) -> Retry {
        match Retry::from(error) {
            Retry::Never if was_up && matches!(error, Error::Io(_)) => Retry::Slowly,
            retry => retry,
        }
    }
}

impl From<&Error> for Retry {
    fn from(error: &Error) -> Retry {
        match error {
            Error::Configuration(_) => Retry::Never,
            Error::Io(error) => match error.kind() {
                ErrorKind::NotFound => Retry::Slowly,
                ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::ArgumentListTooLong => Retry::Never,
                _ => Retry::Soon,
            },
            _ => Retry::Soon,
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
            (denied(), false, Retry::Never),
            (denied(), true, Retry::Slowly),
            (Error::Configuration("no header".to_owned()), true, Retry::Never),
            (Error::Connection("refused".to_owned()), true, Retry::Soon),
        ] {
            assert_eq!(Retry::after(&error, was_up), expected, "{error} {was_up}");
        }
    }

    #[test]
    fn only_the_configuration_mends_an_error_of_the_configuration() {
        let io = |kind: ErrorKind| Error::Io(std::io::Error::new(kind, "the server could not be started"));
        let cases = [
            (Error::Configuration("the header cannot be sent".to_owned()), Retry::Never),
            (io(ErrorKind::PermissionDenied), Retry::Never),
            (io(ErrorKind::InvalidInput), Retry::Never),
            (io(ErrorKind::NotADirectory), Retry::Never),
            (io(ErrorKind::NotFound), Retry::Slowly),
            (io(ErrorKind::ExecutableFileBusy), Retry::Soon),
            (io(ErrorKind::OutOfMemory), Retry::Soon),
            (Error::Connection("refused".to_owned()), Retry::Soon),
            (Error::Unauthorized("Bearer".to_owned()), Retry::Soon),
            (Error::timeout(std::time::Duration::from_secs(1)), Retry::Soon),
        ];
        for (error, expected) in cases {
            assert_eq!(Retry::from(&error), expected, "{error}");
        }
    }
}
