//! `keepline doctor`: why does it not connect, stage by stage, with a verdict in words.

use crate::args::Doctor as Arguments;
use crate::exit::{Exit, Failure};
use crate::paint::{Colour, Paint};
use keepline::Endpoint;
use keepline::doctor::{Diagnosis, Doctor, Finding, Stage, StageName};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Runs the command.
pub(crate) async fn run(arguments: Arguments, no_color: bool) -> Result<Exit, Failure> {
    // What cannot be an endpoint at all is a mistake at the keyboard, and no finding.
    Endpoint::parse(&arguments.endpoint)?;
    let builder = arguments.tls.over(arguments.tuning.builder(arguments.endpoint.as_str())?);
    let mut doctor = Doctor::of(builder).patience(arguments.patience);
    if arguments.path_mtu {
        doctor = doctor.path_mtu();
    }
    for silence in &arguments.idle {
        doctor = doctor.idle(*silence);
    }
    let diagnosis = doctor.examine().await;
    let text = if arguments.json {
        format!("{}\n", to_json(&diagnosis))
    } else {
        to_text(&diagnosis, Paint::of(&io::stdout(), no_color))
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Ok(exit_of(&diagnosis)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit_of(&diagnosis)),
        Err(error) => Err(Failure::local(format!("stdout: {error}"))),
    }
}

fn exit_of(diagnosis: &Diagnosis) -> Exit {
    match diagnosis.failed().map(|stage| stage.name) {
        None => Exit::Done,
        Some(StageName::Config) => Exit::Usage,
        Some(StageName::Names) => Exit::Names,
        Some(StageName::Route) => Exit::Route,
        Some(StageName::Tcp) => Exit::Tcp,
        Some(StageName::Proxy) => Exit::Proxy,
        Some(StageName::Tls) => Exit::Tls,
        Some(StageName::Greeting) => Exit::Greeting,
        Some(StageName::PathMtu) => Exit::PathMtu,
        Some(StageName::Idle) => Exit::Idle,
        // The stages may grow; one that is not known here is no success.
        Some(_) => Exit::Local,
    }
}

fn to_json(diagnosis: &Diagnosis) -> Value {
    let stages: Vec<Value> = diagnosis.stages.iter().map(stage_to_json).collect();
    json!({
        "endpoint": diagnosis.endpoint,
        "healthy": diagnosis.is_healthy(),
        "failed": diagnosis.failed().map(|stage| stage.name.as_str()),
        "cause": diagnosis.failed().and_then(|stage| stage.cause).map(|cause| cause.as_str()),
        "verdict": diagnosis.words(),
        "stages": stages,
    })
}

fn stage_to_json(stage: &Stage) -> Value {
    let facts: Vec<Value> = stage.facts.iter().map(|fact| json!({ "name": fact.name, "value": fact.value })).collect();
    json!({
        "stage": stage.name.as_str(),
        "finding": stage.finding.as_str(),
        "cause": stage.cause.map(|cause| cause.as_str()),
        "took_ms": stage.took.as_secs_f64() * 1_000.0,
        "facts": facts,
    })
}

fn to_text(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut text = String::new();
    for stage in &diagnosis.stages {
        let (mark, colour) = match stage.finding {
            Finding::Passed => ("ok  ", Colour::Green),
            Finding::Warned => ("note", Colour::Yellow),
            Finding::Failed => ("FAIL", Colour::Red),
            // The findings may grow.
            _ => ("?   ", Colour::Yellow),
        };
        let cause = stage.cause.map(|cause| format!("  {cause}")).unwrap_or_default();
        let took = stage.took.as_secs_f64() * 1_000.0;
        text.push_str(&format!("{}  {:<9} {took:>9.1} ms{cause}\n", paint.text(colour, mark), stage.name.as_str()));
        for fact in &stage.facts {
            text.push_str(&format!("        {fact}\n"));
        }
    }
    text.push_str(&format!("\n{}\n", diagnosis.words()));
    text
}
