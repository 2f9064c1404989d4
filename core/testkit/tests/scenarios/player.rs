//! Plays the steps of one scenario with a client of its own and a chaos program of its own.

use crate::chaos::Chaos;
use crate::options::builder;
use crate::words::{Told, is_met, number, of_ending, of_error, of_event, payload, split};
use keepline::{Client, Error, Events, Idempotent, NetworkPath, Receipt};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// 15 s for whatever a step waits for: a slow machine, not a hanging client.
const SOON: Duration = Duration::from_secs(15);
/// 2 ms between two looks at the state.
const LOOK: Duration = Duration::from_millis(2);

pub(crate) struct Player {
    chaos: Chaos,
    options: Value,
    client: Option<Client>,
    events: Option<Events>,
    receipts: HashMap<String, Receipt>,
    begun: HashMap<String, JoinHandle<Result<Told, String>>>,
}

impl Player {
    pub(crate) async fn new(options: Value) -> Result<Player, String> {
        let (receipts, begun) = (HashMap::new(), HashMap::new());
        let (mut chaos, mut options) = (Chaos::start()?, options);
        if options["tls"]["ca"] == "chaos" {
            let certificate = chaos.tell("authority chaos").await?;
            let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
            options["tls"] = serde_json::json!({ "ca_pem": pem });
        }
        if let Some(login) = options["proxy"].as_str() {
            let address = chaos.tell(&format!("http-proxy proxy {login}")).await?;
            options["proxy"] = format!("http://{address}").into();
        }
        Ok(Player { chaos, options, client: None, events: None, receipts, begun })
    }

    /// Plays a step, and compares what came of it with what is expected.
    pub(crate) async fn step(&mut self, step: &str) -> Result<(), String> {
        let (action, expected) = split(step);
        let told = match action[0] {
            "repeat" => {
                let (head, body) = step.split_once(':').ok_or("repeat COUNT: STEP; STEP")?;
                for _ in 0..number::<u32>(head.trim_start_matches("repeat ").trim())? {
                    for step in body.split(';') {
                        Box::pin(self.step(step.trim())).await?;
                    }
                }
                return Ok(());
            }
            "event" => return self.event(&action[1..], &expected).await,
            _ => self.act(&action).await?,
        };
        if is_met(&expected, &told) { Ok(()) } else { Err(format!("came to {told:?}")) }
    }

    async fn act(&mut self, action: &[&str]) -> Result<Told, String> {
        match action {
            ["chaos", command @ ..] => {
                let told = self.chaos.tell(&command.join(" ")).await?;
                return Ok(told.split_whitespace().map(str::to_owned).collect());
            }
            ["connect" | "start", ..] => return self.make(action).await,
            ["begin", name, "connect", endpoint] => {
                let connecting = builder(&self.address(endpoint).await?, &self.options)?;
                let task =
                    async move { Ok(connecting.connect().await.map_or_else(|error| of_error(&error), |_| done())) };
                self.begun.insert((*name).to_owned(), tokio::spawn(task));
                return Ok(done());
            }
            ["cancel", name] => {
                self.begun.remove(*name).ok_or("nothing was begun")?.abort();
                return Ok(done());
            }
            ["end", name] => {
                let begun = self.begun.remove(*name).ok_or("nothing was begun")?;
                return timeout(SOON, begun).await.map_err(|_elapsed| "it goes on")?.map_err(|end| end.to_string())?;
            }
            ["outcome", name] => {
                let receipt = self.receipts.get_mut(*name).ok_or("no such receipt")?;
                let outcome = timeout(SOON, receipt.outcome()).await.map_err(|_elapsed| "there is no outcome")?;
                return Ok(outcome.map_or_else(|error| of_error(&error), |outcome| vec![outcome.to_string()]));
            }
            ["drop"] => {
                self.client = None;
                return Ok(done());
            }
            _ => {}
        }
        let client = self.client.as_ref().ok_or("there is no client")?;
        match action {
            ["begin", name, later @ ..] => {
                // Without this the task would be a handle that keeps the client alive; here that is wanted.
                let (client, later) = (client.clone(), later.iter().map(|word| (*word).to_owned()).collect());
                self.begun.insert((*name).to_owned(), tokio::spawn(wait_for(client, later)));
            }
            ["try-send", text, rest @ ..] => return Ok(sent(client.try_send(Maybe::of(text, rest)?))),
            ["track", name, text, rest @ ..] => match client.send_tracked_within(Maybe::of(text, rest)?, SOON).await {
                Ok(receipt) => drop(self.receipts.insert((*name).to_owned(), receipt)),
                Err(error) => return Ok(of_error(&error)),
            },
            ["state", wanted] => {
                let reached = async {
                    while client.state().as_str() != *wanted {
                        sleep(LOOK).await
                    }
                };
                timeout(SOON, reached).await.map_err(|_elapsed| format!("the state is {}", client.state()))?;
            }
            ["read", bytes] => {
                let bytes: u64 = number(bytes)?;
                let reached = async {
                    while client.stats().bytes_in < bytes {
                        sleep(LOOK).await
                    }
                };
                timeout(SOON, reached).await.map_err(|_elapsed| format!("read {}", client.stats().bytes_in))?;
            }
            ["count", field] => {
                let counts = client.stats().messages;
                let count = match *field {
                    "accepted" => counts.accepted,
                    "acked" => counts.acked,
                    "not_sent" => counts.not_sent,
                    "unknown" => counts.unknown,
                    "expired" => counts.expired,
                    "queued" => counts.queued,
                    other => return Err(format!("no such count: {other}")),
                };
                return Ok(vec![count.to_string()]);
            }
            ["network", "unknown"] => client.network_changed(None),
            ["network", id, rest @ ..] => client.network_changed(Some(NetworkPath {
                id: number(id)?,
                available: !rest.contains(&"lost"),
                kind: Default::default(),
                metered: false,
            })),
            ["pause"] => client.pause(),
            ["resume"] => client.resume(),
            ["background"] => client.enter_background(),
            ["foreground"] => client.enter_foreground(),
            // Rust has no callback for events.
            ["called-back", _] => {}
            ["reconnect"] => client.reconnect(),
            ["abort"] => client.abort(),
            ["go-away", millis] => client.go_away(Duration::from_millis(number(millis)?)),
            waiting => {
                let waiting = waiting.iter().map(|word| (*word).to_owned()).collect();
                return wait_for(client.clone(), waiting).await;
            }
        }
        Ok(done())
    }

