//! Restricts the system calls of the calling thread, with seccomp. It closes what files and namespaces do not: the
//! calls that trace processes, change the system, or have had many weaknesses, and Unix sockets of other programs.
//!
//! Everything else is permitted: a list of the calls that servers of others need would break with each new library.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Calls that fail with `EPERM`.
const REFUSED: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Keys of the user.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];
/// Calls of some architectures that fail with `EPERM`.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[libc::SYS_kexec_file_load];
/// Calls that fail with `ENOSYS`, so that programs use the older ones: the filter cannot read the flags of `clone3`,
/// and `io_uring` makes calls that no filter sees.
const UNKNOWN: &[i64] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
/// The bit of calls of the x32 ABI, and its own numbers of the calls above: ptrace, kexec_load, process_vm_readv,
/// process_vm_writev (`arch/x86/entry/syscalls/syscall_64.tbl`).
const X32: i64 = 0x4000_0000;
const X32_NUMBERS: &[i64] = &[521, 528, 539, 540];
/// The flags of `clone` that make a namespace (`CLONE_NEW…`).
const NAMESPACE_FLAGS: [u64; 7] = [
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWCGROUP as u64,
];
/// The kinds of sockets that a program may make. Netlink is needed to look up addresses.
const SOCKETS: [u64; 3] = [libc::AF_INET as u64, libc::AF_INET6 as u64, libc::AF_NETLINK as u64];
/// Requests that type into the terminal of the user: `TIOCSTI` and `TIOCLINUX` (`asm-generic/ioctls.h`). Their type in
/// `libc` depends on the C library.
const TERMINAL_REQUESTS: [u64; 2] = [0x5412, 0x541c];

/// Restricts the calling thread.
pub(super) fn restrict() -> io::Result<()> {
    for filter in [refusals(), unknown_calls()] {
        let filter = filter.and_then(BpfProgram::try_from).map_err(io::Error::other)?;
        apply_filter(&filter).map_err(io::Error::other)?;
    }
    Ok(())
}

type FilterResult = Result<SeccompFilter, seccompiler::BackendError>;

fn refusals() -> FilterResult {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED.iter().chain(REFUSED_HERE) {
        rules.insert(*call, Vec::new());
        rules.insert(*call | X32, Vec::new());
    }
    rules.extend(X32_NUMBERS.iter().map(|call| (*call | X32, Vec::new())));
    let clone = NAMESPACE_FLAGS.iter().map(|flag| argument(0, SeccompCmpOp::MaskedEq(*flag), *flag));
    let clone: Vec<SeccompRule> = clone.map(|one| SeccompRule::new(vec![one?])).collect::<Result<_, _>>()?;
    let families = SOCKETS.iter().map(|family| argument(0, SeccompCmpOp::Ne, *family));
    let socket = vec![SeccompRule::new(families.collect::<Result<_, _>>()?)?];
    let requests = TERMINAL_REQUESTS.iter().map(|request| argument(1, SeccompCmpOp::Eq, *request));
    let ioctl: Vec<SeccompRule> =
        requests.map(|one| SeccompRule::new(vec![one?])).collect::<Result<_, _>>()?;
    for (call, rule) in [(libc::SYS_clone, clone), (libc::SYS_socket, socket), (libc::SYS_ioctl, ioctl)] {
        rules.insert(call | X32, rule.clone());
        rules.insert(call, rule);
    }
    filter(rules, libc::EPERM)
}

fn unknown_calls() -> FilterResult {
    let calls = UNKNOWN.iter().flat_map(|call| [*call, *call | X32]);
    filter(calls.map(|call| (call, Vec::new())).collect(), libc::ENOSYS)
}

fn argument(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> FilterResult {
    let refused = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, TargetArch::try_from(ARCH)?)
}
