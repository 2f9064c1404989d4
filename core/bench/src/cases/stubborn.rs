//! stubborn-io: a stream that reconnects by itself, under `Framed`.

use super::framed;
use crate::measure::{Context, Failure, Metrics, local};
use stubborn_io::StubbornTcpStream;

/// `Framed::send` for each message.
pub(super) async fn send(context: &Context) -> Result<Metrics, Failure> {
    let stream = StubbornTcpStream::connect(local(context.ports.sink)).await?;
    stream.set_nodelay(true)?;
    framed::send_over(context, stream).await
}