    /// `connect ENDPOINT` waits for the first connection, `start ENDPOINT` does not.
    async fn make(&mut self, action: &[&str]) -> Result<Told, String> {
        let [how, endpoint] = action else { return Err("an endpoint is missing".to_owned()) };
        let builder = builder(&self.address(endpoint).await?, &self.options)?;
        let made = if *how == "connect" { builder.connect().await } else { builder.start() };
        match made {
            Ok(client) => {
                self.events = Some(client.events_after(0));
                self.client = Some(client);
                Ok(done())
            }
            Err(error) => Ok(of_error(&error)),
        }
    }

    /// The address of a server or a proxy of the chaos program.
    async fn address(&mut self, name: &str) -> Result<String, String> {
        self.chaos.tell(&format!("address {name}")).await
    }

    /// The next event must be the expected one; those named after `past` may come before it.
    async fn event(&mut self, action: &[&str], expected: &[&str]) -> Result<(), String> {
        let past: Vec<&str> = action.get(1).map(|names| names.split(',').collect()).unwrap_or_default();
        let events = self.events.as_mut().ok_or("there is no client")?;
        loop {
            let event = timeout(SOON, events.recv()).await.map_err(|_elapsed| "no event came")?;
            let told = event.map_or_else(|| vec!["none".to_owned()], |event| of_event(&event));
            if is_met(expected, &told) {
                return Ok(());
            }
            if !past.contains(&told[0].as_str()) {
                return Err(format!("came to {told:?}"));
            }
        }
    }
}

/// What waits, and so can be begun and cancelled.
async fn wait_for(client: Client, action: Vec<String>) -> Result<Told, String> {
    let words: Vec<&str> = action.iter().map(String::as_str).collect();
    let millis = |word: Option<&&str>| word.map_or(Ok(SOON), |word| number(word).map(Duration::from_millis));
    Ok(match words[..] {
        ["send", text, ref rest @ ..] => sent(client.send_within(Maybe::of(text, rest)?, within(rest)?).await),
        ["request", text, ref rest @ ..] => match client.request(payload(text)?, millis(rest.first())?).await {
            Ok(reply) => vec![String::from_utf8_lossy(&reply).into_owned()],
            Err(error) => of_error(&error),
        },
        ["receive", ref rest @ ..] => match client.recv_within(millis(rest.first())?).await {
            Ok(Some(message)) => {
                let text = String::from_utf8_lossy(&message.payload).into_owned();
                vec![text, format!("epoch={}", message.epoch.0)]
            }
            Ok(None) => vec!["end".to_owned()],
            Err(error) => of_error(&error),
        },
        ["close", ref rest @ ..] => of_ending(&client.close(millis(rest.first())?).await),
        ["closed"] => match timeout(SOON, client.closed()).await {
            Ok(ending) => of_ending(&ending),
            Err(_elapsed) => vec!["open".to_owned()],
        },
        _ => return Err("no such action".to_owned()),
    })
}

/// A message that may be idempotent.
enum Maybe {
    Once(String),
    Again(Idempotent<String>),
}

impl Maybe {
    fn of(word: &str, rest: &[&str]) -> Result<Maybe, String> {
        let text = payload(word)?;
        Ok(if rest.contains(&"idempotent") { Maybe::Again(Idempotent(text)) } else { Maybe::Once(text) })
    }
}

impl keepline::Payload for Maybe {
    fn as_slice(&self) -> &[u8] {
        match self {
            Maybe::Once(text) => text.as_slice(),
            Maybe::Again(text) => text.as_slice(),
        }
    }

    fn into_bytes(self) -> bytes::Bytes {
        match self {
            Maybe::Once(text) => text.into_bytes().into(),
            Maybe::Again(text) => text.into_bytes(),
        }
    }

    fn is_idempotent(&self) -> bool {
        matches!(self, Maybe::Again(_))
    }
}

/// The time after `within`, if there is one.
fn within(words: &[&str]) -> Result<Duration, String> {
    match words {
        [.., "within", millis] => number(millis).map(Duration::from_millis),
        _ => Ok(SOON),
    }
}

fn sent(result: Result<(), Error>) -> Told {
    result.map_or_else(|error| of_error(&error), |()| done())
}

fn done() -> Told {
    vec!["done".to_owned()]
}
