//! A TLS session with the ciphertext that waits on either side of it.

use super::failure::{Broken, Known};
use keepline_proto::outbox::{Records, Standing};
use rustls::ClientConnection;
use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use tokio::net::TcpStream;

/// Plaintext of one record, the most there is.
const RECORD: usize = 16 * 1024;

/// Records that are sealed before the kernel has the first: as much as one write of plain bytes carries. So much may wait
/// here in addition to what the kernel holds unsent.
const RECORDS: usize = 4;

/// Slices of one record.
const SLICES: usize = 64;

/// Ciphertext of one read; a reader with less room gets less, so that what it leaves stays small.
const READ: usize = 64 * 1024;

/// The least of a read: a record's head and a small message.
const LEAST_READ: usize = 4 * 1024;

thread_local! {
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
    /// A buffer for what is sealed, between two writes that the kernel takes whole.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
pub(super) struct Session {
    tls: ClientConnection,
    /// Sealed and not taken by the kernel, from `taken` on.
    unsent: Vec<u8>,
    taken: usize,
    /// Received and not taken by the session, which is full.
    unread: Vec<u8>,
    records: Records,
    /// Ciphertext that the kernel has taken.
    handed_over: u64,
    /// What the session ends with, once what arrived before is read.
    error: Option<rustls::Error>,
    /// What the socket ended with while something was sealed.
    failed: Option<io::Error>,
    /// Something arrived since this was asked for.
    arrived: bool,
    /// Whether there is a certificate to show.
    has_identity: bool,
}

impl Session {
    pub(super) fn new(mut tls: ClientConnection, has_identity: bool) -> Session {
        // Bounded here: it is emptied after each record.
        tls.set_buffer_limit(None);
        Session {
            tls,
            unsent: Vec::new(),
            taken: 0,
            unread: Vec::new(),
            records: Records::new(),
            handed_over: 0,
            error: None,
            failed: None,
            arrived: false,
            has_identity,
        }
    }

    /// Says hello.
    pub(super) fn begin(&mut self) {
        self.collect(0);
    }

    pub(super) fn tls(&self) -> &ClientConnection {
        &self.tls
    }

    /// Reads plaintext; 0 at the end of the session.
    pub(super) fn read(&mut self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_unexpected_end) => return Err(Broken::truncated().into_io()),
            }
            if let Some(error) = &self.error {
                let known = Known { was_asked: false, has_identity: self.has_identity, first: &[] };
                return Err(Broken::of(error, known).into_io());
            }
            if !self.unread.is_empty() {
                let unread = std::mem::take(&mut self.unread);
                self.feed(&unread);
                continue;
            }
            CIPHERTEXT.with_borrow_mut(|ciphertext| {
                let limit = buffer.len().clamp(LEAST_READ, ciphertext.len());
                let count = tcp.try_read(&mut ciphertext[..limit])?;
                self.arrive(&ciphertext[..count]);
                Ok::<(), io::Error>(())
            })?;
            // An alert or an answer of the session's own; what cannot leave now leaves with the next write.
            if let Err(error) = self.flush(tcp)
                && error.kind() != io::ErrorKind::WouldBlock
            {
                self.failed = Some(error);
            }
        }
    }

    /// Takes what a read brought: nothing is the end of the stream.
    pub(super) fn arrive(&mut self, bytes: &[u8]) {
        self.arrived = true;
        if bytes.is_empty() {
            // Tells the session; an empty source cannot fail.
            let _end = self.tls.read_tls(&mut io::empty());
            self.process();
        } else {
            self.feed(bytes);
        }
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.error.is_none() {
            let before = bytes.len();
            let taken = self.tls.read_tls(&mut bytes);
            self.process();
            if taken.is_err() || bytes.len() == before {
                // Full: what is decrypted has to be read first.
                self.unread = bytes.to_vec();
                break;
            }
        }
    }

    fn process(&mut self) {
        if let Err(error) = self.tls.process_new_packets()
            && self.error.is_none()
        {
            self.error = Some(error);
        }
        self.collect(0);
    }

    /// What the session ended with, if it did.
    pub(super) fn error(&self) -> Option<&rustls::Error> {
        self.error.as_ref()
    }

    /// Whether anything arrived since the last question.
    pub(super) fn take_arrived(&mut self) -> bool {
        std::mem::take(&mut self.arrived)
    }

    /// Seals what fits, and writes it; says how many bytes of plaintext that were. `WouldBlock` while the kernel has not
    /// taken what was sealed before.
    pub(super) fn write(&mut self, tcp: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush(tcp)?;
        SEALED.with_borrow_mut(|buffer| self.unsent = std::mem::take(buffer));
        let mut taken = 0;
        for _ in 0..RECORDS {
            let sealed = self.seal(slices, taken)?;
            if sealed == 0 {
                break;
            }
            taken += sealed;
        }
        match self.flush(tcp) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Told by the next call: what was sealed is handed over, and some of it may have left.
            Err(error) => self.failed = Some(error),
        }
        Ok(taken)
    }

    /// Seals one record of what follows the first `skip` bytes.
    fn seal(&mut self, slices: &[IoSlice<'_>], mut skip: usize) -> io::Result<usize> {
        let mut parts = [IoSlice::new(&[]); SLICES];
        let (mut filled, mut room) = (0, RECORD);
        for slice in slices {
            let rest = slice.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(slice.len());
            let part = &rest[..rest.len().min(room)];
            if part.is_empty() {
                continue;
            }
            if filled == parts.len() {
                break;
            }
            parts[filled] = IoSlice::new(part);
            filled += 1;
            room -= part.len();
        }
        if filled == 0 {
            return Ok(0);
        }
        let sealed = self.tls.writer().write_vectored(&parts[..filled])?;
        self.collect(sealed);
        Ok(sealed)
    }

    /// Takes what the session wants to send; `plain` bytes of it are a caller's.
    fn collect(&mut self, plain: usize) {
        let before = self.unsent.len();
        while self.tls.wants_write() {
            // A vector takes everything.
            if self.tls.write_tls(&mut self.unsent).unwrap_or_default() == 0 {
                break;
            }
        }
        self.records.seal(plain, self.unsent.len() - before);
    }

    /// Hands to the kernel what is sealed.
    pub(super) fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while self.taken < self.unsent.len() {
            match tcp.try_write(&self.unsent[self.taken..]) {
                Ok(count) => {
                    self.taken += count;
                    self.handed_over += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.taken = 0;
        let mut sent = std::mem::take(&mut self.unsent);
        if sent.capacity() > 0 {
            sent.clear();
            SEALED.with_borrow_mut(|buffer| *buffer = sent);
        }
        Ok(())
    }

    /// Whether something is sealed that the kernel has not.
    pub(super) fn is_unsent(&self) -> bool {
        self.taken < self.unsent.len()
    }

    /// Says to the peer that nothing more comes.
    pub(super) fn finish(&mut self) {
        self.tls.send_close_notify();
        self.collect(0);
    }

    /// What figures that were read after the last write say of the plaintext.
    pub(super) fn standing(&mut self, of: impl FnOnce(u64) -> Standing) -> Standing {
        let cipher = of(self.handed_over);
        // What the kernel never got has not left.
        let transmitted = cipher.transmitted.min(self.handed_over);
        self.records.standing(Standing { transmitted, ..cipher })
    }
}
