//! Configures the loopback device of a network namespace with rtnetlink messages (rtnetlink(7)): two messages, which
//! need no library.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// The index of the loopback device in a new namespace.
const LOOPBACK: u32 = 1;
/// Types and flags of messages (`linux/rtnetlink.h`, `linux/netlink.h`, `linux/if.h`).
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLM_F_CREATE_REPLACE: u16 = 0x400 | 0x100;
const IFF_UP: u32 = 1;
const AF_INET: u8 = 2;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// A connection to the kernel's network configuration.
pub(super) struct NetlinkSocket(OwnedFd);

impl NetlinkSocket {
    /// Opens a connection for the namespace of this process.
    pub(super) fn open() -> io::Result<NetlinkSocket> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(NetlinkSocket(socket))
    }

    /// Turns the loopback device on.
    pub(super) fn loopback_up(&self) -> io::Result<()> {
        // struct ifinfomsg: family, padding, type, index, flags, mask of the flags.
        let mut body = vec![0, 0, 0, 0];
        for word in [LOOPBACK, IFF_UP, IFF_UP] {
            body.extend(word.to_ne_bytes());
        }
        self.request(RTM_NEWLINK, NLM_F_REQUEST_ACK, &body)
    }

    /// Adds an address to the loopback device.
    pub(super) fn add_address(&self, address: Ipv4Addr) -> io::Result<()> {
        // struct ifaddrmsg: family, length of the prefix, flags, scope (host), index; then two attributes.
        let mut body = vec![AF_INET, 32, 0, 254];
        body.extend(LOOPBACK.to_ne_bytes());
        for attribute in [IFA_LOCAL, IFA_ADDRESS] {
            body.extend(8_u16.to_ne_bytes());
            body.extend(attribute.to_ne_bytes());
            body.extend(address.octets());
        }
        self.request(RTM_NEWADDR, NLM_F_REQUEST_ACK | NLM_F_CREATE_REPLACE, &body)
    }

    fn request(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        const HEADER: usize = 16;
        let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        send(&self.0, &message, SendFlags::empty())?;
        let mut reply = [0_u8; 512];
        let (read, _) = recv(&self.0, &mut reply, RecvFlags::empty())?;
        acknowledged(&reply[..read])
    }
}

/// Reads an acknowledgement: a header, and a negative error number or 0.
fn acknowledged(reply: &[u8]) -> io::Result<()> {
    let kind = reply.get(4..6).and_then(|bytes| Some(u16::from_ne_bytes(bytes.try_into().ok()?)));
    let error = reply.get(16..20).and_then(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)));
    match (kind, error) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(error)) => Err(io::Error::from_raw_os_error(-error)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
