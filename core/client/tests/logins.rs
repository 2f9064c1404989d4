//! Real servers that want to know who calls, and forget what was subscribed to: Redis, NATS, MQTT.
#![cfg(unix)]

mod support;

use bytes::{BufMut, BytesMut};
use keepline::cause::GreetingFailure;
use keepline::framing::{Codec, FramingError, Scan};
use keepline::{
    Builder, Cause, Client, ErrorKind, Framing, GreetingError, GreetingIo, Heartbeat, Matcher, Script, Subscription,
};
use keepline_testkit::process::{MosquittoServer, NatsServer, RedisReply, RedisServer, require};
use std::net::SocketAddr;
use support::{SOON, await_event, millis, secs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REFUSED: Cause = Cause::Greeting(GreetingFailure::Auth);

#[tokio::test]
async fn redis_refuses_a_stale_token_and_takes_the_fresh_one_of_the_next_attempt() {
    let test = "redis_refuses_a_stale_token_and_takes_the_fresh_one_of_the_next_attempt";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let user = ["ACL", "SETUSER", "worker", "on", ">fresh", "~*", "&*", "+@all"];
    assert_eq!(redis.query(&user).await.unwrap(), RedisReply::Simple("OK".into()));
    let client = redis_login(redis.addr(), "AUTH worker ")
        .credentials(|request| async move { Ok(if request.refusals == 0 { "stale" } else { "fresh" }.into()) })
        .start()
        .unwrap();
    let mut events = client.events();
    let end = format!("{:?}", await_event(&mut events, "disconnected", SOON).await);
    assert!(end.contains("Greeting(Auth)") && !end.contains("stale"), "{end}");
    await_event(&mut events, "connected", SOON).await;
    client.send("ACL WHOAMI\r\n").await.unwrap();
    assert_eq!(&client.recv_within(SOON).await.unwrap().unwrap().payload[..], b"$6\r\nworker\r\n");
}

#[tokio::test]
async fn redis_with_a_password_is_given_up_after_the_wrong_one_was_refused_twice() {
    let test = "redis_with_a_password_is_given_up_after_the_wrong_one_was_refused_twice";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    redis.query(&["CONFIG", "SET", "requirepass", "right"]).await.unwrap();
    let right = redis_login(redis.addr(), "AUTH ").static_credentials("right").connect().await.unwrap();
    let begun = tokio::time::Instant::now();
    let error = redis_login(redis.addr(), "AUTH ").static_credentials("wrong").connect().await.unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Exhausted, Some(REFUSED)), "{error}");
    assert!(begun.elapsed() >= secs(10), "twice, and not at once: {:?}", begun.elapsed());
    right.close(secs(1)).await;
}

