//! The options of a scenario: names of the contract's `config_fields`, put on a builder.

use keepline::{
    Builder, Client, Correlation, Framing, GreetingError, Heartbeat, Jitter, Matcher, Overflow, Profile,
    ProxyCredentials, Script, Tls, WhileDown,
};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A builder of a client of `address`, with these options.
pub(crate) fn builder(address: &str, options: &Value) -> Result<Builder, String> {
    let mut builder = Client::builder(address);
    if let Some(payload) = options.get("heartbeat_payload") {
        builder = builder.heartbeat(heartbeat(payload, options)?);
    }
    for (name, value) in options.as_object().into_iter().flatten() {
        let (text, count) = (|| text(name, value), || count(name, value));
        let time = || count().map(Duration::from_millis);
        builder = match name.as_str() {
            "profile" => builder.profile(named(text()?, Profile::ALL, Profile::as_str)?),
            "framing" => builder.framing(framing(value)?),
            // Parts of one option, which was taken above.
            "heartbeat_payload" | "heartbeat_reply" | "heartbeat_interval_ms" | "heartbeat_reply_within_ms" => builder,
            "read_idle_ms" => builder.read_idle(time()?),
            "connect_per_address_ms" => builder.connect_per_address(time()?),
            "connect_total_ms" => builder.connect_total(time()?),
            "connect_within_ms" => builder.connect_within(time()?),
            "backoff_first_spread_ms" => builder.first_spread(time()?),
            "backoff_initial_ms" => builder.backoff_initial(time()?),
            "backoff_max_ms" => builder.backoff_max(time()?),
            "backoff_jitter" => builder.backoff_jitter(named(text()?, Jitter::ALL, Jitter::as_str)?),
            "max_attempts" => builder.max_attempts(count()? as u32),
            "while_down" => builder.while_down(named(text()?, WhileDown::ALL, WhileDown::as_str)?),
            "overflow" => builder.overflow(named(text()?, Overflow::ALL, Overflow::as_str)?),
            "outbox_messages" => builder.outbox_messages(count()? as usize),
            "outbox_bytes" => builder.outbox_bytes(count()? as usize),
            "outbox_age_ms" => builder.outbox_age(time()?),
            "inbox_bytes" => builder.inbox_bytes(count()? as usize),
            "frame_within_ms" => builder.frame_within(time()?),
            "stall_limit_ms" => builder.stall_limit(time()?),
            "max_in_flight" => builder.max_in_flight(count()? as usize),
            "correlation" if text()? == "fifo" => builder.correlation(Correlation::Fifo),
            "greeting" => builder.greeting(greeting(value)?),
            "auth_attempts" => builder.auth_attempts(count()? as u32),
            "credentials" => builder.static_credentials(text()?.to_owned()),
            "tls" => builder.tls(match value["ca_pem"].as_str() {
                Some(pem) => Tls::new().ca(pem),
                None => Tls::new(),
            }),
            "proxy" => builder.proxy(text()?),
            "proxy_credentials_hook" => logging_in(builder, text()?),
            "greeting_hook" => throwing(builder, text()?)?,
            "credentials_hook" if text()? == "throws" => builder.credentials(|_| async { Err("thrown".into()) }),
            // There is no such callback in Rust: events are read.
            "on_event" => builder,
            other => return Err(format!("no option of scenarios: {other}: {value}")),
        };
    }
    Ok(builder)
}

fn heartbeat(payload: &Value, options: &Value) -> Result<Heartbeat, String> {
    let mut heartbeat = Heartbeat::new(text("heartbeat_payload", payload)?.to_owned());
    if let Some(reply) = options.get("heartbeat_reply") {
        heartbeat = heartbeat.reply(Matcher::Exact(text("heartbeat_reply", reply)?.to_owned().into()));
    }
    if let Some(interval) = options.get("heartbeat_interval_ms") {
        heartbeat = heartbeat.every(Duration::from_millis(count("heartbeat_interval_ms", interval)?));
    }
    if let Some(within) = options.get("heartbeat_reply_within_ms") {
        heartbeat = heartbeat.reply_within(Duration::from_millis(count("heartbeat_reply_within_ms", within)?));
    }
    Ok(heartbeat)
}

/// A greeting that fails: each time, or `once`, and then has nothing to say.
fn throwing(builder: Builder, how: &str) -> Result<Builder, String> {
    let once = match how {
        "throws" => false,
        "throws once" => true,
        other => return Err(format!("no hook of scenarios: {other}")),
    };
    let threw = AtomicBool::new(false);
    Ok(builder.greeting_hook(move |_io| {
        let passes = threw.swap(true, Ordering::Relaxed) && once;
        async move { if passes { Ok(()) } else { Err(GreetingError::rejected("thrown")) } }
    }))
}

/// A name, then the password for each number of refusals; fails where none is left.
fn logging_in(builder: Builder, login: &str) -> Builder {
    let words: Vec<String> = login.split_whitespace().map(str::to_owned).collect();
    builder.proxy_credentials(move |request| {
        let password = words.get(1 + request.refusals as usize).cloned();
        let (user, refused) = (words[0].clone(), "no password is left");
        async move { Ok(ProxyCredentials::new(user, password.ok_or(refused)?)) }
    })
}

/// `"lines"`, `"resp"`, `"raw"`, or `"lines 8"` with the longest message.
fn framing(value: &Value) -> Result<Framing, String> {
    let words: Vec<&str> = text("framing", value)?.split_whitespace().collect();
    let framing = match words[0] {
        "raw" => Framing::Raw,
        "lines" => Framing::lines(),
        "resp" => Framing::resp(),
        other => return Err(format!("no framing of scenarios: {other}")),
    };
    match words.get(1) {
        Some(max) => Ok(framing.with_max(crate::words::number(max)?)),
        None => Ok(framing),
    }
}

/// Steps such as `"send HELLO"`, `"expect WELCOME"`, `"refused DENIED"`, `"send_credentials"`.
fn greeting(value: &Value) -> Result<Script, String> {
    let mut script = Script::default();
    for step in value.as_array().ok_or("greeting: not a list")? {
        let step = text("greeting", step)?;
        let (verb, frame) = step.split_once(' ').unwrap_or((step, ""));
        let frame = frame.to_owned();
        script = match verb {
            "send" => script.send(frame),
            "send_credentials" => script.send_credentials(frame, ""),
            "expect" => script.expect(Matcher::Exact(frame.into())),
            "refused" => script.refused(Matcher::Exact(frame.into())),
            other => return Err(format!("no step of a greeting: {other}")),
        };
    }
    Ok(script)
}

fn text<'a>(name: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{name}: not a text"))
}

fn count(name: &str, value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("{name}: not a number"))
}

fn named<T: Copy>(name: &str, all: &[T], shown: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|each| shown(*each) == name).ok_or_else(|| format!("no such name: {name}"))
}
