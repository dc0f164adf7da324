//! An end to connections whose client does not take what is sent to it.
//!
//! While a write waits for the client, nothing asks the body of the answer for more, so it notices neither that the
//! service stops nor that its time is over. Only the connection can.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// How long a client may take nothing of what is sent to it.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);
/// The same once the service stops.
const STOP_STALL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long after the service began to stop a client may still take what is sent to it.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

type Deadline = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection whose writes fail where they make no progress.
pub(crate) struct WriteDeadline<S> {
    stream: S,
    stop: CancellationToken,
    /// Begins with the first write that waits after one that made progress.
    stall: Option<Deadline>,
    /// Begins with the first write that waits, and then goes on.
    stopped: Option<Deadline>,
}

impl<S> WriteDeadline<S> {
    /// The same connection; `stop` says when the service begins to stop.
    pub(crate) fn new(stream: S, stop: CancellationToken) -> Self {
        Self { stream, stop, stall: None, stopped: None }
    }

    fn check(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let Self { stop, stall, stopped, .. } = self;
        let stall = stall.get_or_insert_with(|| {
            let stop = stop.clone();
            Box::pin(async move {
                tokio::select! {
                    () = sleep(STALL_TIMEOUT) => {}
                    () = after(stop, STOP_STALL_TIMEOUT) => {}
                }
            })
        });
        let stopped = stopped.get_or_insert_with(|| Box::pin(after(stop.clone(), STOP_TIMEOUT)));
        if stall.as_mut().poll(context).is_ready() || stopped.as_mut().poll(context).is_ready() {
            let message = "the client does not take what is sent to it";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)));
        }
        Poll::Pending
    }
}

/// Waits until some time after the service began to stop.
async fn after(stop: CancellationToken, timeout: Duration) {
    stop.cancelled().await;
    sleep(timeout).await;
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.check(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.check(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::JoinHandle,
        time::Instant,
    };

    use super::*;

    /// A client, and a write to it that does not fit the buffer between.
    fn writing(stop: &CancellationToken) -> (DuplexStream, JoinHandle<(io::Result<()>, Duration)>) {
        let (client, server) = duplex(1024);
        let mut server = WriteDeadline::new(server, stop.clone());
        let begin = Instant::now();
        let write = tokio::spawn(async move {
            let written = server.write_all(&vec![0; 1024 * 1024]).await;
            (written, begin.elapsed())
        });
        (client, write)
    }

    async fn timed_out_after(write: JoinHandle<(io::Result<()>, Duration)>) -> u64 {
        let (written, elapsed) = write.await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        elapsed.as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_for_a_minute_is_given_up() {
        let (_client, write) = writing(&CancellationToken::new());
        assert_eq!(timed_out_after(write).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let (mut client, write) = writing(&CancellationToken::new());
        for _ in 0..1024 {
            sleep(Duration::from_secs(59)).await;
            client.read_exact(&mut [0; 1024]).await.unwrap();
        }
        let (written, elapsed) = write.await.unwrap();
        written.unwrap();
        assert!(elapsed.as_secs() >= 1023 * 59, "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_gives_up_a_client_that_takes_nothing_and_lets_another_finish() {
        let stop = CancellationToken::new();
        let (_stalled, stalled_write) = writing(&stop);
        let (mut client, write) = writing(&stop);
        let (mut slow, slow_write) = writing(&stop);
        sleep(Duration::from_secs(30)).await;
        stop.cancel();
        let read = tokio::spawn(async move {
            let mut read = vec![0; 1024 * 1024];
            client.read_exact(&mut read).await.unwrap();
        });
        let trickle = tokio::spawn(async move {
            while slow.read(&mut [0; 1024]).await.unwrap() > 0 {
                sleep(Duration::from_millis(500)).await;
            }
        });
        assert_eq!(timed_out_after(stalled_write).await, 31);
        write.await.unwrap().0.unwrap();
        read.await.unwrap();
        assert_eq!(timed_out_after(slow_write).await, 40);
        trickle.await.unwrap();
    }
}
