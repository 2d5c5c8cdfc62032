//! The reason why a connector takes no new requests, and the errors for its requests.

/// The reason why a connector takes no new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retirement {
    /// It was removed.
    Removed,
    /// Another connector has its name.
    Changed,
}

impl Retirement {
    fn event(self, name: &str) -> String {
        match self {
            Retirement::Removed => format!("The connector {name:?} was removed"),
            Retirement::Changed => format!("The configuration of the connector {name:?} was changed"),
        }
    }

    /// Returns the error for a request that was running.
    pub(crate) fn explain_interrupted(self, name: &str) -> String {
        let event = self.event(name);
        let next = match self {
            Retirement::Removed => "",
            Retirement::Changed => " Check that before you make the request again.",
        };
        format!(
            "{event} while it processed this request; whether the request had an effect is not known.{next}"
        )
    }

    /// Returns the error for a request that was never sent.
    pub(crate) fn explain_unsent(self, name: &str) -> String {
        let event = self.event(name);
        match self {
            Retirement::Removed => format!("{event} before this request was sent to it."),
            Retirement::Changed => {
                format!("{event} before this request was sent to it. Make the request again.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_names_the_connector_and_the_event() {
        for (retirement, event) in
            [(Retirement::Removed, "\"x\" was removed"), (Retirement::Changed, "\"x\" was changed")]
        {
            for text in [retirement.explain_interrupted("x"), retirement.explain_unsent("x")] {
                assert!(text.contains(event), "{text}");
            }
        }
    }
}
