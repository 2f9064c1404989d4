//! The login on the command line: the steps of a greeting, and where its credentials come from. Never the credentials
//! themselves: whoever may list the processes of a machine can read their arguments.

use crate::values;
use clap::Args;
use keepline::proto::config::{Credentials, Greeting};
use keepline::{Builder, Choice, Config, ConfigError, Script, Secret, Step};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// 64 KiB: the longest tokens in use have a few; a file that is no credential file is not read into memory.
const LARGEST: u64 = 64 * 1024;

#[derive(Args)]
#[command(next_help_heading = "Login options")]
pub(crate) struct LoginOptions {
    /// A step of the exchange that must succeed before a connection counts; in order, each with its own --greeting:
    /// send:TEXT, credentials:TEXT with {} where they go, expect:REPLY, refused:REPLY, retry-after:TIME:REPLY. A REPLY is
    /// written as for --heartbeat-reply
    #[arg(long, value_name = "STEP", value_parser = values::step, allow_hyphen_values = true)]
    greeting: Vec<Step>,
    /// The environment variable that holds the credentials
    #[arg(long, value_name = "NAME", conflicts_with = "credentials_file")]
    credentials_env: Option<String>,
    /// The file that holds the credentials, read anew for each attempt; a line break at its end is not part of them
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,
    /// How long reading that file may take
    #[arg(long, value_name = "TIME", value_parser = values::duration, requires = "credentials_file")]
    credentials_within: Option<Duration>,
    /// Gives up after the server refused the credentials so often in a row, or off
    #[arg(long, value_name = "COUNT", value_parser = values::count_or_off)]
    auth_attempts: Option<Choice<u32>>,
}

impl LoginOptions {
    /// Writes down what was given.
    pub(crate) fn declare(&self, config: &mut Config) -> Result<(), ConfigError> {
        config.greeting = (!self.greeting.is_empty()).then(|| Greeting::Script(Script(self.greeting.clone())));
        config.credentials = match (&self.credentials_env, &self.credentials_file) {
            (Some(name), _) => Some(Credentials::Static(from_environment(name)?)),
            (None, Some(path)) => {
                // Read again for each attempt; what can never be read is told now.
                from_file(path).map_err(|error| {
                    ConfigError::new("credentials", path.display(), format!("must be readable: {error}"))
                })?;
                Some(Credentials::Provider)
            }
            (None, None) => None,
        };
        config.credentials_within = self.credentials_within;
        config.auth_attempts = self.auth_attempts.unwrap_or_default();
        Ok(())
    }

    /// Adds what a configuration cannot hold.
    pub(crate) fn over(&self, builder: Builder) -> Builder {
        let Some(path) = self.credentials_file.clone() else { return builder };
        builder.credentials(move |_request| {
            let path = path.clone();
            async move {
                // A file of a network that is away would hold up every connection of the runtime.
                let read = tokio::task::spawn_blocking(move || from_file(&path)).await?;
                Ok(read?)
            }
        })
    }
}

fn from_environment(name: &str) -> Result<Secret, ConfigError> {
    let rule = "must be the name of an environment variable that is set, and not empty";
    let wrong = || ConfigError::new("credentials", name.escape_debug(), rule);
    let value = std::env::var_os(name).filter(|value| !value.is_empty()).ok_or_else(wrong)?;
    Ok(Secret::from(value.into_encoded_bytes()))
}

fn from_file(path: &Path) -> std::io::Result<Secret> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() || bytes.len() as u64 > LARGEST {
        let rule = "the file of the credentials must hold 1 byte to 64 KiB";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, rule));
    }
    Ok(Secret::from(bytes))
}
