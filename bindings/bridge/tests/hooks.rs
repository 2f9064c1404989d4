//! Hooks as another language has them: asked through a trait or pulled by number, and never longer than the core waits.

use bytes::Bytes;
use keepline_bridge::config::{FramingRecord, SecretRecord};
use keepline_bridge::hooks::Answer;
use keepline_bridge::{
    Answered, BridgeClient, BridgeError, BridgeGreeting, BridgeQuestions, ClientConfig, CredentialsQuestion,
    EndpointRecord, EventRecord, HookError, Hooks, NameQuestion, Question, QuestionKind,
};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[test]
fn trait_is_asked_once_for_name_credentials_and_greeting() {
    let (port, lines) = gate();
    let (told, asked) = channel();
    let hooks = Arc::new(Everything { port, told, greet: welcome });
    let client = start(&format!("machine.plant:{port}"), hooks);
    wait(client.connected()).unwrap();
    assert_eq!(lines.recv_timeout(SOON).unwrap(), "login token-1");
    // Credentials are asked for while the name is resolved, the connection made and its greeting begun: in no order with them.
    let credentials = format!("credentials 1 machine.plant:{port} 0");
    let (of_credentials, others): (Vec<String>, Vec<String>) = asked.try_iter().partition(|text| *text == credentials);
    assert_eq!(of_credentials.len(), 1);
    assert_eq!(others, [format!("name machine.plant {port}"), format!("greet 1 machine.plant:{port}")]);
}

#[test]
fn errors_of_hooks_are_causes_of_the_attempt() {
    fn refused(_: BridgeGreeting) -> Answer<()> {
        Box::pin(async { Err(HookError::new("auth_refused", "wrong password")) })
    }
    fn busy(_: BridgeGreeting) -> Answer<()> {
        Box::pin(async { Err(HookError::new("failed", "busy").with_retry_after(Some(9_000))) })
    }
    fn panics(_: BridgeGreeting) -> Answer<()> {
        panic!("a bug of the user")
    }
    type Greet = fn(BridgeGreeting) -> Answer<()>;
    let table: [(Greet, &str, u64); 3] =
        [(refused, "greeting.auth", 10_000), (busy, "greeting.rejected", 9_000), (panics, "greeting.panicked", 0)];
    for (greet, cause, at_least) in table {
        let (port, _lines) = gate();
        let client = start(&format!("127.0.0.1:{port}"), Arc::new(Everything { port, told: channel().0, greet }));
        let lost = disconnected(&client);
        assert_eq!(lost.cause.as_deref(), Some(cause));
        assert!(lost.retry_in_ms.is_some_and(|wait| wait >= at_least), "{lost:?}");
    }
}

#[test]
fn questions_are_pulled_and_answered_by_number() {
    let (port, lines) = gate();
    let (questions, hooks) = BridgeQuestions::new(Answered { addresses: true, ..Answered::default() });
    let client = start(&format!("machine.plant:{port}"), hooks);
    // They come in any order that lets the name be first: who greets waits for credentials that may be asked for after it.
    let (mut asked, mut greeting) = (Vec::new(), None);
    while asked.len() < 3 {
        for Question { number, kind } in wait(questions.next()).unwrap() {
            asked.push(kind_of(&kind));
            let was_asked = match kind {
                QuestionKind::Addresses(_) => questions.addresses(number, vec![format!("127.0.0.1:{port}")]),
                QuestionKind::Credentials(_) => questions.credentials(number, SecretRecord(b"pulled".to_vec())),
                QuestionKind::Greeting(io) => {
                    greeting = Some((number, io));
                    continue;
                }
                QuestionKind::ProxyCredentials(_) => panic!("there is no proxy"),
                QuestionKind::Withdrawn => panic!("nothing was withdrawn"),
            };
            assert!(was_asked.unwrap());
            assert!(!questions.failed(number, HookError::new("failed", "twice")).unwrap(), "it was answered");
        }
    }
    asked.sort_unstable();
    assert_eq!(asked, ["addresses", "credentials", "greeting"]);
    let (number, io) = greeting.unwrap();
    wait(welcome_by(&io)).unwrap();
    assert!(questions.greeted(number).unwrap());
    assert!(!questions.failed(number, HookError::new("failed", "twice")).unwrap(), "it was answered");
    // It belongs to the client now.
    assert_eq!(io.send(Bytes::from("late")).unwrap_err().kind, "closed");
    assert_eq!(wait(io.recv(None)).unwrap_err().kind, "closed");
    wait(client.connected()).unwrap();
    assert_eq!(lines.recv_timeout(SOON).unwrap(), "login pulled");
    // What the greeting did not read comes to the user, in order.
    for expected in ["news 1", "news 2"] {
        assert_eq!(&wait(client.receive(Some(5_000))).unwrap().unwrap().payload[..], expected.as_bytes());
    }
    wait(client.close(0)).unwrap();
    drop(client);
    assert!(wait(questions.next()).unwrap().is_empty(), "the client is gone");
}

