//! One epoll loop for thousands of quiet connections.

use super::{Protocol, READ_BUFFER};
use crate::measure::Failure;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::thread;

/// Serves a protocol on one thread for all listeners; answers their port.
pub(super) fn serve<P: Protocol + Send + 'static>(
    listeners: Vec<std::net::TcpListener>,
    protocol: impl Fn() -> P + Send + 'static,
) -> Result<u16, Failure> {
    let port = listeners.first().ok_or("no listener")?.local_addr()?.port();
    let poll = Poll::new()?;
    let mut accepting = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, Token(index), Interest::READABLE)?;
        accepting.push(listener);
    }
    let mut crowd = Crowd { next: accepting.len(), accepting, talking: HashMap::new(), protocol };
    thread::spawn(move || {
        if let Err(error) = crowd.run(poll) {
            eprintln!("the server for crowds ended: {error}");
        }
    });
    Ok(port)
}

struct Crowd<P, F> {
    accepting: Vec<TcpListener>,
    talking: HashMap<Token, Talk<P>>,
    protocol: F,
    next: usize,
}

struct Talk<P> {
    stream: TcpStream,
    protocol: P,
}

impl<P: Protocol, F: Fn() -> P> Crowd<P, F> {
    fn run(&mut self, mut poll: Poll) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_BUFFER];
        let mut answer = Vec::new();
        loop {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                if event.token().0 < self.accepting.len() {
                    self.accept(event.token().0, poll.registry())?;
                } else if let Some(talk) = self.talking.get_mut(&event.token()) {
                    let gone = talk.receive(&mut buffer, &mut answer).is_err();
                    if gone && let Some(mut talk) = self.talking.remove(&event.token()) {
                        poll.registry().deregister(&mut talk.stream)?;
                    }
                }
            }
        }
    }

    fn accept(&mut self, index: usize, registry: &Registry) -> io::Result<()> {
        loop {
            let mut stream = match self.accepting[index].accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let protocol = (self.protocol)();
            stream.set_nodelay(true)?;
            if stream.write_all(protocol.greeting()).is_err() {
                continue;
            }
            // A number is never used twice, so a late event cannot reach a newer connection.
            let token = Token(self.next);
            self.next += 1;
            registry.register(&mut stream, token, Interest::READABLE)?;
            self.talking.insert(token, Talk { stream, protocol });
        }
    }
}

impl<P: Protocol> Talk<P> {
    /// Reads to the end and answers; an error means that the connection is over.
    fn receive(&mut self, buffer: &mut [u8], answer: &mut Vec<u8>) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.protocol.receive(&buffer[..length], answer);
                    // The clients of a crowd send a few bytes at a time: a full socket means that one has gone astray.
                    super::write_answer(&mut self.stream, answer).inspect_err(|_| answer.clear())?;
                    if length < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
