//! Confines a child process: its files, system calls, processes, memory and network, and reports which parts this
//! system cannot enforce.
//!
//! A program that starts servers of other authors gives them only what they need. The confinement happens in a
//! process between the program and the child, because a process can restrict only itself without `unsafe`:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use loggia_sandbox::{Sandbox, SandboxMode, SandboxPolicy};
//!
//! fn main() -> ExitCode {
//!     let sandbox = Sandbox::current_program(["sandbox-exec"]);
//!     let mut args = std::env::args_os().skip(1);
//!     if args.next().is_some_and(|first| first == "sandbox-exec") {
//!         // Before threads, a runtime or anything else is started.
//!         return sandbox.run(args);
//!     }
//!     let policy = SandboxPolicy { read: vec!["/srv/notes".into()], ..SandboxPolicy::default() };
//!     let launcher = sandbox.launcher(&policy, SandboxMode::On).expect("it is not required");
//!     // …start `launcher.program` with `launcher.args`, the server and its arguments.
//!     println!("{}", sandbox.enforcement());
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! **Invariant:** a part that [`Enforcement`] calls enforced is in force when the child starts, or the child does not
//! start.

mod enforcement;
mod host;
#[cfg(target_os = "linux")]
mod linux;
mod policy;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
use portable as system;
mod sandbox;
#[cfg(target_os = "linux")]
use linux as system;

pub use enforcement::{Enforcement, PartState, SandboxPart};
pub use host::{HostPattern, HostPatternError};
pub use policy::{HostAccess, SandboxMode, SandboxPolicy};
pub use sandbox::{Sandbox, SandboxError, SandboxLauncher};
