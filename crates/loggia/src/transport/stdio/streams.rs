//! The standard streams in the form that the runtime can wait for. If they are pipes or sockets, as with every client
//! that starts a server, the operating system reports when they are ready, without a thread. Otherwise (a terminal, a
//! file, Windows) a thread reads standard input. Unlike the thread of the runtime, it does not delay the end of the
//! process.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// Both streams.
pub(super) struct StandardStreams {
    pub(super) input: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) output: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Takes the process's standard input and output.
pub(super) fn open() -> io::Result<StandardStreams> {
    #[cfg(unix)]
    let (input, output) = (unix::input(), unix::output());
    #[cfg(not(unix))]
    let (input, output) = (None, None);
    Ok(StandardStreams {
        input: match input {
            Some(input) => input,
            None => Box::new(ThreadInput::start()?),
        },
        output: output.unwrap_or_else(|| Box::new(tokio::io::stdout())),
    })
}

/// Standard input, read by a thread that ends with the process.
struct ThreadInput {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl ThreadInput {
    fn start() -> io::Result<ThreadInput> {
        let (sender, chunks) = mpsc::channel(2);
        std::thread::Builder::new().name("stdin".to_owned()).spawn(move || read_all(&sender))?;
        Ok(ThreadInput { chunks, rest: Bytes::new() })
    }
}

fn read_all(chunks: &mpsc::Sender<io::Result<Bytes>>) {
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let chunk = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => Ok(Bytes::copy_from_slice(&buffer[..n])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

impl AsyncRead for ThreadInput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(chunk) => self.rest = chunk?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.rest.len().min(out.remaining());
        out.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        Poll::Ready(Ok(()))
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{File, Metadata};
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::UnixStream;
    use tokio::net::unix::pipe;

    /// Returns standard input, if it is a pipe or a socket.
    pub(super) fn input() -> Option<Box<dyn AsyncRead + Send + Unpin>> {
        let (fd, kind) = duplicate(io::stdin().as_fd())?;
        let blocking = BlockingRestore(fd.try_clone().ok()?.into());
        if kind.file_type().is_fifo() {
            let stream = pipe::Receiver::from_owned_fd(fd).ok()?;
            Some(Box::new(SharedStream { stream, _blocking: blocking }))
        } else {
            let stream = socket(fd, &kind)?;
            Some(Box::new(SharedStream { stream, _blocking: blocking }))
        }
    }

    /// Returns standard output, if it is a pipe or a socket of its own. If it is shared with standard error, it is
    /// left in blocking mode, because log lines written to it must not fail.
    pub(super) fn output() -> Option<Box<dyn AsyncWrite + Send + Unpin>> {
        let (fd, kind) = duplicate(io::stdout().as_fd())?;
        let shared = duplicate(io::stderr().as_fd())
            .is_some_and(|(_, errors)| (errors.dev(), errors.ino()) == (kind.dev(), kind.ino()));
        if shared {
            return None;
        }
        let blocking = BlockingRestore(fd.try_clone().ok()?.into());
        if kind.file_type().is_fifo() {
            let stream = pipe::Sender::from_owned_fd(fd).ok()?;
            Some(Box::new(SharedStream { stream, _blocking: blocking }))
        } else {
            let stream = socket(fd, &kind)?;
            Some(Box::new(SharedStream { stream, _blocking: blocking }))
        }
    }

    fn duplicate(fd: std::os::fd::BorrowedFd<'_>) -> Option<(OwnedFd, Metadata)> {
        let file = File::from(fd.try_clone_to_owned().ok()?);
        let kind = file.metadata().ok()?;
        Some((file.into(), kind))
    }

    fn socket(fd: OwnedFd, kind: &Metadata) -> Option<UnixStream> {
        if !kind.file_type().is_socket() {
            return None;
        }
        let socket = std::os::unix::net::UnixStream::from(fd);
        // This fails for a socket of another family.
        socket.local_addr().ok()?;
        socket.set_nonblocking(true).ok()?;
        UnixStream::from_std(socket).ok()
    }

    /// A stream that is set to blocking again when it is dropped, because other programs that share it expect that.
    struct SharedStream<S> {
        stream: S,
        _blocking: BlockingRestore,
    }

    /// The stream as a socket: the mode is set alike for all kinds of streams.
    struct BlockingRestore(std::os::unix::net::UnixStream);

    impl Drop for BlockingRestore {
        fn drop(&mut self) {
            // A failure cannot be reported here.
            let _ = self.0.set_nonblocking(false);
        }
    }

    impl<S: AsyncRead + Unpin> AsyncRead for SharedStream<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(cx, out)
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for SharedStream<S> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}
