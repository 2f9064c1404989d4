//! Memory of clients that do nothing: bytes on the heap and in RAM for each.

use super::raw;
use crate::heap;
use crate::measure::{Context, Failure, Metrics, crowd_address};
use crate::os;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// Makes the clients one after another, lets them come to rest, and divides what was added.
///
/// The list that holds them is made beforehand and is not counted; everything else is, the runtime's own books too.
pub(super) async fn measure<C>(
    context: &Context,
    mut client: impl AsyncFnMut(usize) -> Result<C, Failure>,
) -> Result<Metrics, Failure> {
    heap::start_counting();
    let mut clients = Vec::with_capacity(context.clients);
    // Everything that the first client alone needs, such as a thread or a table, is not the price of an idle one.
    let first = client(0).await?;
    settle().await;
    let (heap_before, resident_before) = (heap::live_bytes(), os::resident_bytes()?);
    for index in 0..context.clients {
        clients.push(client(index).await?);
    }
    settle().await;
    let heap = (heap::live_bytes() - heap_before) as f64 / context.clients as f64;
    let resident = (os::resident_bytes()? as f64 - resident_before as f64) / context.clients as f64;
    drop((first, clients));
    Ok(Metrics::from([("heap".into(), heap), ("rss".into(), resident)]))
}

/// One second: greetings and first heartbeats are over, nothing periodic has come round.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// The floor: a task that reads into a buffer which all share.
pub(super) async fn tokio_shared(context: &Context) -> Result<Metrics, Failure> {
    measure(context, async |index| {
        let mut stream = connect(context, index).await?;
        Ok(tokio::spawn(async move { while read_shared(&mut stream).await.is_ok_and(|length| length > 0) {} }))
    })
    .await
}

thread_local! {
    static SHARED: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; 64 * 1024]);
}

async fn read_shared(stream: &mut TcpStream) -> std::io::Result<usize> {
    poll_fn(|context| {
        SHARED.with_borrow_mut(|shared| {
            let mut buffer = ReadBuf::new(shared);
            Pin::new(&mut *stream).poll_read(context, &mut buffer).map_ok(|()| buffer.filled().len())
        })
    })
    .await
}

/// The usual way: a task with a buffer of 8 KiB.
pub(super) async fn tokio(context: &Context) -> Result<Metrics, Failure> {
    measure(context, async |index| {
        let mut stream = connect(context, index).await?;
        let mut buffer = vec![0; 8 * 1024];
        Ok(tokio::spawn(async move { while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {} }))
    })
    .await
}

/// A task with a `Framed`, which has sent and received one message as any client in use has.
pub(super) async fn framed(context: &Context) -> Result<Metrics, Failure> {
    use futures_util::{SinkExt, StreamExt};
    measure(context, async |index| {
        let mut framed = Framed::new(connect(context, index).await?, LengthDelimitedCodec::new());
        framed.send(bytes::Bytes::from_static(b"alive")).await?;
        framed.next().await.ok_or("the echo ended")??;
        Ok(tokio::spawn(async move { while let Some(Ok(_)) = framed.next().await {} }))
    })
    .await
}

async fn connect(context: &Context, index: usize) -> Result<TcpStream, Failure> {
    raw::connect_to(crowd_address(context.ports.crowd, index)).await
}
