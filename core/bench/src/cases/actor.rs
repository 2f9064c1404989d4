//! The usual home-made client: a task that owns the socket, and channels of messages to and from it.

use super::framed::frames;
use super::raw::connect;
use crate::measure::{Bound, Context, Counter, Failure, Latencies, Metrics, Stopwatch, wait_for};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// Messages that wait in a channel before their sender has to.
const CHANNEL: usize = 4096;
/// Messages that the writer takes at a time.
const BATCH: usize = 256;
/// 48 KiB: below one segment of the loopback device (65,483 B), which is what 64 KiB writes trip over.
const WRITE_BUFFER: usize = 48 * 1024;

/// Producers that send into one channel, and a task that writes what it finds there.
pub(super) fn throughput(
    context: &Context,
    producers: u64,
) -> impl Future<Output = Result<Metrics, Failure>> + Send + 'static {
    let context = context.clone();
    async move {
        let payload = Bytes::from(context.payload());
        let (sender, receiver) = mpsc::channel(CHANNEL);
        let stream = connect(context.ports.sink).await?;
        let counter = Counter::reset(&context)?;
        let watch = Stopwatch::start();
        let writer = tokio::spawn(write(stream, receiver));
        let producing: Vec<_> =
            (0..producers).map(|_| tokio::spawn(produce(context.clone(), sender.clone(), payload.clone()))).collect();
        drop(sender);
        let mut messages = 0;
        for producer in producing {
            messages += producer.await??;
        }
        wait_for(counter, messages * (context.size as u64 + 4)).await?;
        let metrics = watch.per_message(messages);
        writer.await??;
        Ok(metrics)
    }
}

async fn produce(context: Context, sender: mpsc::Sender<Bytes>, payload: Bytes) -> Result<u64, Failure> {
    let mut bound = Bound::new(&context);
    while bound.another() {
        sender.send(payload.clone()).await?;
    }
    Ok(bound.messages())
}

async fn write(mut stream: TcpStream, mut receiver: mpsc::Receiver<Bytes>) -> Result<(), Failure> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut buffer = BytesMut::with_capacity(2 * WRITE_BUFFER);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        for message in batch.drain(..) {
            buffer.put_u32(message.len() as u32);
            buffer.put_slice(&message);
            if buffer.len() >= WRITE_BUFFER {
                stream.write_all(&buffer).await?;
                buffer.clear();
            }
        }
        if receiver.is_empty() {
            stream.write_all(&buffer).await?;
            buffer.clear();
        }
    }
    Ok(())
}

/// A reader task that sends each frame through a channel.
pub(super) async fn receive(context: &Context) -> Result<Metrics, Failure> {
    let mut frames = frames(context).await?;
    let (sender, mut receiver) = mpsc::channel(CHANNEL);
    tokio::spawn(async move {
        while let Some(Ok(frame)) = frames.next().await {
            if sender.send(frame.freeze()).await.is_err() {
                return;
            }
        }
    });
    let mut bound = Bound::new(context);
    let watch = Stopwatch::start();
    while bound.another() {
        receiver.recv().await.ok_or("the source ended")?;
    }
    Ok(watch.per_message(bound.messages()))
}

/// A call from a thread outside the runtime, as every foreign language makes it: a channel there, a oneshot back.
pub(super) fn roundtrip_from_thread(context: &Context) -> Result<Metrics, Failure> {
    let (sender, mut receiver) = mpsc::channel::<(Bytes, oneshot::Sender<Bytes>)>(CHANNEL);
    let port = context.ports.echo;
    let actor = thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut stream = connect(port).await?;
            while let Some((frame, answer)) = receiver.recv().await {
                let mut reply = vec![0; frame.len()];
                stream.write_all(&frame).await?;
                stream.read_exact(&mut reply).await?;
                // A caller that has given up does not need its reply.
                let _ = answer.send(reply.into());
            }
            Ok(())
        })
    });
    let frame = Bytes::from(context.frame());
    let mut latencies = Latencies::new(context);
    while latencies.another() {
        let (answer, reply) = oneshot::channel();
        sender.blocking_send((frame.clone(), answer))?;
        reply.blocking_recv()?;
        latencies.done();
    }
    drop(sender);
    actor.join().map_err(|_| "the actor panicked")??;
    latencies.metrics()
}
