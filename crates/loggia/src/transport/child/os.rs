//! The operating system calls that start and stop a child. Unix has process groups and signals. Elsewhere only the
//! child itself can be ended, and only by force.

#[cfg(not(unix))]
pub(super) use portable::{SingleProcess as ProcessGroup, *};
#[cfg(unix)]
pub(super) use unix::*;

#[cfg(unix)]
mod unix {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::ExitStatus;

    use rustix::fs::{Access, AtFlags, CWD};
    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    use tokio::process::{Child, Command};

    /// The variables of the program's environment that a child gets.
    pub(in super::super) const INHERITED: &[&str] =
        &["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

    /// Returns the program to start.
    pub(in super::super) fn program(name: &OsStr) -> OsString {
        name.to_owned()
    }

    /// Checks that `program` can be executed, with the same search as `execvp`. A guard is started instead of the
    /// program, so a successful start does not show that the program exists.
    pub(in super::super) fn check_program(
        program: &OsStr,
        directory: Option<&Path>,
        path: Option<&OsStr>,
    ) -> std::io::Result<()> {
        let directory = directory.unwrap_or(Path::new(""));
        if program.as_bytes().contains(&b'/') {
            return check_executable(&directory.join(program));
        }
        let mut refused = std::io::Error::from(Errno::NOENT);
        for folder in std::env::split_paths(path.unwrap_or(OsStr::new("/bin:/usr/bin"))) {
            match check_executable(&directory.join(folder).join(program)) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }

    fn check_executable(file: &Path) -> std::io::Result<()> {
        let metadata = std::fs::metadata(file)?;
        let may = rustix::fs::accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_ok();
        match metadata.is_file() && may {
            true => Ok(()),
            false => Err(Errno::ACCESS.into()),
        }
    }

    /// Returns the kind of an error of starting a program. A file that is not a program has no kind in the standard
    /// library.
    pub(in super::super) fn kind_of_spawn_error(error: &std::io::Error) -> std::io::ErrorKind {
        if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) {
            return std::io::ErrorKind::InvalidInput;
        }
        error.kind()
    }

    /// Gives the child a process group of its own, so that a Ctrl-C at the terminal reaches only this program.
    pub(in super::super) fn prepare(command: &mut Command) {
        command.process_group(0);
    }

    /// Ends a child and the processes that it started with signals, which are sent to its process group, or to its
    /// guard, which passes them on.
    pub(in super::super) struct ProcessGroup {
        leader: Option<Pid>,
        guarded: bool,
    }

    impl ProcessGroup {
        pub(in super::super) fn of(child: &Child, guarded: bool) -> ProcessGroup {
            // The child leads its group, so the numbers are equal.
            ProcessGroup { leader: child.id().and_then(|id| Pid::from_raw(id.cast_signed())), guarded }
        }

        pub(in super::super) fn terminate(&self, _: &mut Child) {
            self.signal(Signal::TERM, Signal::TERM);
        }

        pub(in super::super) fn kill(&self, _: &mut Child) {
            // SIGKILL would end only the guard.
            self.signal(Signal::KILL, Signal::QUIT);
        }

        fn signal(&self, group: Signal, guard: Signal) {
            // Both fail only if the process has ended.
            let _ = match self.leader {
                Some(leader) if self.guarded => kill_process(leader, guard),
                Some(leader) => kill_process_group(leader, group),
                None => Ok(()),
            };
        }
    }

    /// Returns the exit status of a guarded child. Its guard reports a signal as 128 plus the number of the signal,
    /// like shells.
    pub(in super::super) fn guarded_status(guard: ExitStatus) -> ExitStatus {
        match guard.code() {
            Some(code @ 129..=192) => ExitStatus::from_raw(code - 128),
            _ => guard,
        }
    }
}

#[cfg(not(unix))]
mod portable {
    use std::ffi::{OsStr, OsString};
    use std::path::{Path, PathBuf};
    use std::process::ExitStatus;

    use tokio::process::{Child, Command};

    /// The variables of the program's environment that a child gets.
    pub(in super::super) const INHERITED: &[&str] = &[
        "APPDATA",
        "COMSPEC",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
    ];

    /// Checks nothing: without a guard, the start of the program fails.
    pub(in super::super) fn check_program(
        _: &OsStr,
        _: Option<&Path>,
        _: Option<&OsStr>,
    ) -> std::io::Result<()> {
        Ok(())
    }

    /// Returns the program to start. Windows finds `npx.cmd` under the name `npx` only in a shell, so this searches
    /// for it.
    pub(in super::super) fn program(name: &OsStr) -> OsString {
        let bare = Path::new(name).components().count() == 1 && Path::new(name).extension().is_none();
        let found = bare.then(|| find(name, &std::env::var_os("PATH")?, &std::env::var_os("PATHEXT")?));
        found.flatten().map_or_else(|| name.to_owned(), PathBuf::into_os_string)
    }

    fn find(name: &OsStr, path: &OsStr, extensions: &OsStr) -> Option<PathBuf> {
        let extensions = extensions.to_string_lossy().into_owned();
        std::env::split_paths(path)
            .flat_map(|folder| {
                let file = folder.join(name);
                extensions
                    .split(';')
                    .map(move |e| file.with_extension(e.trim_start_matches('.')))
                    .collect::<Vec<_>>()
            })
            .find(|candidate| candidate.is_file())
    }

    /// Returns the kind of an error of starting a program.
    pub(in super::super) fn kind_of_spawn_error(error: &std::io::Error) -> std::io::ErrorKind {
        error.kind()
    }

    /// Prevents a console window, and a Ctrl-C at this program's console that reaches the child.
    pub(in super::super) fn prepare(command: &mut Command) {
        #[cfg(windows)]
        {
            const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
        }
        let _ = command;
    }

    /// Returns the exit status of a guarded child. This system has no guards.
    pub(in super::super) fn guarded_status(guard: ExitStatus) -> ExitStatus {
        guard
    }

    /// The child.
    pub(in super::super) struct SingleProcess;

    impl SingleProcess {
        pub(in super::super) fn of(_: &Child, _: bool) -> SingleProcess {
            SingleProcess
        }

        /// Kills the child. Closing its input was the request to end.
        pub(in super::super) fn terminate(&self, child: &mut Child) {
            self.kill(child);
        }

        pub(in super::super) fn kill(&self, child: &mut Child) {
            // This fails only if the child has ended.
            let _ = child.start_kill();
        }
    }
}
