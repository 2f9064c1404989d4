//! One alarm for a wheel: it goes off once, at its moment.
//!
//! On Linux and Android it is a timer of the kernel's own. Tokio's has levels of 64 ms and 4 s, and wakes its thread up to
//! twice more on the way to a distant moment, which costs a phone its sleep; and it stands still while the machine sleeps.
//! Elsewhere, and where the system has no descriptor left, it is tokio's.

use crate::clock;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::io::os;
use keepline_proto::Time;
use std::future::Future;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Sleep};

/// An alarm that is set again and again.
pub(crate) struct Alarm {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    timer: Option<AsyncFd<OwnedFd>>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Makes an alarm that is not set. Must be called inside the runtime.
    pub(crate) fn new() -> Alarm {
        Alarm {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            timer: os::timer().ok(),
            sleep: None,
        }
    }

    /// Sets it; what it was set to before is forgotten.
    pub(crate) fn set(&mut self, at: Time) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(timer) = &self.timer {
            match os::set_timer(timer.get_ref().as_fd(), at.as_nanos()) {
                Ok(()) => return,
                Err(_impossible) => self.timer = None,
            }
        }
        let at = Instant::now() + at.since(clock::now());
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    /// Ready when it goes off; sometimes too early, never too late.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(timer) = &self.timer {
            let Poll::Ready(ready) = timer.poll_read_ready(context) else { return Poll::Pending };
            if let Ok(mut ready) = ready {
                // Not read: setting it again takes that back, and its next end is a new edge.
                ready.clear_ready();
            }
            return Poll::Ready(());
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn goes_off_at_its_moment_and_again_when_it_is_set_again() {
        let mut alarm = Alarm::new();
        for _ in 0..3 {
            let at = clock::now() + Duration::from_millis(30);
            alarm.set(at);
            std::future::poll_fn(|context| alarm.poll(context)).await;
            assert!(clock::now() >= at);
        }
    }

    #[tokio::test]
    async fn a_moment_that_has_passed_is_now_and_one_that_is_set_later_is_not() {
        let mut alarm = Alarm::new();
        alarm.set(clock::now());
        alarm.set(clock::now() + Duration::from_secs(3600));
        let waiting = std::future::poll_fn(|context| alarm.poll(context));
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        alarm.set(Time::ZERO);
        std::future::poll_fn(|context| alarm.poll(context)).await;
    }
}
