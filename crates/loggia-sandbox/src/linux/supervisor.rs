//! The process that starts a child and waits for it. It stays outside of the child's namespaces, so it can carry the
//! connections of the child, and it removes the child's private folder.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::order::{ProgramLine, SandboxOrder, SandboxRole};
use super::private_folder::PrivateFolder;
use super::relay::{self, NamespaceSockets};
use super::{StepError, confine, names, namespaces};
use crate::policy::HostAccess;

/// The socket at which the init hands over the sockets of the child's network.
pub(super) const HANDOVER: &str = "handover";
/// The file that is the `/etc/resolv.conf` of the child.
pub(super) const RESOLVER_FILE: &str = "resolv.conf";
/// The maximum number of sockets that are handed over: `SCM_MAX_FD` of Linux.
pub(super) const SOCKETS: usize = 253;

/// Starts the child and waits for its end.
pub(super) fn run(order: SandboxOrder, program: ProgramLine) -> Result<ExitCode, StepError> {
    // The name is only for listings of processes.
    let _ = rustix::thread::set_name(c"loggia-sandbox");
    let folder = PrivateFolder::create().map_err(StepError::at("the private folder cannot be made"))?;
    if let Some(home) = &order.policy.home {
        std::fs::create_dir_all(home).map_err(StepError::at("the home folder cannot be made"))?;
    }
    if order.features.namespaces {
        namespaces::enter_user_namespace().map_err(StepError::at("the user namespace cannot be made"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StepError::at("the runtime cannot be started"))?;
    let code = runtime.block_on(supervise(order, program, folder.path()));
    // Lookups of names may still run in threads.
    runtime.shutdown_background();
    code
}

async fn supervise(order: SandboxOrder, program: ProgramLine, folder: &Path) -> Result<ExitCode, StepError> {
    // The child gets the signals that ask it to end too. Without the child, this process ends.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()] {
        drop(signal(kind).map_err(StepError::at("the signals cannot be received"))?);
    }
    let handover =
        prepare_network(&order, folder).map_err(StepError::at("the network cannot be prepared"))?;
    let hosts = match &order.policy.hosts {
        HostAccess::Only(hosts) => hosts.clone(),
        HostAccess::Any => Vec::new(),
    };
    let mut ended = start_in_thread(order, program, folder.to_owned())?;
    if let Some(handover) = handover {
        tokio::select! {
            sockets = receive(&handover) => {
                let sockets = sockets.map_err(StepError::at("the network cannot be connected"))?;
                tokio::spawn(relay::serve(sockets, hosts));
            }
            status = &mut ended => return exit_code(status),
        }
    }
    exit_code(ended.await)
}

/// Makes the files for the network of the child, and the socket at which its sockets are handed over.
fn prepare_network(order: &SandboxOrder, folder: &Path) -> io::Result<Option<UnixListener>> {
    if !order.features.network {
        return Ok(None);
    }
    std::fs::write(folder.join(RESOLVER_FILE), format!("nameserver {}\n", names::RESOLVER))?;
    UnixListener::bind(folder.join(HANDOVER)).map(Some)
}

/// Starts the child from a thread that is used for nothing else, because it may restrict itself. The thread lives as
/// long as the child: the kernel kills an init when the thread that started it ends.
fn start_in_thread(
    mut order: SandboxOrder,
    program: ProgramLine,
    folder: std::path::PathBuf,
) -> Result<oneshot::Receiver<io::Result<ExitStatus>>, StepError> {
    let (tell_started, started) = std::sync::mpsc::channel();
    let (tell_ended, ended) = oneshot::channel();
    order.folder.clone_from(&folder);
    let run = move || {
        let child = match order.features.namespaces {
            true => start_init(&order, &program),
            false => confine::start(&order, &program, &folder),
        };
        match child {
            Ok(mut child) => {
                // The receivers are there as long as the process.
                let _ = tell_started.send(Ok(()));
                let _ = tell_ended.send(child.wait());
            }
            Err(error) => drop(tell_started.send(Err(error))),
        }
    };
    let thread = thread::Builder::new().name("child".to_owned()).spawn(run);
    thread.map_err(StepError::at("the thread of the child cannot be started"))?;
    let gone = || StepError { step: "the thread of the child ended", source: io::ErrorKind::Other.into() };
    started.recv().map_err(|_| gone())??;
    release_streams().map_err(StepError::at("the streams cannot be released"))?;
    Ok(ended)
}

/// Starts the first process of new namespaces. It ends when this thread does.
fn start_init(order: &SandboxOrder, program: &ProgramLine) -> Result<Child, StepError> {
    namespaces::begin_process_namespace().map_err(StepError::at("the process namespace cannot be made"))?;
    let own = std::env::args_os().next().unwrap_or_default();
    let mut args = own_arguments();
    args.extend(order.arguments(SandboxRole::Init));
    let mut command = Command::new("/proc/self/exe");
    command.arg0(own).args(args).arg(&program.program).args(&program.args);
    command.spawn().map_err(StepError::at("the init cannot be started"))
}

/// Returns the arguments before the role: those by which the program knows that it is a sandbox.
fn own_arguments() -> Vec<std::ffi::OsString> {
    let line: Vec<_> = std::env::args_os().skip(1).collect();
    let role = line.iter().position(|word| SandboxRole::read(word) == Some(SandboxRole::Supervise));
    line.into_iter().take(role.unwrap_or(0)).collect()
}

/// Closes the copies of the child's streams. While this process has them, neither side notices that the other closed
/// one. The error output stays, for refused connections.
pub(super) fn release_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Receives the sockets of the child's network: the resolver, then the listeners.
async fn receive(handover: &UnixListener) -> io::Result<NamespaceSockets> {
    let (stream, _) = handover.accept().await?;
    stream.readable().await?;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut sockets = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let mut sockets = sockets.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    let resolver = UdpSocket::from(sockets.next().ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(NamespaceSockets { resolver, listeners: sockets.map(TcpListener::from).collect() })
}

fn exit_code(
    ended: Result<io::Result<ExitStatus>, oneshot::error::RecvError>,
) -> Result<ExitCode, StepError> {
    let status = ended
        .map_err(io::Error::other)
        .and_then(|status| status)
        .map_err(StepError::at("the child cannot be waited for"))?;
    Ok(code_of(status))
}

/// Returns the exit code for the status of a child; 128 plus the number of a signal, like shells.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
