//! A host as it was written: without memory of its own where it is short, as addresses of the fourth version always are.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// As many bytes as lie in the room that a shared text takes with its length.
const SHORT: usize = 22;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Host(Text);

#[derive(Debug, Clone)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<str>),
}

impl From<&str> for Host {
    fn from(text: &str) -> Host {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Host(Text::Short { length, bytes })
            }
            (_, _) => Host(Text::Long(text.into())),
        }
    }
}

impl From<String> for Host {
    fn from(text: String) -> Host {
        Host::from(text.as_str())
    }
}

impl Deref for Host {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            // They were a text, whole.
            Text::Short { length, bytes } => std::str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_is_what_it_was() {
        for length in [0, 1, 15, SHORT - 1, SHORT, SHORT + 1, 253] {
            let text = "ä".repeat(length / 2) + &"x".repeat(length % 2);
            let host = Host::from(text.clone());
            assert_eq!(&*host, text);
            assert_eq!(&*host.clone(), text);
            assert_eq!(matches!(host.0, Text::Short { .. }), length <= SHORT);
        }
        assert_eq!(size_of::<Host>(), 24);
    }
}
