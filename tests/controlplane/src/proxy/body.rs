//! Bodies of answers: whole, half, and such as can be interrupted.

use std::io;

use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use tokio::sync::broadcast::{self, error::RecvError};

/// What a client is given.
pub(super) type Answer = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// What can happen to answers that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// Their connections end.
    Cut,
    /// A watch says that its resourceVersion is too old, and ends.
    Expired,
}

const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

pub(super) fn whole(text: String) -> Answer {
    answer(stream::iter([Ok(Bytes::from(text))]))
}

/// The first half, and then the end of the connection.
pub(super) fn half(whole: &Bytes) -> Answer {
    let first = whole.slice(..whole.len() / 2);
    answer(stream::iter([Ok(first), Err(cut())]))
}

/// What the API server says, until it is interrupted.
pub(super) fn uninterrupted(body: Body, is_watch: bool, interruptions: broadcast::Receiver<Interruption>) -> Answer {
    let data = body.into_data_stream();
    answer(stream::unfold(Some((data, interruptions)), move |state| async move {
        let (mut data, mut interruptions) = state?;
        tokio::select! {
            chunk = data.next() => {
                let chunk = chunk?.map_err(io::Error::other);
                Some((chunk, Some((data, interruptions))))
            }
            interruption = interrupted(&mut interruptions, is_watch) => match interruption {
                Interruption::Cut => Some((Err(cut()), None)),
                Interruption::Expired => Some((Ok(Bytes::from_static(EXPIRED.as_bytes())), None)),
            },
        }
    }))
}

/// Waits for an interruption that concerns such an answer.
async fn interrupted(interruptions: &mut broadcast::Receiver<Interruption>, is_watch: bool) -> Interruption {
    loop {
        match interruptions.recv().await {
            Ok(interruption) if is_watch || interruption == Interruption::Cut => return interruption,
            // The proxy is ending.
            Err(RecvError::Closed) => return Interruption::Cut,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
        }
    }
}

fn answer(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Answer {
    StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data)).boxed())
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a test")
}
