//! The signals that ask a process to end. Every server and command listens for the same signals, so that each of them
//! ends a process after the same clean-up.

#[cfg(not(unix))]
use portable::CtrlC as PlatformSignals;
#[cfg(unix)]
use unix::Signals as PlatformSignals;

/// The signals that ask this process to end: SIGTERM, SIGINT (Ctrl-C), SIGQUIT, and SIGHUP unless it is ignored, as
/// under `nohup`. On systems other than Unix: Ctrl-C.
///
/// They are caught after [`listen`](TerminationSignals::listen), and then do not end the process.
pub struct TerminationSignals(PlatformSignals);

impl TerminationSignals {
    /// Catches the signals. Must be called within a runtime; signals that cannot be caught end the process.
    pub fn listen() -> TerminationSignals {
        TerminationSignals(PlatformSignals::listen())
    }

    /// Waits for the next signal. Dropping the future loses nothing.
    pub async fn next(&mut self) {
        self.0.next().await;
    }
}

#[cfg(unix)]
mod unix {
    use std::future::poll_fn;
    use std::task::Poll;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Signals(Vec<Signal>);

    impl Signals {
        pub(super) fn listen() -> Signals {
            let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()];
            if !hangup_is_ignored() {
                kinds.push(SignalKind::hangup());
            }
            Signals(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
        }

        pub(super) async fn next(&mut self) {
            poll_fn(|cx| {
                let received =
                    self.0.iter_mut().any(|signal| matches!(signal.poll_recv(cx), Poll::Ready(Some(()))));
                if received { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    /// Returns whether the process was started with SIGHUP ignored. Only Linux reports it. A program that catches the
    /// signal itself does not ignore it.
    fn hangup_is_ignored() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        ignores(&status, SignalKind::hangup().as_raw_value())
    }

    /// Returns whether the `SigIgn` mask of `/proc/PID/status` has the signal.
    fn ignores(status: &str, signal: i32) -> bool {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
    }

    #[cfg(test)]
    mod tests {
        use super::ignores;

        #[test]
        fn an_ignored_signal_is_in_the_mask() {
            for (status, signal, expected) in [
                ("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", 1, true),
                ("SigIgn:\t0000000000001000\n", 1, false),
                ("SigIgn:\t0000000000001000\n", 13, true),
                ("SigCgt:\t0000000000000001\n", 1, false),
                ("", 1, false),
            ] {
                assert_eq!(ignores(status, signal), expected, "{status:?} {signal}");
            }
        }
    }
}

#[cfg(not(unix))]
mod portable {
    pub(super) struct CtrlC;

    impl CtrlC {
        pub(super) fn listen() -> CtrlC {
            CtrlC
        }

        pub(super) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending().await
            }
        }
    }
}
