//! Tells the clients what the servers counted: the clock of a throughput run stops at this answer.

use super::COUNTED;
use crate::measure::{Failure, RESET, WAIT};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond the fraction of a second in which the last buffers drain.
const PATIENCE: Duration = Duration::from_secs(10);
/// Short beside the shortest run (0.1 s), long beside the few microseconds that a look costs.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Serves on its own threads; answers the port.
pub(super) fn serve(listener: TcpListener) -> Result<u16, Failure> {
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(answer(stream)));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut question = [0; 9];
        stream.read_exact(&mut question)?;
        let [verb, value @ ..] = question;
        match verb {
            RESET => COUNTED.store(0, Ordering::Relaxed),
            WAIT => wait_for(u64::from_be_bytes(value)),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        stream.write_all(&COUNTED.load(Ordering::Relaxed).to_be_bytes())?;
    }
}

fn wait_for(bytes: u64) {
    let end = Instant::now() + PATIENCE;
    while COUNTED.load(Ordering::Relaxed) < bytes && Instant::now() < end {
        thread::sleep(LOOK_EVERY);
    }
}
