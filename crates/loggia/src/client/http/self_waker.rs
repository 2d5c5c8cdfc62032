//! A waker for futures that are polled together and wake each other: a connection and what is asked over it. What
//! they tell each other while their task polls them is heard there and then; waking the task for it would have
//! it polled once more for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Wakes the task that looks; `default` is quiet.
#[derive(Default)]
pub(super) struct SelfWaker {
    state: AtomicU8,
    task: AtomicWaker,
}

impl SelfWaker {
    const QUIET: u8 = 0;
    const LOOKING: u8 = 1;
    const AGAIN: u8 = 2;
    /// Most polls in a row: a task whose turn is over (tokio's budget) would be told so for ever.
    const ROUNDS: usize = 3;

    /// Polls with this alarm for a waker, and again where it went off meanwhile.
    pub(super) fn look<T>(
        self: &Arc<SelfWaker>,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.task.register(cx.waker());
        let waker = Waker::from(self.clone());
        for _ in 0..SelfWaker::ROUNDS {
            self.state.store(SelfWaker::LOOKING, Ordering::SeqCst);
            let seen = look(&mut Context::from_waker(&waker));
            let again = self.state.swap(SelfWaker::QUIET, Ordering::SeqCst) == SelfWaker::AGAIN;
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
        let looking = (SelfWaker::LOOKING, SelfWaker::AGAIN);
        let seen = self.state.compare_exchange(looking.0, looking.1, Ordering::SeqCst, Ordering::SeqCst);
        if seen == Err(SelfWaker::QUIET) {
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
    /// wake the alarm.
    fn polled(times: usize) -> (usize, usize) {
        let (self_waker, task) = (Arc::<SelfWaker>::default(), Arc::<TaskWaker>::default());
        let waker = Waker::from(task.clone());
        let mut polls = 0;
        let seen = self_waker.look(&mut Context::from_waker(&waker), |cx| {
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
    fn what_is_said_while_looking_is_heard_at_once() {
        assert_eq!(polled(0), (1, 0));
        assert_eq!(polled(1), (2, 0));
        assert_eq!(polled(2), (3, 0));
        // Who never has enough waits for the task's next turn.
        assert_eq!(polled(3), (3, 1));
        assert_eq!(polled(usize::MAX), (3, 1));
    }

    #[test]
    fn what_is_said_later_wakes_the_task_once() {
        let (self_waker, task) = (Arc::<SelfWaker>::default(), Arc::<TaskWaker>::default());
        let waker = Waker::from(task.clone());
        let mut kept = None;
        let seen = self_waker.look(&mut Context::from_waker(&waker), |cx| {
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
