//! One request, until it is answered: what an answer means, when to try again, when to give up.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::{Bucket, other, unavailable};
use crate::storage::Error;

/// The most requests under way at once, of all calls together.
const AT_ONCE: usize = 64;

/// The most attempts of one request, whatever time is left.
const ATTEMPTS: u32 = 12;

/// One call of the store: all its requests end by this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) until: Instant,
}

impl Call {
    pub(super) fn within(time: Duration) -> Self {
        Self { until: Instant::now() + time }
    }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Delete,
    List,
    Bucket,
}

/// Requests sent since the store was opened, attempts counted one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// GetObject and HeadObject.
    pub reads: u64,
    /// PutObject.
    pub writes: u64,
    /// DeleteObject and DeleteObjects.
    pub deletes: u64,
    /// ListObjectsV2.
    pub lists: u64,
    /// About the bucket itself.
    pub bucket: u64,
    /// Those among them that were second and later attempts.
    pub retries: u64,
    /// Those among them that were answered by a request to slow down.
    pub throttled: u64,
}

#[derive(Debug)]
pub(super) struct Meter {
    sent: [AtomicU64; 5],
    retries: AtomicU64,
    throttled: AtomicU64,
    places: Semaphore,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            sent: Default::default(),
            retries: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            places: Semaphore::new(AT_ONCE),
        }
    }

    pub(super) fn requests(&self) -> Requests {
        let sent = |kind: Kind| self.sent[kind as usize].load(Ordering::Relaxed);
        Requests {
            reads: sent(Kind::Read),
            writes: sent(Kind::Write),
            deletes: sent(Kind::Delete),
            lists: sent(Kind::List),
            bucket: sent(Kind::Bucket),
            retries: self.retries.load(Ordering::Relaxed),
            throttled: self.throttled.load(Ordering::Relaxed),
        }
    }
}

/// Why an attempt did not do what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The condition did not hold.
    Refused,
    /// There is no such object.
    Missing,
    /// There is no such bucket.
    NoBucket(String),
    /// The server does not know this kind of request.
    Unsupported(String),
    /// The answer came whole and makes no sense.
    Unreadable(String),
    /// May go better next time.
    Passing {
        /// The server asked to slow down.
        throttled: bool,
        /// It may have happened all the same.
        unsure: bool,
        cause: String,
    },
    /// Will not go better by trying again now, but may later.
    Down(String),
    /// Will not go better by itself.
    Lasting(String),
}

/// How a request ended that did not do what was asked.
#[derive(Debug)]
pub(super) enum Ended {
    /// The condition did not hold, or there is no such object.
    Answered {
        /// There is no such object.
        missing: bool,
        /// Why an earlier attempt may have happened all the same, so that this may be its own doing.
        unsure: Option<String>,
    },
    NoBucket(String),
    Unsupported(String),
    Unreadable(String),
    Failed(Error),
}

impl Ended {
    /// For requests of which the others make no sense.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::NoBucket(cause) | Self::Unsupported(cause) | Self::Unreadable(cause) => {
                other(cause)
            }
            Self::Answered { missing, .. } => other(format!(
                "S3 answered that {} to a request without a condition",
                if missing { "there is no such object" } else { "a condition did not hold" }
            )),
        }
    }
}