#[tokio::test]
async fn redis_that_restarts_loses_no_message_published_after_connected() {
    let test = "redis_that_restarts_loses_no_message_published_after_connected";
    let Some(redis) = require(test, RedisServer::start().await) else { return };
    let heartbeat = Heartbeat::new("PING\r\n").reply(Matcher::Prefix("*2\r\n$4\r\npong\r\n".into())).every(secs(2));
    let client = Client::builder(redis.addr())
        .framing(Framing::resp())
        .heartbeat(heartbeat.reply_within(secs(4)))
        .backoff_max(millis(500))
        .start()
        .unwrap();
    for channel in ["news", "weather"] {
        let subscribed = Matcher::Prefix(format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{channel}", channel.len()).into());
        let subscription = Subscription::new(format!("SUBSCRIBE {channel}\r\n")).confirmed_by(subscribed);
        client.subscribe(channel, subscription).unwrap();
    }
    let mut events = client.events();
    for round in 0..4 {
        await_event(&mut events, "connected", SOON).await;
        for channel in ["news", "weather"] {
            let text = format!("{channel} {round}");
            let heard = redis.query(&["PUBLISH", channel, &text]).await.unwrap();
            assert_eq!(heard, RedisReply::Integer(1), "round {round}: {channel}");
            let message = client.recv_within(SOON).await.unwrap().unwrap();
            let payload = std::str::from_utf8(&message.payload).unwrap();
            assert!(payload.ends_with(&format!("{text}\r\n")), "{payload:?}");
        }
        redis.kill().unwrap();
        await_event(&mut events, "disconnected", SOON).await;
        redis.start_again().await.unwrap();
    }
    assert!(client.try_recv().is_none(), "confirmations are consumed");
}

#[tokio::test]
async fn nats_takes_the_token_and_hears_of_every_subscription_again_after_a_restart() {
    let test = "nats_takes_the_token_and_hears_of_every_subscription_again_after_a_restart";
    let Some(nats) = require(test, NatsServer::start(Some("s3cr3t")).await) else { return };
    let client = nats_login(nats.addr()).static_credentials("s3cr3t").start().unwrap();
    let ok = || Matcher::Exact("+OK".into());
    client.subscribe("news", Subscription::new("SUB news 1").confirmed_by(ok())).unwrap();
    client.subscribe("alerts", Subscription::new("SUB alerts.* 2").confirmed_by(ok())).unwrap();
    let mut events = client.events();
    for round in 0..3 {
        await_event(&mut events, "connected", SOON).await;
        let text = format!("round {round}");
        nats_publish(nats.addr(), "alerts.fire", &text).await;
        for expected in [format!("MSG alerts.fire 2 {}", text.len()), text] {
            assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, expected);
        }
        nats.kill().unwrap();
        await_event(&mut events, "disconnected", SOON).await;
        nats.start_again().await.unwrap();
    }
}

#[tokio::test]
async fn nats_that_refuses_the_token_closes_and_is_understood_all_the_same() {
    let test = "nats_that_refuses_the_token_closes_and_is_understood_all_the_same";
    let Some(nats) = require(test, NatsServer::start(Some("s3cr3t")).await) else { return };
    for _ in 0..10 {
        let client = nats_login(nats.addr()).static_credentials("wrong").auth_attempts(1).start().unwrap();
        assert_eq!(tokio::time::timeout(SOON, client.closed()).await.unwrap().cause, REFUSED);
    }
}

#[tokio::test]
async fn mqtt_logs_in_by_a_hook_and_is_subscribed_again_after_a_restart() {
    let test = "mqtt_logs_in_by_a_hook_and_is_subscribed_again_after_a_restart";
    let Some(broker) = require(test, MosquittoServer::start("worker", "s3cr3t").await) else { return };
    let client = mqtt_login(broker.addr(), "s3cr3t").start().unwrap();
    let subscription = Subscription::new(mqtt_subscribe("news")).confirmed_by(Matcher::Prefix(vec![0x90].into()));
    client.subscribe("news", subscription).unwrap();
    let mut events = client.events();
    for round in 0..3 {
        await_event(&mut events, "connected", SOON).await;
        let publisher = mqtt_login(broker.addr(), "s3cr3t").connect().await.unwrap();
        let text = format!("round {round}");
        publisher.send(mqtt_publish("news", &text)).await.unwrap();
        assert_eq!(client.recv_within(SOON).await.unwrap().unwrap().payload, mqtt_publish("news", &text));
        publisher.close(secs(1)).await;
        broker.kill().unwrap();
        await_event(&mut events, "disconnected", SOON).await;
        broker.start_again().await.unwrap();
    }
}

#[tokio::test]
async fn mqtt_broker_that_refuses_the_password_ends_the_client() {
    let test = "mqtt_broker_that_refuses_the_password_ends_the_client";
    let Some(broker) = require(test, MosquittoServer::start("worker", "s3cr3t").await) else { return };
    let client = mqtt_login(broker.addr(), "wrong").auth_attempts(1).start().unwrap();
    assert_eq!(tokio::time::timeout(SOON, client.closed()).await.unwrap().cause, REFUSED);
}

fn redis_login(address: SocketAddr, command: &'static str) -> Builder {
    let script = Script::default()
        .refused(Matcher::Prefix("-WRONGPASS".into()))
        .send_credentials(command, "\r\n")
        .expect(Matcher::Exact("+OK\r\n".into()));
    Client::builder(address).framing(Framing::resp()).greeting(script)
}

