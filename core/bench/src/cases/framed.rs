//! tokio-util's `Framed` with its length-delimited codec: what most users write.

use super::limit::wish;
use super::raw::connect;
use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, wait_for};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, FramedRead, LengthDelimitedCodec};

/// `send` for each message, as the documentation shows it.
pub(super) async fn send(context: &Context) -> Result<Metrics, Failure> {
    send_over(context, connect(context.ports.sink).await?).await
}

/// `send` for each message over any stream.
pub(super) async fn send_over(
    context: &Context,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
    let counter = Counter::reset(context)?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        framed.send(payload.clone()).await?;
    }
    wait_for(counter, bound.messages() * (context.size as u64 + 4)).await?;
    Ok(watch.per_message(bound.messages()))
}

/// How many messages are fed before a flush: enough to hide the system call, few enough to wait for.
const BATCH: u64 = 64;

/// `feed` for each message and a `flush` for each batch, as a careful user does.
pub(super) async fn feed(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let mut framed = Framed::new(connect(context.ports.sink).await?, LengthDelimitedCodec::new());
    let counter = Counter::reset(context)?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.several(BATCH) {
        for _ in 0..BATCH {
            framed.feed(payload.clone()).await?;
        }
        SinkExt::<Bytes>::flush(&mut framed).await?;
    }
    wait_for(counter, bound.messages() * (context.size as u64 + 4)).await?;
    Ok(watch.per_message(bound.messages()))
}

/// `next` for each message with a buffer of 64 KiB, which is faster than the default of 8 KiB.
pub(super) async fn receive(context: &Context) -> Result<Metrics, Failure> {
    let mut frames = frames(context).await?;
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        frames.next().await.ok_or("the source ended")??;
    }
    Ok(watch.per_message(bound.messages()))
}

/// The source's frames, asked for.
pub(super) async fn frames(context: &Context) -> Result<FramedRead<TcpStream, LengthDelimitedCodec>, Failure> {
    let mut stream = connect(context.ports.source).await?;
    stream.write_all(&wish(context)).await?;
    Ok(FramedRead::with_capacity(stream, LengthDelimitedCodec::new(), 64 * 1024))
}

/// `send`, then `next`.
pub(super) async fn roundtrip(context: &Context) -> Result<Metrics, Failure> {
    let payload = Bytes::from(context.payload());
    let mut framed = Framed::new(connect(context.ports.echo).await?, LengthDelimitedCodec::new());
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        framed.send(payload.clone()).await?;
        framed.next().await.ok_or("the echo ended")??;
        latencies.done();
    }
    latencies.metrics()
}
