//! Messages as text on stdin and stdout: as they are, escaped, or as hexadecimal digits.

use clap::ValueEnum;
use keepline::Framing;

/// How a message is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// As it is
    Text,
    /// With \n \r \t \0 \\ \xNN for what is no plain text
    Escaped,
    /// As hexadecimal digits; spaces are ignored
    Hex,
}

impl Encoding {
    /// What suits the framing, unless given.
    pub(crate) fn of(framing: &Framing, given: Option<Encoding>) -> Encoding {
        given.unwrap_or(match framing {
            Framing::Raw | Framing::Lines { .. } | Framing::Delimiter { .. } | Framing::Resp { .. } => Encoding::Text,
            Framing::LengthPrefixed(_) | Framing::Fixed { .. } | Framing::Codec(_) => Encoding::Escaped,
            Framing::ModbusTcp => Encoding::Hex,
        })
    }

    /// The message that a line of stdin stands for.
    pub(crate) fn read(self, framing: &Framing, line: &[u8]) -> Result<Vec<u8>, String> {
        let text = || std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned());
        match self {
            Encoding::Text => {
                let mut message = line.to_vec();
                // Whoever types a command to Redis types a line.
                if matches!(framing, Framing::Resp { .. }) {
                    message.extend_from_slice(b"\r\n");
                }
                Ok(message)
            }
            Encoding::Escaped => unescape(text()?),
            Encoding::Hex => from_hex(text()?),
        }
    }

    /// Appends a received message as a line. On a terminal no byte of the peer controls it.
    pub(crate) fn write(self, framing: &Framing, message: &[u8], is_terminal: bool, out: &mut Vec<u8>) {
        let is_raw = matches!(framing, Framing::Raw);
        match self {
            Encoding::Text if is_raw && !is_terminal => return out.extend_from_slice(message),
            Encoding::Text if matches!(framing, Framing::Resp { .. }) => {
                out.extend_from_slice(escape(message).as_bytes())
            }
            Encoding::Text if is_terminal => {
                let lines = message.split_inclusive(|byte| *byte == b'\n');
                for line in lines {
                    let (text, end) = line.strip_suffix(b"\n").map_or((line, ""), |text| (text, "\n"));
                    out.extend_from_slice(printable(text.strip_suffix(b"\r").unwrap_or(text)).as_bytes());
                    out.extend_from_slice(end.as_bytes());
                }
                if is_raw {
                    return;
                }
            }
            Encoding::Text => out.extend_from_slice(message),
            Encoding::Escaped => out.extend_from_slice(escape(message).as_bytes()),
            Encoding::Hex => out.extend_from_slice(to_hex(message).as_bytes()),
        }
        out.push(b'\n');
    }
}

/// Reads `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN`.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits = rest.next().zip(rest.next());
                let value = digits.and_then(|(high, low)| Some(16 * digit(*high)? + digit(*low)?));
                value.ok_or_else(|| "\\x needs two hexadecimal digits".to_owned())?
            }
            Some(_) | None => return Err("only \\n \\r \\t \\0 \\\\ \\xNN are escapes".to_owned()),
        });
    }
    Ok(bytes)
}

/// Writes what [`unescape`] reads; printable ASCII stays as it is.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// Writes two digits a byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "must be pairs of hexadecimal digits".to_owned();
    let digits: Option<Vec<u8>> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(digit).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(wrong)?;
    Ok(digits.chunks_exact(2).map(|pair| 16 * pair[0] + pair[1]).collect())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Text of any language without control characters.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() && letter != '\t' {
                text.extend(letter.escape_default());
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_escaping() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)), Ok(all.clone()));
        assert_eq!(from_hex(&to_hex(&all)), Ok(all));
    }

    #[test]
    fn broken_escapes_and_digits_are_refused() {
        for text in ["\\", "\\q", "\\x", "\\x1", "\\xgg"] {
            assert!(unescape(text).is_err(), "{text}");
        }
        for text in ["1", "0g", "é"] {
            assert!(from_hex(text).is_err(), "{text}");
        }
        assert_eq!(from_hex("00 FF"), Ok(vec![0, 255]));
    }

    #[test]
    fn peer_cannot_control_the_terminal() {
        let written = |is_terminal| {
            let mut out = Vec::new();
            Encoding::Text.write(&Framing::lines(), b"\x1b[2Jgr\xc3\xbc\xc3\x9fe\xff", is_terminal, &mut out);
            out
        };
        assert_eq!(String::from_utf8_lossy(&written(true)), "\\u{1b}[2Jgrüße\\xff\n");
        assert_eq!(written(false), b"\x1b[2Jgr\xc3\xbc\xc3\x9fe\xff\n");
    }

    #[test]
    fn commands_to_redis_are_typed_as_lines() {
        assert_eq!(Encoding::Text.read(&Framing::resp(), b"PING"), Ok(b"PING\r\n".to_vec()));
        let mut out = Vec::new();
        Encoding::Text.write(&Framing::resp(), b"$2\r\nok\r\n", false, &mut out);
        assert_eq!(out, b"$2\\r\\nok\\r\\n\n");
    }
}