impl Bucket {
    /// Sends a request until it is answered or the call's time is over. `bytes` is what it carries.
    pub(super) async fn send<T, F>(
        &self,
        call: &Call,
        kind: Kind,
        bytes: usize,
        mut attempt: impl FnMut() -> F + Send,
    ) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let patience = self.attempt_timeout + Duration::from_secs(bytes as u64 >> 20);
        let mut unsure = None;
        let mut tries = 0;
        loop {
            let left = call.until.saturating_duration_since(Instant::now());
            let fault = {
                let Ok(_place) = self.meter.places.acquire().await else {
                    return Err(Ended::Failed(unavailable("the store is closed")));
                };
                self.meter.sent[kind as usize].fetch_add(1, Ordering::Relaxed);
                if tries > 0 {
                    self.meter.retries.fetch_add(1, Ordering::Relaxed);
                }
                match timeout(patience.min(left), attempt()).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(fault)) => fault,
                    Err(_) => Fault::Passing {
                        throttled: false,
                        unsure: true,
                        cause: "S3 did not answer in time".to_owned(),
                    },
                }
            };
            let (throttled, cause) = match fault {
                Fault::Refused => return Err(Ended::Answered { missing: false, unsure }),
                Fault::Missing => return Err(Ended::Answered { missing: true, unsure }),
                Fault::NoBucket(cause) => return Err(Ended::NoBucket(cause)),
                Fault::Unsupported(cause) => return Err(Ended::Unsupported(cause)),
                Fault::Unreadable(cause) => return Err(Ended::Unreadable(cause)),
                Fault::Down(cause) => return Err(Ended::Failed(unavailable(cause))),
                Fault::Lasting(cause) => return Err(Ended::Failed(other(cause))),
                Fault::Passing { throttled, unsure: this, cause } => {
                    if this {
                        unsure = Some(cause.clone());
                    }
                    (throttled, cause)
                }
            };
            if throttled {
                self.meter.throttled.fetch_add(1, Ordering::Relaxed);
            }
            let pause = pause(tries, throttled);
            tries += 1;
            if tries == ATTEMPTS || Instant::now() + pause >= call.until {
                let cause = format!("{cause} (given up after {tries} attempts)");
                return Err(Ended::Failed(unavailable(cause)));
            }
            tracing::warn!(store = "s3", throttled, tries, cause, "request is tried again");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Between half and all of a time that doubles: 50 ms to 2 s, and four times as long where S3 asked to
/// slow down.
fn pause(tries: u32, throttled: bool) -> Duration {
    let factor = if throttled { 4 } else { 1 };
    let longest = Duration::from_millis(50) * (1 << tries.min(5)) * factor;
    longest.mul_f64(0.5 + (random() >> 11) as f64 / (1_u64 << 54) as f64)
}

/// Any number. The standard library's seeds are enough for spreading requests and for marks.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What an error of the client means.
pub(super) fn fault<E>(error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let passing = |unsure, cause| Fault::Passing { throttled: false, unsure, cause };
    match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            judge(status, answer.err().code().unwrap_or_default(), answer.err().message())
        }
        // An answer that is none: cut off, or of something between us and S3.
        SdkError::ResponseError(answer) => match answer.raw().status().as_u16() {
            status @ 400..=499 => judge(status, "", None),
            _ => passing(true, words(&error)),
        },
        SdkError::TimeoutError(_) => passing(true, words(&error)),
        SdkError::DispatchFailure(failure) => {
            // What the client calls the user's doing: the runtime that carried the connection has ended.
            if failure.is_io()
                || failure.is_timeout()
                || failure.is_user()
                || failure.as_other().is_some()
            {
                passing(true, words(&error))
            } else {
                // Such as credentials that cannot be had at the moment.
                Fault::Down(words(&error))
            }
        }
        _ => Fault::Lasting(words(&error)),
    }
}

/// What an answer means. Also for the keys of DeleteObjects, which have codes without a status.
pub(super) fn judge(status: u16, code: &str, message: Option<&str>) -> Fault {
    let cause = || format!("S3 answered {status} {code} {}", message.unwrap_or_default());
    let passing =
        |throttled, unsure| Fault::Passing { throttled, unsure, cause: cause().trim().to_owned() };
    match (status, code) {
        (_, "PreconditionFailed") | (412, _) => Fault::Refused,
        (_, "NoSuchBucket") => Fault::NoBucket(cause()),
        // HEAD has no body and so no code.
        (_, "NoSuchKey") | (404, "" | "NotFound") => Fault::Missing,
        (
            _,
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequests",
        )
        | (429, _) => passing(true, false),
        (_, "ConditionalRequestConflict" | "OperationAborted") | (409, "") => passing(false, false),
        (503, _) => passing(true, true),
        (501, _) | (_, "NotImplemented") => Fault::Unsupported(cause()),
        (_, "RequestTimeout" | "InternalError" | "ServiceUnavailable")
        | (200..=299 | 408 | 500..=599, _) => passing(false, true),
        (_, "ExpiredToken" | "TokenRefreshRequired") => Fault::Down(cause()),
        _ => Fault::Lasting(cause()),
    }
}

/// An error with its causes, in one line.
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}
