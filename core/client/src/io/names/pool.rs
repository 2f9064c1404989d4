//! Lookups by the system, on a few threads of our own: `getaddrinfo` hangs for as long as it likes and cannot be cancelled,
//! so nobody may have to wait for it who can do something else.
//!
//! The blocking threads of a runtime would not do: a hung lookup holds up the end of its runtime, and enough of them every
//! other use of that pool. Yet each runtime has a pool: a thread is born into the network namespace, the file system and
//! the rights of the one that starts it, and on Linux those can differ between the threads of a process.

use crate::resolver::ResolveError;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

#[cfg(not(unix))]
use super::standard as system;
#[cfg(unix)]
use crate::io::os::names as system;

/// 4 lookups at a time: they wait for the network, not for a core, and a name server is asked by every client at once
/// after an outage.
const THREADS: usize = 4;

/// 16 threads with those that hang: so many may be lost to dead name servers before a lookup has to wait for one of them.
const THREADS_MAX: usize = 16;

/// 5 s: what the usual resolver waits for its first question (resolv.conf's default). A lookup that lasts longer hangs: its
/// thread no longer counts, and whoever asks again for the same name starts anew, for the network may be another.
const OVERDUE: Duration = Duration::from_secs(5);

/// Of one name at a time: one that hangs, and one that may be luckier.
const SAME_NAME: usize = 2;

/// 256 names that wait for a thread; one that is asked for beyond that has failed, and is tried again with its attempt.
const QUEUE: usize = 256;

/// 10 s without work end a thread: the second attempts after a loss find it still there, an idle process has none.
const IDLE: Duration = Duration::from_secs(10);

/// 500 ms: how often those who wait look whether threads hang and others have to take over.
const STAFFING: Duration = Duration::from_millis(500);

/// 64 threads in a process, however many runtimes it makes: each reserves an address range, and costs 20 KB while it runs.
const THREADS_OF_PROCESS: usize = 64;

static OF_PROCESS: AtomicUsize = AtomicUsize::new(0);

/// The pool of each runtime, as long as it has threads or somebody waits for it.
static POOLS: Mutex<Vec<(Id, Weak<Pool>)>> = Mutex::new(Vec::new());

type Answer = Result<Arc<[SocketAddr]>, ResolveError>;

/// The lookup itself, which blocks.
type Ask = Box<dyn Fn(&str) -> Result<Vec<SocketAddr>, ResolveError> + Send + Sync>;

/// Asks the system for the addresses of `host`, all with port 0. Those who ask for the same name share one lookup.
pub(crate) async fn look_up(host: Arc<str>) -> Answer {
    match Handle::try_current() {
        Ok(runtime) => Pool::of(&runtime).look_up(host).await,
        Err(_outside) => Err(ResolveError::temporary("asked outside a tokio runtime")),
    }
}

struct Pool {
    ask: Ask,
    desk: Mutex<Desk>,
    work: Condvar,
}

#[derive(Default)]
struct Desk {
    waiting: VecDeque<Arc<Lookup>>,
    running: Vec<(Arc<Lookup>, Instant)>,
    threads: usize,
    /// Threads that wait for work, and those that were started and have not looked for it yet.
    idle: usize,
}

struct Lookup {
    host: Arc<str>,
    answer: OnceLock<Answer>,
    answered: Notify,
}

impl Pool {
    fn new(ask: Ask) -> Pool {
        Pool { ask, desk: Mutex::default(), work: Condvar::new() }
    }

