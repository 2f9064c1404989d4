//! Keepline itself.

use super::idle;
use super::limit::{EVERY, PING};
use super::raw::{ConnectPace, measure_heartbeats, setup_metrics};
use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, crowd_address, local, wait_for};
use bytes::Bytes;
use keepline::{Client, Correlation, ErrorKind, Framing, Heartbeat, Matcher, ValidConfig};
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Wake};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio::sync::oneshot;

/// `try_send` for each message, and `send` where the outbox is full; one task for each producer.
pub(super) fn throughput(
    context: &Context,
    producers: u64,
) -> impl Future<Output = Result<Metrics, Failure>> + Send + 'static {
    let context = context.clone();
    async move {
        let client = connect(context.ports.sink).await?;
        let counter = Counter::reset(&context)?;
        let watch = Stopwatch::start();
        let producing: Vec<_> =
            (0..producers).map(|_| tokio::spawn(produce(context.clone(), client.clone()))).collect();
        let mut messages = 0;
        for producer in producing {
            messages += producer.await??;
        }
        wait_for(counter, messages * (context.size as u64 + 4)).await?;
        Ok(watch.per_message(messages))
    }
}

async fn produce(context: Context, client: Client) -> Result<u64, Failure> {
    let payload = Bytes::from(context.payload());
    let mut bound = Bound::new(&context);
    while bound.another() {
        match client.try_send(&payload) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Rejected => client.send(&payload).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bound.messages())
}

/// The most messages taken at a time: more than lie ready after one read of 64 KiB.
const BATCH: usize = 8192;

/// `recv_many`: whole batches.
pub(super) async fn receive_many(context: &Context) -> Result<Metrics, Failure> {
    let client = poured(context).await?;
    let mut messages = Vec::with_capacity(BATCH);
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    loop {
        messages.clear();
        match client.recv_many(&mut messages, BATCH).await {
            0 => return Err("the source ended".into()),
            count if bound.several(count as u64) => {}
            _ => return Ok(watch.per_message(bound.messages())),
        }
    }
}

/// `recv`: one message at a time.
pub(super) async fn receive_one(context: &Context) -> Result<Metrics, Failure> {
    let client = poured(context).await?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        client.recv().await.ok_or("the source ended")?;
    }
    Ok(watch.per_message(bound.messages()))
}

/// A client of the source, which was told the size; the framing adds the length that the wish starts with.
async fn poured(context: &Context) -> Result<Client, Failure> {
    let client = connect(context.ports.source).await?;
    client.send((context.size as u32).to_be_bytes()).await?;
    Ok(client)
}

/// `send`, then `recv`.
pub(super) async fn roundtrip(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let client = connect(context.ports.echo).await?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        client.send(&payload).await?;
        client.recv().await.ok_or("the echo ended")?;
        latencies.done();
    }
    latencies.metrics()
}

/// `request`, correlated by order.
pub(super) async fn request(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let client = Client::builder(local(context.ports.echo)).framing(FRAMING).correlation(Correlation::Fifo);
    let client = client.connect().await?;
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        client.request(&payload, Duration::from_secs(5)).await?;
        latencies.done();
    }
    latencies.metrics()
}

/// `try_send` and a blocking `recv` from a thread outside the runtime, as every foreign language makes them.
pub(super) fn roundtrip_from_thread(context: &Context) -> Result<Metrics, Failure> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let port = context.ports.echo;
    let runtime = thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tell.send(connect(port).await?)?;
            // The sender is dropped when the measurement is over.
            let _ = stopped.await;
            Ok(())
        })
    });
    let client = told.recv()?;
    let payload = Bytes::from(context.payload());
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        client.try_send(&payload)?;
        block_on(client.recv()).ok_or("the echo ended")?;
        latencies.done();
    }
    drop(stop);
    runtime.join().map_err(|_| "the runtime panicked")??;
    latencies.metrics()
}

/// The smallest executor there is: the calling thread parks until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Clients with a heartbeat that has been answered once.
pub(super) async fn idle(context: &Context) -> Result<Metrics, Failure> {
    let config = with_heartbeat()?;
    idle::measure(context, async |index| one_of_crowd(context, index, &config).await).await
}

/// Clients that each send a heartbeat every five seconds.
pub(super) async fn heartbeat(context: &Context) -> Result<Metrics, Failure> {
    let config = with_heartbeat()?;
    let mut pace = ConnectPace::new(context);
    let mut clients = Vec::with_capacity(context.clients);
    for index in 0..context.clients {
        pace.wait(index).await;
        clients.push(one_of_crowd(context, index, &config).await?);
    }
    measure_heartbeats(context).await
}

/// Connects one after another; TCP established is connected.
pub(super) async fn setup(context: &Context) -> Result<Metrics, Failure> {
    let config = Client::builder(local(1)).framing(FRAMING).validate()?;
    connect_all(context, &config).await
}

/// The same with a heartbeat, which has to be answered before a client counts as connected.
pub(super) async fn setup_verified(context: &Context) -> Result<Metrics, Failure> {
    connect_all(context, &with_heartbeat()?).await
}

async fn connect_all(context: &Context, config: &Arc<ValidConfig>) -> Result<Metrics, Failure> {
    let mut clients = Vec::with_capacity(context.clients);
    let watch = Stopwatch::start();
    for index in 0..context.clients {
        clients.push(one_of_crowd(context, index, config).await?);
    }
    Ok(setup_metrics(&watch, context))
}

const FRAMING: Framing = Framing::length_prefixed(4);

async fn connect(port: u16) -> Result<Client, Failure> {
    Ok(Client::builder(local(port)).framing(FRAMING).connect().await?)
}

/// One of many that share a configuration, as a process with thousands of them would have it.
async fn one_of_crowd(context: &Context, index: usize, config: &Arc<ValidConfig>) -> Result<Client, Failure> {
    let address = crowd_address(context.ports.crowd, index);
    Ok(Client::builder(address).valid_config(config.clone()).connect().await?)
}

/// A heartbeat of [`PING`], whose echo is its reply and is consumed.
fn with_heartbeat() -> Result<Arc<ValidConfig>, Failure> {
    let payload = Bytes::from_static(PING).slice(4..);
    let heartbeat = Heartbeat::new(payload.clone()).every(EVERY).reply(Matcher::Exact(payload));
    Ok(Client::builder(local(1)).framing(FRAMING).heartbeat(heartbeat).validate()?)
}
