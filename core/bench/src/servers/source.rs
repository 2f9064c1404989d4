//! Sends frames of the asked size as fast as the socket takes them, until the client goes.

use super::READ_BUFFER;
use crate::measure::Failure;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The largest message it sends; a larger wish comes from a broken client.
const LARGEST: usize = 1 << 20;

/// Serves on its own threads; answers the port.
pub(super) fn serve(listener: TcpListener) -> Result<u16, Failure> {
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Being cut off is how every measurement ends.
            thread::spawn(move || drop(pour(stream)));
        }
    });
    Ok(port)
}

/// The wish is itself a frame, so that a client with framing can make it: length 4, then the size wanted.
fn pour(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wish = [0; 8];
    stream.read_exact(&mut wish)?;
    let size = u32::from_be_bytes([wish[4], wish[5], wish[6], wish[7]]) as usize;
    if wish[..4] != [0, 0, 0, 4] || size > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let block = block(size);
    loop {
        stream.write_all(&block)?;
    }
}

/// Whole frames, about as many bytes as the servers read at a time.
fn block(size: usize) -> Vec<u8> {
    let mut block = Vec::with_capacity(READ_BUFFER + size + 4);
    while block.len() + size + 4 <= READ_BUFFER || block.is_empty() {
        block.extend_from_slice(&(size as u32).to_be_bytes());
        block.extend((0..size).map(|index| (index % 251) as u8));
    }
    block
}
