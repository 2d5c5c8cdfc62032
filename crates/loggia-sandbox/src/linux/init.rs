//! The first process in the namespaces of a child. It prepares mounts and network, starts the child, and collects
//! processes that have ended. When it ends, the kernel kills every process of the namespace.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal};

use super::netlink::NetlinkSocket;
use super::order::{ProgramLine, SandboxOrder};
use super::supervisor::{self, HANDOVER, RESOLVER_FILE, SOCKETS};
use super::{StepError, confine, files, names, namespaces};
use crate::host::HostPattern;
use crate::policy::HostAccess;

/// Prepares the namespaces, starts the child and waits for its end.
pub(super) fn run(order: &SandboxOrder, program: ProgramLine) -> Result<ExitCode, StepError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(StepError::at("the init cannot be tied to its parent"))?;
    // The name is only for listings of processes.
    let _ = rustix::thread::set_name(c"sandbox-init");
    namespaces::enter_mount_namespace().map_err(StepError::at("the mount namespace cannot be made"))?;
    if order.features.private_proc {
        namespaces::mount_proc().map_err(StepError::at("/proc cannot be mounted"))?;
    }
    if order.features.pid_max {
        namespaces::bound_processes(order.policy.processes)
            .map_err(StepError::at("the number of processes cannot be bounded"))?;
    }
    namespaces::mount_shared_memory().map_err(StepError::at("/dev/shm cannot be mounted"))?;
    if order.features.network {
        connect_network(order).map_err(StepError::at("the network cannot be prepared"))?;
    }
    if order.features.read_only {
        let writable = files::OwnFolders::of(order, &order.folder).writable(order);
        namespaces::make_read_only(&writable)
            .map_err(StepError::at("the mounts cannot be made read-only"))?;
    }
    let child = start_child(order.clone(), program)?;
    supervisor::release_streams().map_err(StepError::at("the streams cannot be released"))?;
    release_error_output().map_err(StepError::at("the error output cannot be released"))?;
    Ok(wait(child))
}

/// Makes the network of the child, and hands its sockets over to the supervisor.
fn connect_network(order: &SandboxOrder) -> io::Result<()> {
    let HostAccess::Only(hosts) = &order.policy.hosts else { return Ok(()) };
    let sockets = network_sockets(hosts)?;
    namespaces::mount_resolver(&order.folder.join(RESOLVER_FILE))?;
    let supervisor = UnixStream::connect(order.folder.join(HANDOVER))?;
    let listeners = sockets.1.iter().map(AsFd::as_fd);
    let sockets: Vec<BorrowedFd<'_>> = std::iter::once(sockets.0.as_fd()).chain(listeners).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("the policy names too many ports"));
    }
    sendmsg(&supervisor, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    std::fs::remove_file(order.folder.join(HANDOVER))
}

/// Enters a network namespace with a loopback device. Returns its resolver, and a listener for each port of the hosts.
pub(super) fn network_sockets(hosts: &[HostPattern]) -> io::Result<(UdpSocket, Vec<TcpListener>)> {
    namespaces::enter_network_namespace()?;
    let netlink = NetlinkSocket::open()?;
    netlink.loopback_up()?;
    for address in hosts.iter().filter_map(HostPattern::address) {
        match address {
            IpAddr::V4(address) if !address.is_loopback() => netlink.add_address(address)?,
            IpAddr::V4(_) => {}
            IpAddr::V6(_) => super::report(&format_args!("{address} is not reached: it is an IPv6 address")),
        }
    }
    let mut ports: Vec<u16> = hosts.iter().flat_map(HostPattern::ports).collect();
    ports.sort_unstable();
    ports.dedup();
    let listeners = ports.into_iter().map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
    Ok((UdpSocket::bind((names::RESOLVER, 53))?, listeners.collect::<io::Result<_>>()?))
}

fn start_child(order: SandboxOrder, program: ProgramLine) -> Result<Pid, StepError> {
    let run = move || confine::start(&order, &program, &order.folder).map(|child| child.id());
    let thread = thread::Builder::new()
        .spawn(run)
        .map_err(StepError::at("the thread of the child cannot be started"))?;
    let ended = || StepError { step: "the thread of the child ended", source: io::ErrorKind::Other.into() };
    let id = thread.join().map_err(|_| ended())??;
    Pid::from_raw(id.cast_signed()).ok_or_else(ended)
}

fn release_error_output() -> io::Result<()> {
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

/// Collects processes that have ended, until the child is one of them.
fn wait(child: Pid) -> ExitCode {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => {
                let signal = || status.terminating_signal().map(|signal| 128 + signal);
                let code = status.exit_status().or_else(signal);
                return ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}
