//! A thread for each connection: the shortest way back to the client, for everything but crowds.

use super::{Protocol, READ_BUFFER, write_answer};
use crate::measure::Failure;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Serves a protocol on its own threads; answers the port.
pub(super) fn serve<P: Protocol + Send + 'static>(
    listener: TcpListener,
    protocol: impl Fn() -> P + Send + 'static,
) -> Result<u16, Failure> {
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let protocol = protocol();
            // A client that goes in the middle of a write is how most measurements end.
            thread::spawn(move || drop(talk(stream, protocol)));
        }
    });
    Ok(port)
}

fn talk(mut stream: TcpStream, mut protocol: impl Protocol) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(protocol.greeting())?;
    let mut buffer = vec![0; READ_BUFFER];
    let mut answer = Vec::new();
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        protocol.receive(&buffer[..length], &mut answer);
        write_answer(&mut stream, &mut answer)?;
    }
}
