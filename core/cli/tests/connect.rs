//! `keepline connect` against servers in this process: lines come back, restarts are survived, ends have their codes.

use keepline_testkit::chaos::End;
use keepline_testkit::port::ReservedPort;
use keepline_testkit::servers::LineServer;
use serde_json::Value;
use std::future::Future;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// 20 s for each step: what takes longer on a busy machine is broken.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn line_sent_after_a_server_restart_comes_back() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--backoff-max", "500ms"]);
    program.say("one").await;
    assert_eq!(program.line().await, "one");
    program.told("connected to 127.0.0.1").await;

    server.stop(End::Fin).await;
    program.told("lost (peer_closed by os_error)").await;
    // Said while nobody listens: it waits in the outbox.
    program.say("two").await;
    program.told("retrying in").await;
    server.start_again().expect("the server starts again");
    assert_eq!(program.line().await, "two");
    program.told("connected to 127.0.0.1").await;

    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn options_of_tls_are_checked_and_a_plain_server_is_not_talked_to_in_the_clear() {
    let mut program = Program::start(&["connect", "localhost:1", "--ca-file", "/nowhere/at/all.pem"]);
    program.told("tls.ca: must be a file that can be read").await;
    assert_eq!(program.code().await, Some(2));

    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&[
        "connect",
        &format!("tls://{}", server.addr()),
        "--danger-accept-invalid-certificates",
        "--max-attempts",
        "1",
    ]);
    program.say("in the clear").await;
    program.told("no connection (tls.").await;
    assert_eq!(program.code().await, Some(4));
    assert!(server.received().iter().all(|received| !received.line.contains("in the clear")));
}

#[tokio::test]
async fn credentials_come_from_a_file_that_is_read_anew_for_each_attempt() {
    let server = LineServer::start().await.expect("a server");
    let file = std::env::temp_dir().join(format!("keepline-credentials-{}", std::process::id()));
    std::fs::write(&file, "first\n").expect("a file");
    let path = file.to_str().expect("a path in UTF-8");
    let mut program = Program::start(&[
        "connect",
        &server.addr().to_string(),
        "--greeting",
        "credentials:login {}",
        "--greeting",
        "expect:prefix:login ",
        "--credentials-file",
        path,
        "--backoff-max",
        "500ms",
        "-v",
    ]);
    program.told("connected to 127.0.0.1").await;
    std::fs::write(&file, "second").expect("a file");
    server.stop(End::Fin).await;
    server.start_again().expect("the server starts again");
    program.told("connected to 127.0.0.1").await;
    program.say("hello").await;
    assert_eq!(program.line().await, "hello");
    let heard: Vec<String> = server.received().into_iter().map(|received| received.line).collect();
    assert_eq!(heard, ["login first", "login second", "hello"]);
    assert_eq!(program.end().await, Some(0));
    std::fs::remove_file(&file).expect("the file is ours");
}

#[tokio::test]
async fn refused_credentials_give_up_and_are_told_to_nobody_but_the_server() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::started_with(
        &[
            "connect",
            &server.addr().to_string(),
            "--greeting",
            "refused:prefix:login",
            "--greeting",
            "credentials:login {}",
            "--greeting",
            "expect:welcome",
            "--credentials-env",
            "KEEPLINE_TEST_TOKEN",
            "--auth-attempts",
            "1",
            "-vvv",
        ],
        &[("KEEPLINE_TEST_TOKEN", "hunter2")],
    );
    assert_eq!(program.code().await, Some(4));
    assert_eq!(server.received()[0].line, "login hunter2");
    let mut told = String::new();
    while let Some(line) = program.stderr.next_line().await.expect("stderr") {
        told.push_str(&line);
    }
    assert!(told.contains("greeting.auth") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn everything_piped_in_comes_back_before_the_end() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--quiet"]);
    for number in 0..1_000 {
        program.say(&number.to_string()).await;
    }
    program.stdin = None;
    for number in 0..1_000 {
        assert_eq!(program.line().await, number.to_string());
    }
    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn json_carries_events_and_messages_on_stdout() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--json"]);
    program.say("hello").await;
    let mut seen = Vec::new();
    while !seen.contains(&"message".to_owned()) {
        let value: Value = serde_json::from_str(&program.line().await).expect("a line of JSON");
        if value["type"] == "message" {
            assert_eq!(value["text"], "hello");
            assert_eq!(value["epoch"], 1);
        }
        seen.push(value["event"].as_str().unwrap_or("message").to_owned());
    }
    assert_eq!(seen.last().map(String::as_str), Some("message"));
    assert!(seen.contains(&"connected".to_owned()), "{seen:?}");
    assert_eq!(program.end().await, Some(0));
}

#[tokio::test]
async fn verbose_tells_the_timeline_of_a_lost_connection() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--once", "--no-stdin", "-v"]);
    program.told("connected to").await;
    server.stop(End::Rst).await;
    program.told("lost (reset by os_error").await;
    program.told("  | connection #1 ended, connected for ").await;
    program.told("  |      0.000 s  the attempt starts").await;
    program.told(" s  ended: reset").await;
    if cfg!(target_os = "linux") {
        program.told("  | the kernel's figures at the end:").await;
        program.told("  |   round trip").await;
    }
    assert_eq!(program.code().await, Some(5));
}