    /// The pool of a runtime, made if it does not exist.
    fn of(runtime: &Handle) -> Arc<Pool> {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|(_, pool)| pool.strong_count() > 0);
        if let Some(pool) = pools.iter().find(|(id, _)| *id == runtime.id()).and_then(|(_, pool)| pool.upgrade()) {
            return pool;
        }
        let pool = Arc::new(Pool::new(Box::new(system::look_up)));
        pools.push((runtime.id(), Arc::downgrade(&pool)));
        pool
    }

    async fn look_up(self: &Arc<Pool>, host: Arc<str>) -> Answer {
        let lookup = self.enter(host)?;
        loop {
            let answered = lookup.answered.notified();
            if let Some(answer) = lookup.answer.get() {
                return answer.clone();
            }
            // While nobody waits, nobody has to look after the threads.
            if tokio::time::timeout(STAFFING, answered).await.is_err() {
                self.staff(&mut self.desk())?;
            }
        }
    }

    /// Joins the lookup of this name, or starts one.
    fn enter(self: &Arc<Pool>, host: Arc<str>) -> Result<Arc<Lookup>, ResolveError> {
        let mut desk = self.desk();
        if let Some(lookup) = desk.same(&host) {
            return Ok(lookup);
        }
        desk.waiting.retain(|lookup| lookup.is_awaited());
        if desk.waiting.len() >= QUEUE {
            return Err(ResolveError::temporary("too many names are being looked up"));
        }
        let lookup = Arc::new(Lookup { host, answer: OnceLock::new(), answered: Notify::new() });
        desk.waiting.push_back(lookup.clone());
        self.staff(&mut desk)?;
        drop(desk);
        self.work.notify_one();
        Ok(lookup)
    }

    /// Starts a thread if work waits for one.
    fn staff(self: &Arc<Pool>, desk: &mut Desk) -> Result<(), ResolveError> {
        let is_needed = desk.waiting.len() > desk.idle && desk.on_time() < THREADS && desk.threads < THREADS_MAX;
        if !is_needed || OF_PROCESS.load(Ordering::Relaxed) >= THREADS_OF_PROCESS {
            return Ok(());
        }
        let pool = self.clone();
        // Counted before it runs, by us: it could end before we counted.
        desk.threads += 1;
        desk.idle += 1;
        OF_PROCESS.fetch_add(1, Ordering::Relaxed);
        let spawned = thread::Builder::new().name("keepline-names".to_owned()).spawn(move || pool.work());
        if let Err(error) = spawned {
            desk.threads -= 1;
            desk.idle -= 1;
            OF_PROCESS.fetch_sub(1, Ordering::Relaxed);
            // Another thread may still serve it.
            if desk.threads == 0 {
                desk.waiting.clear();
                return Err(ResolveError::temporary("no thread for it").with_errno(error.raw_os_error()));
            }
        }
        Ok(())
    }

    /// The life of a thread.
    fn work(&self) {
        let mut desk = self.desk();
        desk.idle -= 1;
        while desk.on_time() <= THREADS {
            let Some(lookup) = desk.waiting.pop_front() else {
                desk.idle += 1;
                let (woken, timed_out) = self.work.wait_timeout(desk, IDLE).unwrap_or_else(PoisonError::into_inner);
                desk = woken;
                desk.idle -= 1;
                if timed_out.timed_out() && desk.waiting.is_empty() {
                    break;
                }
                continue;
            };
            if !lookup.is_awaited() {
                continue;
            }
            desk.running.push((lookup.clone(), Instant::now()));
            drop(desk);
            let answer = (self.ask)(&lookup.host).map(Into::into);
            // Before it leaves the list, so that nobody joins what is over.
            let _first = lookup.answer.set(answer);
            lookup.answered.notify_waiters();
            desk = self.desk();
            desk.running.retain(|(running, _)| !Arc::ptr_eq(running, &lookup));
        }
        desk.threads -= 1;
        OF_PROCESS.fetch_sub(1, Ordering::Relaxed);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// The lookup of this name that is worth joining.
    fn same(&self, host: &str) -> Option<Arc<Lookup>> {
        let waiting = self.waiting.iter().find(|lookup| *lookup.host == *host);
        let running = self.running.iter().filter(|(lookup, _)| *lookup.host == *host && lookup.answer.get().is_none());
        let is_full = running.clone().count() >= SAME_NAME;
        // The youngest: the last in the list.
        let mut running = running.filter(|(_, since)| is_full || since.elapsed() < OVERDUE);
        waiting.or_else(|| running.next_back().map(|(lookup, _)| lookup)).cloned()
    }

    /// Threads that do not hang.
    fn on_time(&self) -> usize {
        let overdue = self.running.iter().filter(|(_, since)| since.elapsed() >= OVERDUE).count();
        self.threads.saturating_sub(overdue)
    }
}

