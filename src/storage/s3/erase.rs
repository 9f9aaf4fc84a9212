//! Removal on servers that do not remove on condition.
//!
//! A removal replaces the value by a *marker*, on condition, which is the moment it happens: everyone
//! reads a marker as absence. Then whoever placed the marker removes it, at once and without a
//! condition. That is safe because nobody else touches a marker:
//!
//! - A write never replaces one: all writes carry a condition on what they found, and one that finds a
//!   marker waits for it to go.
//! - A removal that finds one leaves it alone; the object is gone already.
//! - A marker whose process died stays. Whoever has seen the same marker for its whole life takes it
//!   over, on condition, and removes it. Its owner is not doing so any more: it gives up before half of
//!   that. No clocks are compared.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::object::{Condition, Current, Done, Value};
use super::request::Call;
use super::{Bucket, unavailable};
use crate::storage::Result;

/// How often a writer looks whether a marker has gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Bucket {
    /// Writes whatever is there, without replacing a marker. An attempt whose answer was lost is made
    /// again, as where no condition is needed.
    pub(super) async fn put_around_markers(
        &self,
        call: &Call,
        name: &str,
        value: &Value,
    ) -> Result<String> {
        loop {
            let created = self.try_put(call, name, value, Condition::Absent).await?;
            if let Ok(Done::Yes(etag)) = created {
                return Ok(etag);
            }
            if let Some(found) = self.without_marker(call, name).await? {
                let at = Condition::At(&found.etag);
                if let Ok(Done::Yes(etag)) = self.try_put(call, name, value, at).await? {
                    return Ok(etag);
                }
            }
            in_time(call)?;
        }
    }

    /// Creates; a marker counts as absence, once it has gone.
    pub(super) async fn create_around_markers(
        &self,
        call: &Call,
        name: &str,
        value: &Value,
    ) -> Result<Done<String>> {
        loop {
            if let Done::Yes(etag) = self.put(call, name, value, Condition::Absent).await? {
                return Ok(Done::Yes(etag));
            }
            // What was in the way may have been a marker that has gone by now.
            match self.head(call, name).await? {
                Some(found) if found.is_value() => return Ok(Done::Refused),
                Some(_) => drop(self.without_marker(call, name).await?),
                None => {}
            }
            in_time(call)?;
        }
    }

    /// Removes at this entity tag.
    pub(super) async fn erase_at(&self, call: &Call, name: &str, etag: &str) -> Result<Done<()>> {
        match self.put(call, name, &Value::Erased, Condition::At(etag)).await? {
            Done::Yes(_) => self.remove_own_marker(name).await.map(Done::Yes),
            Done::Refused => Ok(Done::Refused),
        }
    }

    /// Removes whatever is there.
    pub(super) async fn erase(&self, call: &Call, name: &str) -> Result<()> {
        loop {
            match self.head(call, name).await? {
                Some(found) if found.is_value() => {
                    if self.erase_at(call, name, &found.etag).await? == Done::Yes(()) {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
            in_time(call)?;
        }
    }

    async fn remove_own_marker(&self, name: &str) -> Result<()> {
        // With a time of its own: a marker must go even if the call is out of time.
        let within = self.marker_life.mul_f64(0.4);
        let call = Call::within(within);
        match timeout(within, self.delete(&call, name)).await {
            Ok(answer) => answer,
            Err(_) => Err(unavailable("S3 did not answer in time")),
        }
    }

    /// Waits until what stands there is no marker.
    async fn without_marker(&self, call: &Call, name: &str) -> Result<Option<Current>> {
        let mut seen: Option<(String, Instant)> = None;
        loop {
            let Some(found) = self.head(call, name).await? else { return Ok(None) };
            if found.is_value() {
                return Ok(Some(found));
            }
            let since = match &seen {
                Some((etag, since)) if *etag == found.etag => *since,
                _ => Instant::now(),
            };
            if since.elapsed() >= self.marker_life {
                self.erase_at(call, name, &found.etag).await?;
                seen = None;
                continue;
            }
            seen = Some((found.etag, since));
            in_time(call)?;
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// Fails when the time of the call is over.
fn in_time(call: &Call) -> Result<()> {
    if Instant::now() < call.until {
        Ok(())
    } else {
        Err(unavailable("others kept changing the same object"))
    }
}
