//! The process that holds a port, for the error of an address in use. Best effort: each operating system reports it
//! differently, and only Linux reports it in files.

/// Returns the process that listens on `port`, as a person would name it.
#[cfg(target_os = "linux")]
pub(crate) fn holder(port: u16) -> Option<String> {
    linux::holder(port)
}

/// Returns the process that listens on `port`, as a person would name it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_: u16) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::Path;

    /// The code of a listening socket in `/proc/net/tcp`.
    const LISTENS: &str = "0A";

    pub(super) fn holder(port: u16) -> Option<String> {
        let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
            fs::read_to_string(table).ok().and_then(|table| listening_inode(&table, port))
        })?;
        let socket = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut numbered = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pid = numbered.find(|pid| holds(*pid, &socket))?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some(format!("`{}` (process {pid})", name.trim()))
    }

    /// Returns the inode of the socket that listens on `port`: columns 2 (address), 4 (state) and 10 (inode).
    pub(super) fn listening_inode(table: &str, port: u16) -> Option<String> {
        table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let local = columns.get(1)?.rsplit_once(':')?.1;
            let found = u16::from_str_radix(local, 16).ok()? == port && *columns.get(3)? == LISTENS;
            found.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
        })
    }

    fn holds(pid: u32, socket: &str) -> bool {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == Path::new(socket)))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x\n   \
                     1: 0100007F:0FA1 0100007F:1000 01 00000000:00000000 00:00000000 00000000  1000        0 4343 1 x\n";
        assert_eq!(linux::listening_inode(table, 4000).as_deref(), Some("4242"));
        assert_eq!(linux::listening_inode(table, 4001), None, "connected, not listening");
        assert_eq!(linux::listening_inode("", 1), None);
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let pid = std::process::id().to_string();
        assert!(holder(port).is_some_and(|who| who.contains(&pid)));
    }
}
