//! The programs, each against a real server that is killed and started again in the middle.

use keepline_testkit::process::{ModbusServer, RedisReply, RedisServer, require};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// 60 s for each wait: the largest step between two attempts is ten, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_beat_has_an_outcome_though_redis_is_killed_in_the_middle() {
    let test = "every_beat_has_an_outcome_though_redis_is_killed_in_the_middle";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let program = env!("CARGO_BIN_EXE_survive-a-restart");
    let mut program = Running::start(program, &[&redis.addr().to_string(), "150", "20"]);
    program.says("connected #1").await;
    redis.kill().expect("redis ends");
    program.says("lost").await;
    redis.start_again().await.expect("redis starts");
    program.says("connected #").await;
    let sum = program.says("150 beats:").await;
    assert!(sum.contains(" 0 not_sent ") && sum.ends_with(" 0 expired"), "{sum}");
    assert!(program.ended().await);
    let last = redis.query(&["GET", "beat"]).await.expect("redis answers");
    assert_eq!(last, RedisReply::Bulk(Some(b"149".to_vec())), "the last beat arrived, after all others");
}

#[tokio::test]
async fn values_are_unknown_while_the_controller_is_away_and_fresh_afterwards() {
    let test = "values_are_unknown_while_the_controller_is_away_and_fresh_afterwards";
    let Some(modbus) = require(test, ModbusServer::start().await) else { return };
    let program = env!("CARGO_BIN_EXE_modbus-poller");
    let mut program = Running::start(program, &[&modbus.addr().to_string(), "42", "1000000", "50"]);
    program.says("register 42 is 42").await;
    modbus.kill().expect("the server ends");
    program.says("register 42 is not known").await;
    modbus.start_again().await.expect("the server starts");
    program.says("register 42 is 42").await;
}

#[tokio::test]
async fn line_client_logs_in_again_before_what_was_typed_meanwhile() {
    let test = "line_client_logs_in_again_before_what_was_typed_meanwhile";
    let Some(redis) = require(test, RedisServer::start_with_password("secret").await) else { return };
    let mut program = Running::start(env!("CARGO_BIN_EXE_line-client"), &[&redis.addr().to_string()]);
    program.says("* logged in #1").await;
    program.types("SET a 1").await;
    program.says("+OK").await;
    redis.kill().expect("redis ends");
    program.says("* lost (").await;
    program.types("INCR b").await;
    redis.start_again().await.expect("redis starts");
    // Refused with NOAUTH if it came before the login.
    program.says(":1").await;
    program.input = None;
    assert!(program.ended().await);
}

#[tokio::test]
async fn line_client_ends_when_its_login_is_refused() {
    let test = "line_client_ends_when_its_login_is_refused";
    let Some(redis) = require(test, RedisServer::start_with_password("another").await) else { return };
    let mut program = Running::start(env!("CARGO_BIN_EXE_line-client"), &[&redis.addr().to_string()]);
    program.says("* lost (greeting.auth)").await;
    assert!(!program.ended().await);
}

/// A program whose output is read; killed when the test ends.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(program: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(program);
        command.args(arguments).env("LINE_CLIENT_SECRET", "secret").kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        Running { child, input, lines }
    }

    async fn types(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it still reads");
        input.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    /// Reads up to a line that begins so.
    async fn says(&mut self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("waited for {words:?}, read {said:?}")).expect("stdout");
            let line = line.unwrap_or_else(|| panic!("it ended before {words:?}: {said:?}"));
            if line.starts_with(words) {
                return line;
            }
            said.push(line);
        }
    }

    async fn ended(&mut self) -> bool {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("a status").success()
    }
}