fn nats_login(address: SocketAddr) -> Builder {
    let script = Script::default()
        .refused(Matcher::Prefix("-ERR 'Authorization Violation'".into()))
        .expect(Matcher::Prefix("INFO ".into()))
        .send_credentials("CONNECT {\"verbose\":true,\"auth_token\":\"", "\"}")
        .expect(Matcher::Exact("+OK".into()));
    Client::builder(address)
        .framing(Framing::delimiter("\r\n"))
        .greeting(script)
        .auto_reply(Matcher::Exact("PING".into()), "PONG")
        .backoff_max(millis(500))
}

async fn nats_publish(address: SocketAddr, subject: &str, text: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = text.len();
    let commands = format!(
        "CONNECT {{\"verbose\":false,\"auth_token\":\"s3cr3t\"}}\r\nPUB {subject} {length}\r\n{text}\r\nPING\r\n"
    );
    stream.write_all(commands.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    while !told.ends_with(b"PONG\r\n") {
        assert!(stream.read_buf(&mut told).await.unwrap() > 0, "{:?}", String::from_utf8_lossy(&told));
    }
}

fn mqtt_login(address: SocketAddr, password: &'static str) -> Builder {
    Client::builder(address)
        .framing(Framing::codec(Mqtt))
        .greeting_hook(mqtt_connect)
        .credentials(move |_request| async move { Ok(password.into()) })
        .backoff_max(millis(500))
}

/// CONNECT of MQTT 3.1.1 with a clean session, no keepalive and a client id that the broker draws.
async fn mqtt_connect(io: GreetingIo) -> Result<(), GreetingError> {
    let password = io.credentials().await?;
    let mut body = BytesMut::new();
    put_text(&mut body, b"MQTT");
    body.put_slice(&[4, 0b1100_0010, 0, 0]);
    put_text(&mut body, b"");
    put_text(&mut body, b"worker");
    put_text(&mut body, password.expose());
    io.send(packet(0x10, &body));
    match io.recv().await[..] {
        [0x20, 2, _, 0] => Ok(()),
        [0x20, 2, _, 4 | 5] => Err(GreetingError::auth("the broker refused the password")),
        _ => Err(GreetingError::rejected("the broker refused")),
    }
}

fn mqtt_subscribe(topic: &str) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.put_u16(1);
    put_text(&mut body, topic.as_bytes());
    body.put_u8(0);
    packet(0x82, &body)
}

fn mqtt_publish(topic: &str, text: &str) -> Vec<u8> {
    let mut body = BytesMut::new();
    put_text(&mut body, topic.as_bytes());
    body.put_slice(text.as_bytes());
    packet(0x30, &body)
}

fn put_text(body: &mut BytesMut, text: &[u8]) {
    body.put_u16(text.len() as u16);
    body.put_slice(text);
}

/// A packet of less than 128 bytes.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128);
    [&[kind, body.len() as u8], body].concat()
}

/// A message is a whole packet: its kind, the length of the rest in groups of seven bits, the rest.
#[derive(Debug)]
struct Mqtt;

impl Codec for Mqtt {
    fn name(&self) -> &str {
        "mqtt"
    }

    fn scan(&self, buffer: &[u8]) -> Result<Scan, FramingError> {
        let mut rest = 0;
        for (index, byte) in buffer.iter().skip(1).take(4).enumerate() {
            rest |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                let end = index + 2 + rest;
                let is_whole = buffer.len() >= end;
                return Ok(if is_whole { Scan::Frame { consumed: end, message: 0..end } } else { Scan::Incomplete });
            }
        }
        if buffer.len() < 5 {
            Ok(Scan::Incomplete)
        } else {
            Err(FramingError::Malformed { rule: "the length is too long", position: 1 })
        }
    }

    fn encode(&self, message: &[u8], out: &mut BytesMut) -> Result<(), FramingError> {
        out.put_slice(message);
        Ok(())
    }
}
