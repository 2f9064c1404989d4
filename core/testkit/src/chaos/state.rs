//! What all handles and tasks of one proxy share: a lock around plain data, so that a fault holds once its call returns.

use super::connection::{Connection, IdleCut, Progress};
use super::fault::{Command, Direction, End, Fault};
use super::history::{History, What};
use super::settings::Settings;
use crate::port::ReservedPort;
use socket2::SockRef;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// The largest backlog the common kernels take as it is; tests that connect thousands at once need it.
const BACKLOG: i32 = 4096;

/// What is done with new connections.
#[derive(Debug)]
pub(super) enum Accepting {
    /// They are forwarded.
    Forward,
    /// They are accepted and never answered.
    Silence,
    /// They are accepted and ended.
    End(End),
    /// Nobody listens.
    Refuse,
    /// Their SYN finds a full accept queue. Both fields are kept only to stay open.
    Hang { _listener: std::net::TcpListener, _fillers: Vec<TcpStream> },
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) port: ReservedPort,
    pub(super) runtime: Handle,
    pub(super) receive_buffer: Option<usize>,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) history: History,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) upstream: SocketAddr,
    accepting: Accepting,
    listener: Option<TcpListener>,
    acceptor: Option<Waker>,
    settings: [Settings; 2],
    idle_cut: Option<IdleCut>,
    next_number: u64,
    closed: bool,
}

/// What the acceptor has to do next.
pub(super) enum Next {
    /// Serve this connection, dialling this server if there is one.
    Serve(u64, Option<SocketAddr>),
    /// Try again in a moment: the port or the descriptors are short.
    Retry,
    /// Stop.
    Stop,
}

impl Shared {
    pub(super) fn new(
        port: ReservedPort,
        upstream: SocketAddr,
        seed: u64,
        receive_buffer: Option<usize>,
    ) -> io::Result<Shared> {
        let state = State {
            history: History::new(),
            connections: BTreeMap::new(),
            upstream,
            accepting: Accepting::Forward,
            listener: None,
            acceptor: None,
            settings: [Settings::default(), Settings::default()],
            idle_cut: None,
            next_number: 1,
            closed: false,
        };
        let shared = Shared { port, runtime: Handle::current(), receive_buffer, seed, state: Mutex::new(state) };
        shared.lock().listener = Some(shared.listen()?);
        Ok(shared)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self, direction: Direction, fault: Fault) {
        let mut state = self.lock();
        state.apply(direction, &fault);
        state.history.push(None, What::Faulted { direction, fault });
    }

    /// Ends every living connection before the call returns.
    pub(super) fn end(&self, end: End) {
        let mut state = self.lock();
        state.history.push(None, What::Commanded(Command::End(end)));
        state.end(end);
    }

    pub(super) fn set_upstream(&self, upstream: SocketAddr) {
        let mut state = self.lock();
        state.upstream = upstream;
        state.history.push(None, What::Commanded(Command::Upstream(upstream)));
    }

    pub(super) fn idle_cut(&self, cut: IdleCut) {
        let mut state = self.lock();
        state.idle_cut = Some(cut);
        state.history.push(None, What::Commanded(Command::IdleCut { after: cut.after, mode: cut.mode }));
        state.connections.values_mut().for_each(Connection::wake);
    }

