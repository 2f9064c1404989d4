//! Proxies in processes of their own: microsocks for SOCKS 5, tinyproxy for HTTP CONNECT.

use super::{ProcessError, Program, ServerProcess};
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

/// A proxy on a free port of 127.0.0.1; it has everything a [`ServerProcess`] has.
///
/// ```no_run
/// use keepline_testkit::process::ProxyServer;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = ProxyServer::socks(Some(("robot", "s3cret"))).await?;
/// println!("{}", proxy.url());
/// proxy.restart().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ProxyServer {
    process: ServerProcess,
    scheme: &'static str,
    login: Option<(&'static str, &'static str)>,
}

impl ProxyServer {
    /// Starts `microsocks` from the path, with a name and a password if they are given.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a proxy that was not handed out is killed.
    pub async fn socks(login: Option<(&'static str, &'static str)>) -> Result<ProxyServer, ProcessError> {
        let program = Program::new("microsocks", "apt-get install microsocks, or the like", move |port, _directory| {
            let mut command = Command::new("microsocks");
            command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
            if let Some((user, password)) = login {
                command.args(["-u", user, "-P", password]);
            }
            command
        });
        Ok(ProxyServer { process: ServerProcess::start(program).await?, scheme: "socks5", login })
    }

    /// Starts `tinyproxy` from the path, with a name and a password if they are given. It connects to any port.
    ///
    /// # Errors
    /// As [`socks`](Self::socks).
    ///
    /// # Cancel safety
    /// As [`socks`](Self::socks).
    pub async fn http(login: Option<(&'static str, &'static str)>) -> Result<ProxyServer, ProcessError> {
        let program = Program::new("tinyproxy", "apt-get install tinyproxy, or the like", move |port, directory| {
            let mut command = Command::new("tinyproxy");
            command.args(["-d", "-c"]).arg(configuration(directory, port, login));
            command
        });
        Ok(ProxyServer { process: ServerProcess::start(program).await?, scheme: "http", login })
    }

    /// Where it is, with what it wants to be told: `socks5://robot:s3cret@127.0.0.1:41234`.
    pub fn url(&self) -> String {
        let login = self.login.map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        format!("{}://{login}{}", self.scheme, self.process.addr())
    }
}

impl Deref for ProxyServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

/// Written at each start. A directory that cannot be written to shows as a proxy that does not start.
fn configuration(directory: &Path, port: u16, login: Option<(&str, &str)>) -> std::path::PathBuf {
    let auth = login.map(|(user, password)| format!("BasicAuth {user} {password}\n")).unwrap_or_default();
    // 600 s: longer than any test is silent.
    let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 600\nAllow 127.0.0.1\nLogLevel Warning\n{auth}");
    let path = directory.join("tinyproxy.conf");
    let _shown_by_the_start = std::fs::write(&path, text);
    path
}
