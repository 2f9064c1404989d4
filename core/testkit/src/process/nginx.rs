//! nginx in a process of its own: TLS in front of another server.

use super::{ProcessError, Program, ServerProcess};
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::Command;

/// Where Debian and its relatives keep the module that speaks other protocols than HTTP.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Bytes of a key for session tickets, as nginx wants it.
const TICKET_KEY: usize = 80;

/// An `nginx` on a free port that ends TLS and passes the plain bytes on; its key for session tickets survives
/// restarts, so that clients resume their sessions.
///
/// It has everything a [`ServerProcess`] has.
///
/// ```no_run
/// use keepline_testkit::process::NginxServer;
/// use keepline_testkit::servers::EchoServer;
///
/// # async fn example(chain: &str, key: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let echo = EchoServer::start().await?;
/// let nginx = NginxServer::start(echo.addr(), chain, key).await?;
/// println!("tls://{}", nginx.addr());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NginxServer {
    process: ServerProcess,
}

impl NginxServer {
    /// Starts `nginx` from the path in front of `backend`, with a certificate's chain and its key in PEM, and waits until
    /// it accepts.
    ///
    /// # Errors
    /// [`ProcessError::Missing`] if it is not installed; otherwise what went wrong, with its last words.
    ///
    /// # Cancel safety
    /// Cancel safe: a server that was not handed out is killed.
    pub async fn start(backend: SocketAddr, chain: &str, key: &str) -> Result<NginxServer, ProcessError> {
        let (chain, key) = (chain.to_owned(), key.to_owned());
        let install = "apt-get install nginx libnginx-mod-stream, brew install nginx, or the like";
        let program = Program::new("nginx", install, move |port, directory| {
            // What could not be written is missed by nginx, which says so.
            let _missed = write_files(directory, port, backend, &chain, &key);
            let mut command = Command::new("nginx");
            command.arg("-p").arg(directory).arg("-e").arg("stderr").arg("-c").arg(directory.join("nginx.conf"));
            command
        });
        Ok(NginxServer { process: ServerProcess::start(program).await? })
    }
}

impl Deref for NginxServer {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

fn write_files(directory: &Path, port: u16, backend: SocketAddr, chain: &str, key: &str) -> io::Result<()> {
    std::fs::write(directory.join("chain.pem"), chain)?;
    std::fs::write(directory.join("key.pem"), key)?;
    let ticket_key = directory.join("ticket.key");
    if !ticket_key.exists() {
        // Of a test, on this machine only: nothing has to be hard to guess.
        let mut luck = fastrand::Rng::with_seed(u64::from(port));
        let bytes: Vec<u8> = std::iter::repeat_with(|| luck.u8(..)).take(TICKET_KEY).collect();
        std::fs::write(ticket_key, bytes)?;
    }
    std::fs::write(directory.join("nginx.conf"), configuration(port, backend))
}

/// One process, which can be killed without leaving workers behind.
fn configuration(port: u16, backend: SocketAddr) -> String {
    let module = if Path::new(MODULE).exists() { format!("load_module {MODULE};\n") } else { String::new() };
    format!(
        "{module}daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
stream {{
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate chain.pem;
        ssl_certificate_key key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        # Without a cache, OpenSSL resumes no session of TLS 1.3, not even by ticket.
        ssl_session_cache shared:sessions:1m;
        ssl_session_tickets on;
        ssl_session_ticket_key ticket.key;
        proxy_pass {backend};
    }}
}}
"
    )
}