    /// Changes what is done with new connections; the listener follows before the call returns.
    pub(super) fn accept(&self, accepting: Accepting, command: Command) {
        let mut state = self.lock();
        state.history.push(None, What::Commanded(command));
        self.change_accepting(&mut state, accepting);
    }

    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.history.push(None, What::Commanded(Command::Clear));
        state.idle_cut = None;
        state.apply(Direction::Both, &Fault::Pass);
        self.change_accepting(&mut state, Accepting::Forward);
    }

    /// Drops the listener and every socket and lets the tasks end.
    pub(super) fn shut_down(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.listener = None;
        state.accepting = Accepting::Refuse;
        for (_, mut connection) in std::mem::take(&mut state.connections) {
            connection.wake();
            if let Some(task) = connection.task {
                task.abort();
            }
        }
        state.wake_acceptor();
    }

    /// Waits for the next connection to serve, answering by itself those that are ended at once.
    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Next> {
        let mut state = self.lock();
        loop {
            state.acceptor = Some(context.waker().clone());
            if state.closed {
                return Poll::Ready(Next::Stop);
            }
            if state.listener.is_none() && state.wants_listener() && self.open(&mut state).is_err() {
                return Poll::Ready(Next::Retry);
            }
            let Some(listener) = &state.listener else { return Poll::Pending };
            let Poll::Ready(accepted) = listener.poll_accept(context) else { return Poll::Pending };
            let Ok((client, peer)) = accepted else { return Poll::Ready(Next::Retry) };
            if let Some(next) = self.admit(&mut state, client, peer) {
                return Poll::Ready(next);
            }
        }
    }

    pub(super) fn set_task(&self, number: u64, task: AbortHandle) {
        match self.lock().connections.get_mut(&number) {
            Some(connection) => connection.task = Some(task),
            // It ended before the task could be told of.
            None => task.abort(),
        }
    }

    /// Reports what became of the attempt to reach the server.
    pub(super) fn dialled(&self, number: u64, upstream: SocketAddr, result: io::Result<TcpStream>) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(connection) = state.connections.get_mut(&number) else { return };
        match result {
            Ok(stream) => {
                state.history.push(Some(number), What::Connected { upstream });
                connection.join(stream);
            }
            Err(error) => {
                state.history.push(Some(number), What::ConnectFailed { upstream, error: error.kind() });
                connection.arm_reset(&mut |what| state.history.push(Some(number), what));
                state.remove(number);
            }
        }
    }

    pub(super) fn poll_connection(&self, number: u64, context: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(connection) = state.connections.get_mut(&number) else { return Progress::Ended };
        let history = &mut state.history;
        let progress = connection.poll(context, scratch, state.idle_cut, &mut |what| history.push(Some(number), what));
        match progress {
            Progress::Waiting(until) => Progress::Waiting(until),
            Progress::Ended => {
                state.remove(number);
                Progress::Ended
            }
        }
    }

    fn change_accepting(&self, state: &mut State, accepting: Accepting) {
        if state.closed {
            return;
        }
        state.accepting = accepting;
        if !state.wants_listener() {
            state.listener = None;
        } else if state.listener.is_none() {
            // If it fails the acceptor tries again until it works.
            let _ = self.open(state);
        }
        state.wake_acceptor();
    }

    fn open(&self, state: &mut State) -> io::Result<()> {
        match self.listen() {
            Ok(listener) => {
                state.listener = Some(listener);
                Ok(())
            }
            Err(error) => {
                state.history.push(None, What::ListenFailed { error: error.kind() });
                Err(error)
            }
        }
    }

    fn listen(&self) -> io::Result<TcpListener> {
        let _inside = self.runtime.enter();
        TcpListener::from_std(self.port.listen(BACKLOG, self.receive_buffer)?)
    }

    fn admit(&self, state: &mut State, client: TcpStream, peer: SocketAddr) -> Option<Next> {
        let number = state.next_number;
        state.next_number += 1;
        state.history.push(Some(number), What::Accepted { peer });
        // Pieces must travel as they are cut, not be gathered by the sender's kernel.
        let _ = client.set_nodelay(true);
        let settings = state.settings.clone();
        let mut connection = Connection::new(client, peer, &settings, self.seed.wrapping_add(number.wrapping_mul(2)));
        let history = &mut state.history;
        let mut note = |what| history.push(Some(number), what);
        let upstream = match state.accepting {
            Accepting::Forward => Some(state.upstream),
            Accepting::Silence => {
                connection.go_silent(&mut note);
                None
            }
            Accepting::End(End::Fin) => {
                connection.close(&mut note);
                None
            }
            Accepting::End(End::Rst) => {
                connection.arm_reset(&mut note);
                note(What::Ended);
                return None;
            }
            // The listener goes before the mode is set, so nothing is accepted in these two.
            Accepting::Refuse | Accepting::Hang { .. } => return None,
        };
        state.connections.insert(number, connection);
        Some(Next::Serve(number, upstream))
    }
}

impl State {
    fn apply(&mut self, direction: Direction, fault: &Fault) {
        for each in direction.each() {
            match each {
                Direction::Up | Direction::Both => self.settings[0].apply(fault, 0),
                Direction::Down => self.settings[1].apply(fault, 0),
            }
        }
        let history = &mut self.history;
        for (number, connection) in &mut self.connections {
            connection.apply(direction, fault, &mut |what| history.push(Some(*number), what));
        }
    }

    fn end(&mut self, end: End) {
        let history = &mut self.history;
        for (number, connection) in &mut self.connections {
            let mut note = |what| history.push(Some(*number), what);
            match end {
                End::Fin => connection.close(&mut note),
                End::Rst => connection.arm_reset(&mut note),
            }
        }
        if end == End::Rst {
            let numbers: Vec<u64> = self.connections.keys().copied().collect();
            numbers.into_iter().for_each(|number| self.remove(number));
        }
    }

    /// Drops the sockets of a connection; its task finds it gone and ends.
    fn remove(&mut self, number: u64) {
        if let Some(mut connection) = self.connections.remove(&number) {
            connection.wake();
            self.history.push(Some(number), What::Ended);
        }
    }

    fn wants_listener(&self) -> bool {
        match self.accepting {
            Accepting::Forward | Accepting::Silence | Accepting::End(_) => true,
            Accepting::Refuse | Accepting::Hang { .. } => false,
        }
    }

    fn wake_acceptor(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.wake();
        }
    }
}

/// Sets the receive buffer of a socket that is not yet connected.
pub(super) fn set_receive_buffer(socket: &tokio::net::TcpSocket, bytes: Option<usize>) -> io::Result<()> {
    bytes.map_or(Ok(()), |bytes| SockRef::from(socket).set_recv_buffer_size(bytes))
}
