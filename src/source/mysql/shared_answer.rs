//! One answer for all who asked the same question of a server at the same time.
//!
//! A thousand streams that begin together ask for schemas and positions together. Each wants to know
//! what holds now, so that whoever asked before a question was sent may have its answer, and nobody
//! else: at most one question is under way and one more is waited for.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::source::{ConnectError, SourceError};

/// A question's last answer, and which of the questions it answers.
#[derive(Debug)]
pub struct SharedAnswer<T> {
    /// How many questions were sent.
    sent: AtomicU64,
    last: Mutex<(u64, Option<Result<T, ConnectError>>)>,
}

impl<T> Default for SharedAnswer<T> {
    fn default() -> Self {
        Self { sent: AtomicU64::new(0), last: Mutex::new((0, None)) }
    }
}

impl<T: Clone> SharedAnswer<T> {
    /// The answer to a question that was sent after this was called: somebody else's, or `ask`'s.
    /// Cancel-safe.
    pub async fn get(
        &self,
        ask: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let before = self.sent.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        if let (number, Some(answer)) = &*last
            && *number > before
        {
            return answer.clone().map_err(SourceError::from);
        }
        let number = self.sent.fetch_add(1, Ordering::AcqRel) + 1;
        // Nobody keeps what was answered long ago.
        *last = (number, None);
        match ask.await {
            Ok(answer) => {
                last.1 = Some(Ok(answer.clone()));
                Ok(answer)
            }
            // A server that does not answer is waited for once, not by each in turn.
            Err(SourceError::Connect(error)) => {
                last.1 = Some(Err(error.clone()));
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_asks_together_is_answered_together() {
        let answers = Arc::new(SharedAnswer::default());
        let asked = Arc::new(AtomicU64::new(0));
        let ask = |fails: bool| {
            let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
            async move {
                let ask = async {
                    let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    let refused = ConnectError::Refused { address: "h:1".to_owned() };
                    if fails { Err(refused.into()) } else { Ok(number) }
                };
                answers.get(ask).await.map_err(|error: SourceError| error.to_string())
            }
        };
        let first = crate::telemetry::spawn("first", ask(false));
        tokio::time::sleep(Duration::from_secs(1)).await;
        // These came after the first question was sent.
        let rest: Vec<_> = (0..9).map(|_| crate::telemetry::spawn("rest", ask(false))).collect();
        assert_eq!(first.await.unwrap(), Ok(1));
        for rest in rest {
            assert_eq!(rest.await.unwrap(), Ok(2));
        }
        assert_eq!(ask(false).await, Ok(3), "an old answer is nobody's");
        let failing: Vec<_> = (0..9).map(|_| crate::telemetry::spawn("rest", ask(true))).collect();
        for failing in failing {
            assert_eq!(failing.await.unwrap(), Err("nothing listens at h:1".to_owned()));
        }
        assert!(asked.load(Ordering::Relaxed) <= 5, "{asked:?}");
    }
}