#[tokio::test]
async fn json_carries_the_report_of_a_lost_connection() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--json", "--once", "--no-stdin"]);
    loop {
        let value: Value = serde_json::from_str(&program.line().await).expect("a line of JSON");
        if value["event"] == "connected" {
            server.stop(End::Rst).await;
        }
        if value["event"] == "disconnected" {
            let entries = value["report"]["entries"].as_array().expect("a report");
            let names: Vec<_> = entries.iter().filter_map(|entry| entry["name"].as_str()).collect();
            assert_eq!(names, ["connecting", "dialed", "connected", "ended"]);
            assert_eq!(entries[3]["detail"], "reset");
            assert!(!cfg!(target_os = "linux") || value["report"]["figures"]["rtt_ms"].is_number(), "{value}");
            break;
        }
    }
    assert_eq!(program.code().await, Some(5));
}

#[tokio::test]
async fn absent_server_is_unreachable_with_code_3_and_exhausted_attempts_with_4() {
    let port = ReservedPort::loopback().expect("a port");
    let address = port.addr().to_string();
    let mut program = Program::start(&["connect", &address, "--connect-within", "1s"]);
    program.told("no connection (refused").await;
    program.told("unreachable: no connection within 1.0 s").await;
    assert_eq!(program.code().await, Some(3));

    let mut program = Program::start(&["connect", &address, "--max-attempts", "2", "--backoff-max", "100ms"]);
    program.told("gave up: refused").await;
    assert_eq!(program.code().await, Some(4));
}

#[tokio::test]
async fn once_ends_with_code_5_when_the_connection_is_lost() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--once", "--no-stdin"]);
    program.told("connected").await;
    server.stop(End::Rst).await;
    program.told("lost (reset by os_error").await;
    assert_eq!(program.code().await, Some(5));
}

#[tokio::test]
async fn unsent_lines_end_with_code_6_when_the_drain_is_over() {
    let server = LineServer::start().await.expect("a server");
    let mut program = Program::start(&["connect", &server.addr().to_string(), "--drain", "1s"]);
    program.told("connected").await;
    server.stop(End::Fin).await;
    program.told("lost").await;
    program.say("too late").await;
    program.stdin = None;
    program.told("1 messages were never sent").await;
    assert_eq!(program.code().await, Some(6));
}

#[tokio::test]
async fn hex_messages_travel_in_a_length_prefixed_framing() {
    let server = keepline_testkit::servers::EchoServer::start().await.expect("a server");
    let address = server.addr().to_string();
    let mut program = Program::start(&["connect", &address, "--framing", "length:2", "--encoding", "hex"]);
    program.say("00 ff 0a").await;
    assert_eq!(program.line().await, "00ff0a");
    program.say("xyz").await;
    program.told("not sent: line 2 must be pairs of hexadecimal digits").await;
    assert_eq!(program.end().await, Some(6));
}

#[cfg(unix)]
#[tokio::test]
async fn first_signal_drains_and_second_one_ends_at_once() {
    let server = LineServer::start().await.expect("a server");
    let address = server.addr().to_string();
    let mut program = Program::start(&["connect", &address]);
    program.say("before").await;
    assert_eq!(program.line().await, "before");
    program.interrupt().await;
    assert_eq!(program.code().await, Some(0));

    let mut program = Program::start(&["connect", &address, "--drain", "1h"]);
    program.told("connected").await;
    server.stop(End::Fin).await;
    program.told("lost").await;
    program.say("waits").await;
    program.told("retrying in").await;
    program.interrupt().await;
    // Two signals that the program does not see apart would be one.
    program.told("1 messages wait for a connection, 60 min at most").await;
    program.interrupt().await;
    assert_eq!(program.code().await, Some(130));
}

#[tokio::test]
async fn refusal_of_a_proxy_is_told_with_its_code_and_ends_the_program() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://robot:hunter2@{}", proxy.local_addr().expect("its address"));
    let refusing = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.expect("a client");
        stream.write_all(b"HTTP/1.1 407 No\r\n\r\n").await.expect("it listens");
        stream
    });
    let mut program = Program::start(&["connect", "plc-7.example:502", "--proxy", &url]);
    program.told("proxy.auth, code 407").await;
    assert_eq!(program.end().await, Some(4));
    drop(refusing.await);
}

/// The program under test with its pipes; killed if the test ends early.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        Program::started_with(arguments, &[])
    }

    fn started_with(arguments: &[&str], environment: &[(&str, &str)]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keepline"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        Program {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().expect("stdout")).lines(),
            stderr: BufReader::new(child.stderr.take().expect("stderr")).lines(),
            child,
        }
    }

    async fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        patiently("stdin", stdin.write_all(format!("{line}\n").as_bytes())).await.expect("stdin takes the line");
    }

    async fn line(&mut self) -> String {
        patiently("a line on stdout", self.stdout.next_line()).await.expect("stdout").expect("another line")
    }

    /// Waits for a line of stderr with these words.
    async fn told(&mut self, words: &str) {
        let mut told = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.stderr.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("waited for {words:?}, was told {told:?}")).expect("stderr");
            let line = line.unwrap_or_else(|| panic!("stderr ended before {words:?}, was told {told:?}"));
            if line.contains(words) {
                return;
            }
            told.push(line);
        }
    }

    #[cfg(unix)]
    async fn interrupt(&self) {
        let id = self.child.id().expect("the program runs").to_string();
        let sent = patiently("kill", Command::new("kill").args(["-INT", &id]).status()).await.expect("kill runs");
        assert!(sent.success());
    }

    /// Closes stdin and waits for the exit code.
    async fn end(&mut self) -> Option<i32> {
        self.stdin = None;
        self.code().await
    }

    async fn code(&mut self) -> Option<i32> {
        patiently("the end of the program", self.child.wait()).await.expect("a status").code()
    }
}

async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}
