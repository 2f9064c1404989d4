//! The words of one command.

use keepline_testkit::chaos::{Direction, End};
use std::net::SocketAddr;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::time::Duration;

pub(crate) struct Words<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Words<'a> {
        Words(line.split_ascii_whitespace())
    }

    pub(crate) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("{what} is missing"))
    }

    pub(crate) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.word(what)?;
        word.parse().map_err(|_not_one| format!("{what} is no number: {word}"))
    }

    /// A number, if there is one.
    pub(crate) fn optional<T: FromStr>(&mut self, what: &str) -> Result<Option<T>, String> {
        let Some(word) = self.0.next() else { return Ok(None) };
        word.parse().map(Some).map_err(|_not_one| format!("{what} is no number: {word}"))
    }

    pub(crate) fn millis(&mut self, what: &str) -> Result<Duration, String> {
        self.number(what).map(Duration::from_millis)
    }

    pub(crate) fn address(&mut self) -> Result<SocketAddr, String> {
        let word = self.word("an address")?;
        word.parse().map_err(|_not_one| format!("no address: {word}"))
    }

    pub(crate) fn direction(&mut self) -> Result<Direction, String> {
        match self.word("a direction")? {
            "up" => Ok(Direction::Up),
            "down" => Ok(Direction::Down),
            "both" => Ok(Direction::Both),
            other => Err(format!("no direction: {other}")),
        }
    }

    pub(crate) fn ending(&mut self) -> Result<End, String> {
        match self.word("fin or rst")? {
            "fin" => Ok(End::Fin),
            "rst" => Ok(End::Rst),
            other => Err(format!("neither fin nor rst: {other}")),
        }
    }

    pub(crate) fn hex(&mut self) -> Result<Vec<u8>, String> {
        let word = self.word("bytes")?;
        let digit = |byte: u8| (byte as char).to_digit(16).ok_or_else(|| format!("no hexadecimal digits: {word}"));
        if word.len() % 2 != 0 {
            return Err(format!("half a byte is too many: {word}"));
        }
        let pairs = word.as_bytes().chunks(2);
        pairs.map(|pair| Ok((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
    }

    pub(crate) fn end(mut self) -> Result<(), String> {
        match self.0.next() {
            None => Ok(()),
            Some(more) => Err(format!("one word too many: {more}")),
        }
    }
}
