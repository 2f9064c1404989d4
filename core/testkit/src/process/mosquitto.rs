//! Mosquitto, an MQTT broker, in a process of its own.

use super::{ProcessError, Program, ServerProcess, installed};
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};

/// CONNECT of MQTT 3.1.1 with a clean session, a keepalive of 60 s, and the client id `probe`.
const QUESTION: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe";
/// CONNACK, whatever it says: a broker that refuses is up.
const ANSWER: &[u8] = &[0x20, 2, 0];

/// A `mosquitto` on a free port that knows one user; it keeps nothing. It has everything a [`ServerProcess`] has.
#[derive(Debug)]
pub struct MosquittoServer {
    process: ServerProcess,
}

impl MosquittoServer {
    /// Starts `mosquitto`, which takes this user with this password alone, and waits until it answers.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start(user: &str, password: &str) -> Result<MosquittoServer, ProcessError> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let program = Program::new("mosquitto", "apt-get install mosquitto, or the like", move |port, directory| {
            // What cannot be written is missed by the broker, which says so and ends.
            let _ = declare(directory, port, &user, &password);
            let mut command = Command::new(installed("mosquitto"));
            command.arg("-c").arg(directory.join("mosquitto.conf"));
            command
        });
        Ok(MosquittoServer { process: ServerProcess::start(program.answers(QUESTION, ANSWER)).await? })
    }
}

impl Deref for MosquittoServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

/// Writes what the broker reads: its configuration and the hashed password.
fn declare(directory: &Path, port: u16, user: &str, password: &str) -> std::io::Result<()> {
    let passwords = directory.join("passwords");
    let mut hash = Command::new(installed("mosquitto_passwd"));
    hash.arg("-b").arg("-c").arg(&passwords).args([user, password]);
    hash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let lines = [
        format!("listener {port} 127.0.0.1"),
        "allow_anonymous false".to_owned(),
        format!("password_file {}", passwords.display()),
        "persistence false".to_owned(),
        // Started by root, it would change to a user who cannot read the directory.
        "user root".to_owned(),
    ];
    std::fs::write(directory.join("mosquitto.conf"), lines.join("\n") + "\n")
}
