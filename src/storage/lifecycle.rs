//! Rules by which a store's own server removes what is old.

use std::fmt;

use async_trait::async_trait;

use super::Result;

/// What stores on other servers can do beside [`Storage`](super::Storage): have the server remove what
/// was written so many days ago.
///
/// The server knows nothing of entries, and works through its rules by the day: an entry's files go
/// when each was last written that long ago, at the next midnight or some time after.
#[async_trait]
pub trait Lifecycle: fmt::Debug + Send + Sync + 'static {
    /// The rule for what this store keeps.
    fn rule(&self, days: u32) -> Rule;

    /// All rules of the server's unit (S3: of the bucket), this store's and others.
    async fn rules(&self) -> Result<Vec<Rule>>;

    /// Puts this store's rule in the place of the one it had; leaves others alone.
    async fn set_rule(&self, days: u32) -> Result<()>;

    /// Removes this store's rule; whether there was one. Leaves others alone.
    async fn remove_rule(&self) -> Result<bool>;
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it is this store's.
    pub own: bool,
    /// What it is about: everything whose name begins so. `None`: something else decides.
    pub prefix: Option<String>,
    /// After how many days it removes things, if it does.
    pub days: Option<u32>,
    /// Whether it is in force.
    pub enabled: bool,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "Larder's" } else { "not Larder's" };
        write!(f, "{} ({whose}): ", self.id)?;
        match &self.prefix {
            Some(prefix) if prefix.is_empty() => f.write_str("everything in the bucket")?,
            Some(prefix) => write!(f, "everything below {prefix}")?,
            None => f.write_str("a selection of objects")?,
        }
        match self.days {
            Some(days) => write!(f, ", removed {days} days after it was written")?,
            None => f.write_str(", not removed by age")?,
        }
        if self.enabled { Ok(()) } else { f.write_str(" (switched off)") }
    }
}

/// The days of a rule for a time to live: never earlier than that, counting from any hour. `None`
/// without a time to live.
#[must_use]
pub fn days_for(ttl_hours: u32) -> Option<u32> {
    (ttl_hours > 0).then(|| ttl_hours.div_ceil(24) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_leave_at_least_the_time_to_live() {
        for (hours, days) in [(0, None), (1, Some(2)), (24, Some(2)), (25, Some(3)), (168, Some(8))]
        {
            assert_eq!(days_for(hours), days, "{hours} hours");
        }
        assert!(days_for(u32::MAX).is_some());
    }
}
