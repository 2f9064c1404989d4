//! A Modbus TCP server (pymodbus) in a process of its own, which logs every write it carries out.

use super::{ProcessError, Program, ServerProcess};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The server itself; it travels inside the crate, so that it is there wherever the crate is.
const SCRIPT: &str = include_str!("../../servers/modbus_server.py");
/// The exit code by which the script says that pymodbus is not there or not the version it is written for.
const EXIT_MISSING: i32 = 3;
/// Read holding register 0 of unit 1: transaction 1, protocol 0, six bytes, unit 1, function 3, address 0, count 1.
const QUESTION: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
/// Its answer: the same header with five bytes, function 3, two bytes of data (whose value may have been written).
const ANSWER: [u8; 9] = [0, 1, 0, 0, 0, 5, 1, 3, 2];

/// A Modbus TCP server with holding registers 0 to 99; every register starts as its own address, also after a restart.
///
/// It answers to every unit id, and has everything a [`ServerProcess`] has.
#[derive(Debug)]
pub struct ModbusServer {
    process: ServerProcess,
}

/// One write that the server has carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ModbusWrite {
    /// When, in seconds since 1970 on the machine's clock.
    pub at: f64,
    /// The function code: 6 for one register, 16 for several.
    pub function: u8,
    /// The first address.
    pub address: u16,
    /// The values; 0 and 1 for coils.
    pub values: Vec<u16>,
}

impl ModbusServer {
    /// Starts the server with the interpreter that [`python`] names, and waits until it answers.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if the interpreter or pymodbus is not installed; otherwise what went wrong, with the
    /// server's last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start() -> Result<ModbusServer, ProcessError> {
        ModbusServer::start_with(&python()).await
    }

    /// Starts the server with an interpreter that has pymodbus, and waits until it answers.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start_with(python: &Path) -> Result<ModbusServer, ProcessError> {
        let install = "python3 -m venv target/venv && \
                       target/venv/bin/pip install -r core/testkit/servers/requirements.txt, \
                       or KEEPLINE_TEST_PYTHON=/path/to/a/python/that/has/it";
        let python = python.to_owned();
        let program = Program::new("modbus_server.py", install, move |port, directory| {
            let mut command = Command::new(&python);
            command.args(["-c", SCRIPT, "--port", &port.to_string(), "--log"]).arg(log(directory));
            command
        });
        let program = program.answers(&QUESTION, &ANSWER).missing_at_exit(EXIT_MISSING, "pymodbus");
        Ok(ModbusServer { process: ServerProcess::start(program).await? })
    }

    /// Every write the server has carried out, in order, over all restarts.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn writes(&self) -> io::Result<Vec<ModbusWrite>> {
        match std::fs::read_to_string(log(self.directory())) {
            // A last line without its end was cut off by a kill.
            Ok(text) => text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(parse).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

impl Deref for ModbusServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

/// The interpreter tests use: `KEEPLINE_TEST_PYTHON`, or `target/venv/bin/python` of the workspace.
pub fn python() -> PathBuf {
    let workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python");
    std::env::var_os("KEEPLINE_TEST_PYTHON").map_or_else(workspace, PathBuf::from)
}

fn log(directory: &Path) -> PathBuf {
    directory.join("writes.log")
}

/// Reads `seconds function address value,value,…`.
fn parse(line: &str) -> io::Result<ModbusWrite> {
    let broken = || io::Error::new(io::ErrorKind::InvalidData, format!("not a logged write: {line:?}"));
    let mut fields = line.split_ascii_whitespace();
    let mut field = || fields.next().ok_or_else(broken);
    let (at, function, address, values) = (field()?, field()?, field()?, field()?);
    let values: Result<Vec<u16>, _> = values.split(',').map(str::parse).collect();
    Ok(ModbusWrite {
        at: at.parse().map_err(|_| broken())?,
        function: function.parse().map_err(|_| broken())?,
        address: address.parse().map_err(|_| broken())?,
        values: values.map_err(|_| broken())?,
    })
}
