//! Bytes that must not be told: hidden from `Debug`, wiped when the last copy of them is dropped.

use bytes::{Bytes, BytesMut};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// A password, a token, a key. Clones share the bytes; the last one to be dropped overwrites them.
///
/// What it was made from is the caller's: a `String` or a `Vec` that is moved in is wiped with it, a slice is copied and
/// stays. The kernel's copy of what was sent is out of reach.
///
/// ```
/// use keepline_proto::Secret;
///
/// let secret = Secret::from("correct horse");
/// assert_eq!(format!("{secret:?}"), "Secret(13 bytes)");
/// assert_eq!(secret.expose(), b"correct horse");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Wiped<Vec<u8>>>);

impl Secret {
    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0.0
    }

    /// The bytes between two others, in a buffer that is wiped when it is dropped.
    pub fn between(&self, prefix: &[u8], suffix: &[u8]) -> Bytes {
        let mut message = BytesMut::with_capacity(prefix.len() + self.expose().len() + suffix.len());
        [prefix, self.expose(), suffix].into_iter().for_each(|part| message.extend_from_slice(part));
        wiped(message)
    }
}

/// Makes a buffer overwrite its bytes when the last handle to them is dropped.
pub fn wiped(buffer: BytesMut) -> Bytes {
    Bytes::from_owner(Wiped(buffer))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.expose().len())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Secret {
        Secret(Arc::new(Wiped(bytes)))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        text.into_bytes().into()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Secret {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Secret {
    fn from(bytes: &[u8; N]) -> Secret {
        bytes.to_vec().into()
    }
}

/// A buffer whose bytes are overwritten before its memory is given back.
struct Wiped<B: AsMut<[u8]>>(B);

impl<B: AsRef<[u8]> + AsMut<[u8]>> AsRef<[u8]> for Wiped<B> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<B: AsMut<[u8]>> Drop for Wiped<B> {
    fn drop(&mut self) {
        wipe(self.0.as_mut());
    }
}

fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // The memory is given back right after: without a reader the stores could be left out.
    black_box(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_never_shown_and_is_framed_as_it_is() {
        let secret = Secret::from(String::from("hunter2"));
        assert_eq!(format!("{secret:?} {:?}", Some(secret.clone())), "Secret(7 bytes) Some(Secret(7 bytes))");
        assert_eq!(&secret.between(b"AUTH ", b"\r\n")[..], b"AUTH hunter2\r\n");
    }

    #[test]
    fn buffer_is_overwritten_by_the_wipe() {
        let mut bytes = *b"hunter2";
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 7]);
    }

    #[test]
    fn bytes_of_a_clone_outlive_the_first() {
        let first = Secret::from("hunter2");
        let second = first.clone();
        drop(first);
        assert_eq!(second.expose(), b"hunter2");
    }
}
