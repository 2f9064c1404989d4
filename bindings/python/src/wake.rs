//! The file descriptor that wakes a loop: an eventfd on Linux, a pair of sockets on other systems.

use std::io;
use std::os::fd::RawFd;

#[cfg(target_os = "linux")]
pub(crate) use eventfd::Wake;
#[cfg(not(target_os = "linux"))]
pub(crate) use pair::Wake;

#[cfg(target_os = "linux")]
mod eventfd {
    use super::{RawFd, io};
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// Readable from `wake` until `clear`.
    #[derive(Debug)]
    pub(crate) struct Wake(File);

    impl Wake {
        pub(crate) fn new() -> io::Result<Wake> {
            #[allow(unsafe_code)]
            // SAFETY: a plain system call without pointers.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            #[allow(unsafe_code)]
            // SAFETY: the descriptor was just made and nobody else owns it.
            let owned = unsafe { OwnedFd::from_raw_fd(fd) };
            Ok(Wake(File::from(owned)))
        }

        pub(crate) fn fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }

        /// Never blocks; a counter that is full is readable already.
        pub(crate) fn wake(&self) {
            let _full = (&self.0).write(&1u64.to_ne_bytes());
        }

        pub(crate) fn clear(&self) {
            let mut count = [0; 8];
            let _empty = (&self.0).read(&mut count);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod pair {
    use super::{RawFd, io};
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// Readable from `wake` until `clear`.
    #[derive(Debug)]
    pub(crate) struct Wake {
        reader: UnixStream,
        writer: UnixStream,
    }

    impl Wake {
        pub(crate) fn new() -> io::Result<Wake> {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            writer.set_nonblocking(true)?;
            Ok(Wake { reader, writer })
        }

        pub(crate) fn fd(&self) -> RawFd {
            self.reader.as_raw_fd()
        }

        /// Never blocks; a buffer that is full is readable already.
        pub(crate) fn wake(&self) {
            let _full = (&self.writer).write(&[1]);
        }

        pub(crate) fn clear(&self) {
            let mut bytes = [0; 64];
            while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }
    }
}