impl Lookup {
    /// Whether anybody but the list it is in holds it.
    fn is_awaited(self: &Arc<Lookup>) -> bool {
        Arc::strong_count(self) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn those_who_ask_for_the_same_name_share_one_lookup() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (pool, release) = hanging_on("slow", asked.clone());
        let both = tokio::spawn({
            let pool = pool.clone();
            async move { tokio::join!(pool.look_up("slow".into()), pool.look_up("slow".into())) }
        });
        until(|| asked.load(Ordering::SeqCst) == 1).await;
        release.send(()).unwrap();
        let (one, other) = both.await.unwrap();
        assert_eq!((one.unwrap().len(), other.unwrap().len()), (1, 1));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn names_that_hang_hold_up_others_only_until_they_are_overdue() {
        let (pool, release) = hanging_on("hang", Arc::new(AtomicUsize::new(0)));
        let hung: Vec<_> = (0..THREADS)
            .map(|number| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.look_up(format!("hang{number}").into()).await })
            })
            .collect();
        until(|| pool.desk().running.len() == THREADS).await;
        let start = Instant::now();
        assert_eq!(pool.look_up("fine".into()).await.unwrap().len(), 1);
        assert!(start.elapsed() >= OVERDUE - Duration::from_secs(1), "the threads were taken: {:?}", start.elapsed());
        assert!(start.elapsed() < OVERDUE + Duration::from_secs(3), "{:?}", start.elapsed());
        assert_eq!(pool.desk().threads, THREADS + 1);
        // The next one has a thread at once.
        let start = Instant::now();
        pool.look_up("finer".into()).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        // Whoever asks again for a name that hangs is not made to wait for the old answer alone.
        let again = tokio::spawn({
            let pool = pool.clone();
            async move { pool.look_up("hang0".into()).await }
        });
        until(|| pool.desk().running.len() == THREADS + 1).await;
        (0..=THREADS).for_each(|_| release.send(()).unwrap());
        for lookup in hung {
            lookup.await.unwrap().unwrap();
        }
        again.await.unwrap().unwrap();
        // Those beyond the usual number go.
        until(|| pool.desk().threads <= THREADS).await;
    }

    #[tokio::test]
    async fn lookup_that_nobody_waits_for_any_more_is_not_made() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (pool, release) = hanging_on("hang", asked.clone());
        let hung: Vec<_> = (0..THREADS)
            .map(|number| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.look_up(format!("hang{number}").into()).await })
            })
            .collect();
        until(|| asked.load(Ordering::SeqCst) == THREADS).await;
        let impatient = tokio::time::timeout(Duration::from_millis(50), pool.look_up("forgotten".into())).await;
        assert!(impatient.is_err());
        assert_eq!(pool.desk().waiting.len(), 1);
        (0..THREADS).for_each(|_| release.send(()).unwrap());
        for lookup in hung {
            lookup.await.unwrap().unwrap();
        }
        until(|| pool.desk().waiting.is_empty() && pool.desk().running.is_empty()).await;
        assert_eq!(asked.load(Ordering::SeqCst), THREADS, "the forgotten one was asked for");
    }

    #[tokio::test]
    async fn queue_is_bounded_and_says_so() {
        let (pool, release) = hanging_on("", Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.look_up(number.to_string().into()).await })
        };
        let mut waiting: Vec<_> = (0..THREADS).map(ask).collect();
        until(|| pool.desk().running.len() == THREADS).await;
        waiting.extend((THREADS..THREADS + QUEUE).map(ask));
        until(|| pool.desk().waiting.len() == QUEUE).await;
        let refused = pool.look_up("one too many".into()).await.unwrap_err();
        assert!(refused.to_string().contains("too many names"), "{refused}");
        waiting.iter().for_each(|lookup| lookup.abort());
        (0..THREADS).for_each(|_| release.send(()).unwrap());
    }

    /// A pool whose lookups answer at once, but for names that begin so: each of those waits for one word.
    fn hanging_on(prefix: &'static str, asked: Arc<AtomicUsize>) -> (Arc<Pool>, mpsc::Sender<()>) {
        let (release, released) = mpsc::channel();
        let released = Mutex::new(released);
        let ask = move |host: &str| {
            asked.fetch_add(1, Ordering::SeqCst);
            if host.starts_with(prefix) {
                // A test that is over lets everybody go.
                let _word = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
            }
            Ok(vec![SocketAddr::from(([192, 0, 2, 1], 0))])
        };
        (Arc::new(Pool::new(Box::new(ask))), release)
    }

    async fn until(condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(10), "not within 10 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
