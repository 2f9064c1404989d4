//! The race over the addresses of a name, run with real sockets. Dropping it drops them.

use crate::clock;
use keepline_proto::race::{Race, Rules, Step, Verdict};
use keepline_proto::{Cause, Ending, Time};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

/// What a race obeys, and whom it tells about the addresses that fail.
pub(super) struct Course<'a, N: FnMut(SocketAddr, &Ending)> {
    pub(super) addresses: &'a [SocketAddr],
    pub(super) rules: Rules,
    pub(super) deadline: Time,
    pub(super) failed: N,
}

/// Establishes a connection to the address that is first to answer, whatever `establish` means by it; the others are
/// dropped. `None`: no address failed, for there was none.
pub(super) async fn race<T, F, N>(
    mut course: Course<'_, N>,
    mut establish: impl FnMut(SocketAddr) -> F,
) -> Result<(SocketAddr, T), Option<Ending>>
where
    F: Future<Output = Result<T, Ending>>,
    N: FnMut(SocketAddr, &Ending),
{
    let mut race = Race::new(course.addresses.len(), course.rules, clock::now(), course.deadline);
    let mut flights = Vec::new();
    let mut won = None;
    let mut told: Option<Ending> = None;
    let mut fail = |index: usize, ending: Ending| {
        (course.failed)(course.addresses[index], &ending);
        // Of several failures, what came furthest; of equals, the last.
        if told.is_none_or(|told| reach(told.cause) <= reach(ending.cause)) {
            told = Some(ending);
        }
    };
    loop {
        match race.poll(clock::now()) {
            Step::Start(index) => flights.push((index, Box::pin(establish(course.addresses[index])))),
            Step::Abort(index) => {
                flights.retain(|(flying, _)| *flying != index);
                if won.is_none() {
                    fail(index, Ending::new(Cause::ConnectTimeout, None));
                }
            }
            Step::Wait(until) => {
                let limit = until.since(clock::now());
                match tokio::time::timeout(limit, first(&mut flights)).await {
                    Ok((index, Ok(value))) => {
                        race.handle_connected(clock::now(), index);
                        won = Some(value);
                    }
                    Ok((index, Err(ending))) => {
                        race.handle_failed(clock::now(), index);
                        fail(index, ending);
                    }
                    Err(_elapsed) => {}
                }
            }
            Step::Done(Verdict::Connected(index)) => {
                return won.map(|value| (course.addresses[index], value)).ok_or(told);
            }
            Step::Done(Verdict::Failed | Verdict::OutOfTime) => return Err(told),
        }
    }
}

/// Waits for the first news of those in flight, and takes it out.
async fn first<T, F>(flights: &mut Vec<(usize, Pin<Box<F>>)>) -> (usize, Result<T, Ending>)
where
    F: Future<Output = Result<T, Ending>>,
{
    poll_fn(|context| {
        for place in 0..flights.len() {
            let (index, flight) = &mut flights[place];
            if let Poll::Ready(result) = flight.as_mut().poll(context) {
                let index = *index;
                flights.remove(place);
                return Poll::Ready((index, result));
            }
        }
        Poll::Pending
    })
    .await
}

/// How far an attempt came: an answer of the endpoint tells more than silence, and silence more than our own excuses, as
/// that this machine has no IPv6.
fn reach(cause: Cause) -> u8 {
    match cause {
        Cause::LocalNetworkDown | Cause::Unreachable => 0,
        Cause::LocalResource => 1,
        Cause::ConnectTimeout => 2,
        Cause::Refused | Cause::Reset => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepline_proto::config::Addresses;
    use std::cell::RefCell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn winner_is_the_first_to_finish_every_stage_and_the_others_are_dropped() {
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        struct Socket;
        impl Drop for Socket {
            fn drop(&mut self) {
                ALIVE.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let (raced, failures) = run(3, millis(5_000), |address| async move {
            ALIVE.fetch_add(1, Ordering::SeqCst);
            let socket = Socket;
            // Each is connected at once; a second stage, such as TLS, takes the first one for ever.
            if address.port() == 1 {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(millis(20)).await;
            Ok::<_, Ending>(socket)
        })
        .await;
        let (winner, _socket) = raced.unwrap();
        assert_eq!((winner.port(), ALIVE.load(Ordering::SeqCst)), (2, 1));
        assert_eq!(failures, [], "an address that lost has not failed");
    }

    #[tokio::test]
    async fn failure_that_came_furthest_is_the_one_that_is_told() {
        let causes = [Cause::Refused, Cause::Unreachable, Cause::LocalResource];
        let (raced, failures) = run(3, millis(5_000), |address| async move {
            Err::<(), _>(Ending::new(causes[usize::from(address.port()) - 1], None))
        })
        .await;
        assert_eq!(raced.map(|_| ()).unwrap_err().map(|ending| ending.cause), Some(Cause::Refused));
        assert_eq!(failures, causes);
    }

    #[tokio::test]
    async fn addresses_that_never_answer_end_with_the_deadline() {
        let start = std::time::Instant::now();
        let (raced, failures) = run(2, millis(400), |_| std::future::pending::<Result<(), Ending>>()).await;
        assert!(start.elapsed() >= millis(400));
        assert_eq!(raced.map(|_| ()).unwrap_err().map(|ending| ending.cause), Some(Cause::ConnectTimeout));
        assert_eq!(failures, [Cause::ConnectTimeout; 2]);
    }

    /// Races over addresses with the ports 1, 2, …
    async fn run<T, F: Future<Output = Result<T, Ending>>>(
        count: u16,
        limit: Duration,
        establish: impl FnMut(SocketAddr) -> F,
    ) -> (Result<(SocketAddr, T), Option<Ending>>, Vec<Cause>) {
        let addresses: Vec<SocketAddr> = (1..=count).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        let failures = RefCell::new(Vec::new());
        let course = Course {
            addresses: &addresses,
            rules: Rules { addresses: Addresses::HappyEyeballs, stagger: millis(100), per_address: millis(10_000) },
            deadline: clock::now() + limit,
            failed: |_, ending: &Ending| failures.borrow_mut().push(ending.cause),
        };
        let raced = race(course, establish).await;
        (raced, failures.into_inner())
    }

    const fn millis(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}