#[test]
fn question_that_nobody_answers_ends_with_the_attempt_and_is_withdrawn() {
    let (port, _lines) = gate();
    let (questions, hooks) = BridgeQuestions::new(Answered::default());
    let config = ClientConfig {
        connect_per_address_ms: Some(500),
        connect_total_ms: Some(1_000),
        credentials_hook: false,
        ..hooked()
    };
    let client = BridgeClient::start_with(&[endpoint(port)], config, hooks).unwrap();
    let asked = wait(questions.next()).unwrap();
    let [Question { number, kind: QuestionKind::Greeting(io) }] = &asked[..] else { panic!("{asked:?}") };
    let begun = Instant::now();
    assert_eq!(wait(io.recv(None)).unwrap_err().kind, "closed", "taken back at the deadline");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(disconnected(&client).cause.as_deref(), Some("greeting.timeout"));
    let told = wait(questions.next()).unwrap();
    assert!(matches!(told[0].kind, QuestionKind::Withdrawn) && told[0].number == *number, "{told:?}");
    assert!(!questions.greeted(*number).unwrap(), "too late");
}

#[test]
fn question_that_was_never_pulled_is_forgotten_with_its_attempt() {
    let (questions, hooks) = BridgeQuestions::new(Answered { addresses: true, ..Answered::default() });
    let (tell, withdrawn) = channel();
    let hooks = Arc::new(Telling { hooks, withdrawn: tell });
    let config = ClientConfig {
        connect_per_address_ms: Some(500),
        connect_total_ms: Some(1_000),
        greeting_hook: false,
        credentials_hook: false,
        ..hooked()
    };
    let client = BridgeClient::start_with(&["machine.plant:1".into()], config, hooks).unwrap();
    assert_eq!(disconnected(&client).cause.as_deref(), Some("dns.timeout"));
    // The attempt is over before its question is let go of.
    withdrawn.recv_timeout(SOON).unwrap();
    wait(client.close(0)).unwrap();
    drop(client);
    while let [question, ..] = &wait(questions.next()).unwrap()[..] {
        assert!(question.number > 1, "the first one was not asked any more: {question:?}");
    }
}

#[test]
fn script_and_hook_at_once_are_refused() {
    let (_questions, hooks) = BridgeQuestions::new(Answered::default());
    let config = ClientConfig { greeting: Some(Vec::new()), ..hooked() };
    let error = BridgeClient::start_with(&[endpoint(1)], config, hooks).unwrap_err();
    assert_eq!((error.kind.as_str(), error.field.as_deref()), ("invalid_config", Some("greeting")));
}

const SOON: Duration = Duration::from_secs(10);

/// Every hook there is.
struct Everything {
    port: u16,
    told: Sender<String>,
    greet: fn(BridgeGreeting) -> Answer<()>,
}

impl Hooks for Everything {
    fn greet(&self, greeting: BridgeGreeting) -> Answer<()> {
        let text = format!("greet {} {}", greeting.epoch().unwrap(), greeting.endpoint().unwrap());
        let _nobody_listens = self.told.send(text);
        (self.greet)(greeting)
    }

