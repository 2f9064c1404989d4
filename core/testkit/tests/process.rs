//! Real servers in processes: start, kill, freeze, come back on the same port.
#![cfg(unix)]

mod common;

use common::*;
use keepline_testkit::process::{
    ModbusServer, ProcessError, Program, RedisReply, RedisServer, ReservedPort, ServerProcess, free_port, require,
};
use std::path::Path;
use std::process::Command;
use tokio::io::AsyncWriteExt;

#[test]
fn redis_keeps_what_it_has_acknowledged_through_kills() {
    run(async {
        let Some(redis) = require("redis_keeps…", RedisServer::start().await) else { return };
        let addr = redis.addr();
        for round in 0..5 {
            let set = redis.query(&["SET", "round", &round.to_string()]).await.expect("a reply");
            assert_eq!(set, RedisReply::Simple("OK".to_owned()));
            let mut client = connect(addr).await.expect("a connection");
            redis.kill().expect("killed");
            assert_eq!(redis.pid(), None);
            let (bytes, _) = read_to_end(&mut client).await;
            assert!(bytes.is_empty());
            assert_refused(addr).await;
            redis.start_again().await.expect("the same port");
            let got = redis.query(&["GET", "round"]).await.expect("a reply");
            assert_eq!(got, RedisReply::Bulk(Some(round.to_string().into_bytes())));
        }
        assert_eq!(redis.query(&["DBSIZE"]).await.expect("a reply"), RedisReply::Integer(1));
        let keys = RedisReply::Array(Some(vec![RedisReply::Bulk(Some(b"round".to_vec()))]));
        assert_eq!(redis.query(&["KEYS", "*"]).await.expect("a reply"), keys);
        assert_eq!(redis.query(&["GET", "none"]).await.expect("a reply"), RedisReply::Bulk(None));
        assert!(matches!(redis.query(&["NONSENSE"]).await.expect("a reply"), RedisReply::Error(_)));
    });
}

#[test]
fn frozen_process_takes_bytes_and_answers_after_the_thaw() {
    run(async {
        let Some(redis) = require("frozen_process…", RedisServer::start().await) else { return };
        let mut client = connect(redis.addr()).await.expect("a connection");
        assert_eq!(exchange(&mut client, b"PING\r\n").await, b"+PONG\r");
        assert_eq!(read(&mut client, 1).await, b"\n");
        redis.freeze().await.expect("frozen");
        client.write_all(b"PING\r\n").await.expect("the kernel takes it");
        connect(redis.addr()).await.expect("the kernel accepts");
        assert_quiet(&mut client).await;
        redis.thaw().expect("thawed");
        assert_eq!(read(&mut client, 7).await, b"+PONG\r\n");
        redis.freeze().await.expect("frozen");
        redis.restart().await.expect("a frozen process can be killed");
    });
}

#[test]
fn modbus_server_logs_every_write_and_comes_back() {
    run(async {
        let Some(modbus) = require("modbus_server…", ModbusServer::start().await) else { return };
        let mut client = connect(modbus.addr()).await.expect("a connection");
        // Read registers 10 and 11 of unit 1: each starts as its own address.
        let read_two = [0, 7, 0, 0, 0, 6, 1, 3, 0, 10, 0, 2];
        client.write_all(&read_two).await.expect("a write");
        assert_eq!(read(&mut client, 13).await, [0, 7, 0, 0, 0, 7, 1, 3, 4, 0, 10, 0, 11]);
        // Write 0x1234 to register 10, then 1 and 2 to registers 20 and 21.
        let write_one = [0, 8, 0, 0, 0, 6, 1, 6, 0, 10, 0x12, 0x34];
        assert_eq!(exchange(&mut client, &write_one).await, write_one);
        let write_two = [0, 9, 0, 0, 0, 11, 1, 16, 0, 20, 0, 2, 4, 0, 1, 0, 2];
        client.write_all(&write_two).await.expect("a write");
        assert_eq!(read(&mut client, 12).await, [0, 9, 0, 0, 0, 6, 1, 16, 0, 20, 0, 2]);
        modbus.restart().await.expect("the same port");
        let writes: Vec<_> =
            modbus.writes().expect("a log").into_iter().map(|w| (w.function, w.address, w.values)).collect();
        assert_eq!(writes, [(6, 10, vec![0x1234]), (16, 20, vec![1, 2])]);
        let mut client = connect(modbus.addr()).await.expect("a connection");
        client.write_all(&read_two).await.expect("a write");
        assert_eq!(read(&mut client, 13).await, [0, 7, 0, 0, 0, 7, 1, 3, 4, 0, 10, 0, 11]);
    });
}

#[test]
fn missing_program_is_named_with_the_way_to_install_it() {
    run(async {
        let program = Program::new("nothing", "look elsewhere", |_, _| Command::new("no-such-program"));
        let error = ServerProcess::start(program).await.expect_err("it is not there");
        assert!(matches!(error, ProcessError::Missing { .. }));
        assert_eq!(error.to_string(), "no-such-program is missing: look elsewhere");
        let error = ModbusServer::start_with(Path::new("/no/such/python")).await.expect_err("it is not there");
        assert!(matches!(error, ProcessError::Missing { .. }), "{error}");
    });
}

#[test]
fn interpreter_without_pymodbus_is_told_apart_from_a_broken_server() {
    run(async {
        let script = |code: &str| {
            let code = code.to_owned();
            Program::new("script", "install it", move |_, _| {
                let mut command = Command::new("sh");
                command.args(["-c", &code]);
                command
            })
            .missing_at_exit(3, "a library")
        };
        let error = ServerProcess::start(script("exit 3")).await.expect_err("it ends");
        assert_eq!(error.to_string(), "a library is missing: install it");
        let error = ServerProcess::start(script("echo last words; exit 4")).await.expect_err("it ends");
        assert!(matches!(&error, ProcessError::Exited { output, .. } if output == "last words"), "{error}");
    });
}

#[test]
fn dropped_server_leaves_neither_process_nor_directory() {
    run(async {
        let Some(redis) = require("dropped_server…", RedisServer::start().await) else { return };
        let (pid, directory) = (redis.pid().expect("it runs"), redis.directory().to_owned());
        assert!(directory.exists());
        redis.freeze().await.expect("frozen");
        drop(redis);
        assert!(!directory.exists());
        assert!(!Path::new("/proc").join(pid.to_string()).exists());
    });
}

#[test]
fn reserved_port_is_refused_and_given_to_nobody_else() {
    run(async {
        let port = ReservedPort::loopback().expect("a port");
        assert_refused(port.addr()).await;
        for _ in 0..200 {
            assert_ne!(free_port().expect("a port"), port.port());
        }
    });
}
