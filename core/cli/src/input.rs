//! Stdin as messages, read on a thread of its own: a terminal that waits for a key never holds up the end.

use crate::encoding::Encoding;
use bytes::Bytes;
use keepline::Framing;
use std::io::{self, BufRead, Read};
use tokio::sync::mpsc;

/// 64 messages ahead: enough to keep the client busy, little enough that back-pressure reaches whoever writes.
const AHEAD: usize = 64;
/// 64 KiB a read of raw bytes, the size of a pipe.
const CHUNK: usize = 64 * 1024;
/// 16 MiB: a longer line is no line; the largest of the default limits is 1 MiB.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// What stdin brought.
pub(crate) enum Input {
    Message(Bytes),
    /// A line that is no message, with what is wrong.
    Bad {
        line: u64,
        text: String,
    },
    /// Stdin cannot be read.
    Failed(io::Error),
}

/// Starts to read; the channel ends with stdin.
pub(crate) fn read(framing: Framing, encoding: Encoding) -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    // Not joined: it may wait for a key for ever, and the process ends all the same.
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let is_stream = matches!(framing, Framing::Raw) && encoding == Encoding::Text;
        let result =
            if is_stream { chunks(&mut stdin, &sender) } else { lines(&mut stdin, &framing, encoding, &sender) };
        if let Err(error) = result {
            // Nobody listens any more: nobody to tell.
            let _ = sender.blocking_send(Input::Failed(error));
        }
    });
    receiver
}

fn chunks(stdin: &mut impl Read, sender: &mpsc::Sender<Input>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match stdin.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if sender.blocking_send(Input::Message(Bytes::copy_from_slice(&chunk[..count]))).is_err() {
            return Ok(());
        }
    }
}

fn lines(
    stdin: &mut impl BufRead,
    framing: &Framing,
    encoding: Encoding,
    sender: &mpsc::Sender<Input>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if stdin.take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let is_whole = line.last() == Some(&b'\n');
        if !is_whole && line.len() as u64 == LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {number} never ends")));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let input = match encoding.read(framing, text) {
            Ok(message) => Input::Message(message.into()),
            Err(text) => Input::Bad { line: number, text },
        };
        if sender.blocking_send(input).is_err() {
            break;
        }
    }
    Ok(())
}
