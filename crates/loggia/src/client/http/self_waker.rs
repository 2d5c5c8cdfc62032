//! A waker for futures that are polled together in one task and wake each other: a connection and its request. Wakes
//! that come during the poll cause another poll immediately, and do not wake the task, which would be polled once
//! more without need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Records wakes during a poll, and passes later ones to the task.
#[derive(Default)]
pub(super) struct SelfWaker {
    state: AtomicU8,
    task: AtomicWaker,
}

impl SelfWaker {
    const IDLE: u8 = 0;
    const POLLING: u8 = 1;
    const WOKEN: u8 = 2;
    /// The maximum number of polls in a row. Without it, a task whose budget (tokio's) is used up would be polled
    /// forever.
    const ROUNDS: usize = 3;

    /// Polls with this value as the waker, and again if it was woken meanwhile.
    pub(super) fn poll<T>(
        self: &Arc<SelfWaker>,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.task.register(cx.waker());
        let waker = Waker::from(self.clone());
        for _ in 0..SelfWaker::ROUNDS {
            self.state.store(SelfWaker::POLLING, Ordering::SeqCst);
            let seen = poll(&mut Context::from_waker(&waker));
            let again = self.state.swap(SelfWaker::IDLE, Ordering::SeqCst) == SelfWaker::WOKEN;
            if seen.is_ready() || !again {
                return seen;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for SelfWaker {
    fn wake(self: Arc<SelfWaker>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<SelfWaker>) {
        let polling = (SelfWaker::POLLING, SelfWaker::WOKEN);
        let seen = self.state.compare_exchange(polling.0, polling.1, Ordering::SeqCst, Ordering::SeqCst);
        if seen == Err(SelfWaker::IDLE) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts how often the task is woken.
    #[derive(Default)]
    struct TaskWaker(AtomicUsize);

    impl Wake for TaskWaker {
        fn wake(self: Arc<TaskWaker>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Returns the number of polls of the futures and of wake-ups of the task, if the first `times` polls
    /// wake the waker.
    fn polled(times: usize) -> (usize, usize) {
        let (self_waker, task) = (Arc::<SelfWaker>::default(), Arc::<TaskWaker>::default());
        let waker = Waker::from(task.clone());
        let mut polls = 0;
        let seen = self_waker.poll(&mut Context::from_waker(&waker), |cx| {
            polls += 1;
            if polls <= times {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert!(seen.is_pending());
        (polls, task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn a_wake_during_the_poll_polls_again() {
        assert_eq!(polled(0), (1, 0));
        assert_eq!(polled(1), (2, 0));
        assert_eq!(polled(2), (3, 0));
        // A future that wakes itself without end waits for the task's next turn.
        assert_eq!(polled(3), (3, 1));
        assert_eq!(polled(usize::MAX), (3, 1));
    }

    #[test]
    fn a_later_wake_wakes_the_task_once() {
        let (self_waker, task) = (Arc::<SelfWaker>::default(), Arc::<TaskWaker>::default());
        let waker = Waker::from(task.clone());
        let mut kept = None;
        let seen = self_waker.poll(&mut Context::from_waker(&waker), |cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        assert!(seen.is_pending());
        let kept = kept.expect("it was polled");
        kept.wake_by_ref();
        kept.wake();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
    }
}