    fn credentials(&self, asked: CredentialsQuestion) -> Answer<SecretRecord> {
        let CredentialsQuestion { epoch, endpoint, refusals } = asked;
        let _nobody_listens = self.told.send(format!("credentials {epoch} {endpoint} {refusals}"));
        Box::pin(async move { Ok(SecretRecord(format!("token-{epoch}").into_bytes())) })
    }

    fn addresses(&self, asked: NameQuestion) -> Answer<Vec<String>> {
        let _nobody_listens = self.told.send(format!("name {} {}", asked.host, asked.port));
        let address = format!("127.0.0.1:{}", self.port);
        Box::pin(async move { Ok(vec![address]) })
    }

    fn has_addresses(&self) -> bool {
        true
    }
}

/// Hooks that tell when a question for addresses is let go of.
struct Telling {
    hooks: Arc<dyn Hooks>,
    withdrawn: Sender<()>,
}

impl Hooks for Telling {
    fn greet(&self, greeting: BridgeGreeting) -> Answer<()> {
        self.hooks.greet(greeting)
    }

    fn credentials(&self, asked: CredentialsQuestion) -> Answer<SecretRecord> {
        self.hooks.credentials(asked)
    }

    fn addresses(&self, asked: NameQuestion) -> Answer<Vec<String>> {
        struct Told(Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _nobody_listens = self.0.send(());
            }
        }
        struct Question {
            answer: Answer<Vec<String>>,
            // Dropped after the answer.
            _told: Told,
        }
        let mut question = Question { answer: self.hooks.addresses(asked), _told: Told(self.withdrawn.clone()) };
        Box::pin(std::future::poll_fn(move |context| {
            // All of it belongs to the future, not the answer alone.
            let question = &mut question;
            question.answer.as_mut().poll(context)
        }))
    }

    fn has_addresses(&self) -> bool {
        self.hooks.has_addresses()
    }
}

fn welcome(io: BridgeGreeting) -> Answer<()> {
    Box::pin(async move { welcome_by(&io).await.map_err(|error| HookError::new("failed", error.message.as_str())) })
}

async fn welcome_by(io: &BridgeGreeting) -> Result<(), BridgeError> {
    let secret = io.credentials().await?;
    io.send([b"login ", &secret.0[..]].concat().into())?;
    assert_eq!(&io.recv(None).await?[..], b"welcome");
    Ok(())
}

fn kind_of(kind: &QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Greeting(_) => "greeting",
        QuestionKind::Credentials(_) => "credentials",
        QuestionKind::ProxyCredentials(_) => "proxy credentials",
        QuestionKind::Addresses(_) => "addresses",
        QuestionKind::Withdrawn => "withdrawn",
    }
}

fn hooked() -> ClientConfig {
    ClientConfig {
        framing: Some(FramingRecord::Lines { max: None }),
        greeting_hook: true,
        credentials_hook: true,
        ..ClientConfig::default()
    }
}

fn start(address: &str, hooks: Arc<dyn Hooks>) -> BridgeClient {
    BridgeClient::start_with(&[address.into()], hooked(), hooks).unwrap()
}

fn endpoint(port: u16) -> EndpointRecord {
    format!("127.0.0.1:{port}").as_str().into()
}

fn disconnected(client: &BridgeClient) -> EventRecord {
    let mut after = 0;
    loop {
        let events = wait(client.next_events(after, 8, Some(10_000))).unwrap();
        after = events.last().expect("it was closed").seq;
        if let Some(found) = events.into_iter().find(|event| event.name == "disconnected") {
            return found;
        }
    }
}

/// A server that answers a login with a welcome and news, with the lines that it read.
fn gate() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, lines) = channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let told = told.clone();
            thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines() {
                    let Ok(line) = line else { return };
                    let _nobody_listens = told.send(line);
                    if writer.write_all(b"welcome\nnews 1\nnews 2\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, lines)
}

/// Polls as a foreign executor does: on a thread of its own.
fn wait<F: Future<Output = T>, T>(operation: F) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut operation = pin!(operation);
    loop {
        match operation.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park_timeout(Duration::from_secs(20)),
        }
    }
}
