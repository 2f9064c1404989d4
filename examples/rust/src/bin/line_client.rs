//! Talks in lines with a server that wants a login first, through its restarts: each line that is typed is sent, each that
//! comes is printed.
//!
//! `LINE_CLIENT_SECRET=secret line-client localhost:6379`. Redis takes lines, too, and its login is `AUTH password`. The
//! client logs in by itself on each new connection, before anything that was typed meanwhile. It ends with its input, or
//! when the server refuses the login.

use keepline::{Cause, Client, EventKind, Framing, Heartbeat, Matcher, Script};
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("where to? HOST:PORT")?;
    let secret = std::env::var("LINE_CLIENT_SECRET").unwrap_or_default();

    let login = Script::default()
        .refused(Matcher::Prefix("-WRONGPASS".into()))
        .send_credentials("AUTH ", "")
        .expect(Matcher::Exact("+OK".into()));
    let heartbeat = Heartbeat::new("PING").reply(Matcher::Exact("+PONG".into()));
    let client = Client::builder(&address)
        .framing(Framing::lines())
        .greeting(login)
        .static_credentials(secret)
        .auth_attempts(1)
        .heartbeat(heartbeat.every(Duration::from_secs(2)).reply_within(Duration::from_secs(2)))
        .start()?;
    let telling = tokio::spawn(tell(client.clone()));
    let mut typed = typed();
    loop {
        tokio::select! {
            line = typed.recv() => match line {
                Some(line) => client.send(line).await?,
                None => break,
            },
            message = client.recv() => match message {
                Some(message) => println!("{}", String::from_utf8_lossy(&message.payload)),
                None => break,
            },
        }
    }
    // What was typed last has five seconds to leave.
    let ending = client.close(Duration::from_secs(5)).await;
    while let Some(message) = client.recv().await {
        println!("{}", String::from_utf8_lossy(&message.payload));
    }
    telling.await?;
    match ending.cause {
        Cause::Requested => Ok(()),
        cause => Err(format!("over: {cause}").into()),
    }
}

/// The lines of the standard input. A thread reads them: a read that waits cannot be given up.
fn typed() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    lines
}

/// Says what a user would tell a friend.
async fn tell(client: Client) {
    let mut events = client.events();
    drop(client);
    while let Some(event) = events.recv().await {
        match event.kind {
            EventKind::Connected { epoch, .. } => println!("* logged in {epoch}"),
            EventKind::Disconnected(end) => println!("* lost ({})", end.ending.cause),
            // The rest is for a closer look.
            _ => {}
        }
    }
}
