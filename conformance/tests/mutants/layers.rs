//! Broken wrappers: right as long as the store below them is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use larder::key::{Key, Namespace};
use larder::storage::memory::Memory;
use larder::storage::{Batch, Error, List, Object, Page, Promises, Result, Stat, Storage};
use larder_conformance::{InProcess, Opened, Subject};

/// What a wrapper does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sloppy {
    ErrorIsMiss,
    ErrorIsEmptyPage,
    ErrorIsDone,
    RetriesGuarded,
    RetriesForever,
    OneAtATime,
    ErrorIsConflict,
    StatFallsBack,
}

pub(crate) const LAYERS: &[(Sloppy, &str, &str, &str)] = &[
    (Sloppy::ErrorIsMiss, "ErrorIsMiss", "F-05", "what cannot be read is taken for absent"),
    (Sloppy::ErrorIsEmptyPage, "ErrorIsEmptyPage", "F-05", "a page that fails ends the listing"),
    (Sloppy::ErrorIsDone, "ErrorIsDone", "F-06", "a write that fails is acknowledged"),
    (
        Sloppy::RetriesGuarded,
        "RetriesGuarded",
        "F-07",
        "a guarded write is repeated after a lost reply",
    ),
    (
        Sloppy::RetriesForever,
        "RetriesForever",
        "F-08",
        "a failing call is repeated a thousand times",
    ),
    (
        Sloppy::OneAtATime,
        "OneAtATime",
        "F-10",
        "one call at a time, so that one that hangs holds up all",
    ),
    (
        Sloppy::ErrorIsConflict,
        "ErrorIsConflict",
        "F-09",
        "a write that fails is reported as a conflict",
    ),
    (Sloppy::StatFallsBack, "StatFallsBack", "F-09", "a stat that fails gives the size of nothing"),
];

#[derive(Debug)]
struct Layer {
    sloppy: Sloppy,
    inner: Arc<dyn Storage>,
    turn: std::sync::atomic::AtomicBool,
}

impl Layer {
    async fn take_turn(&self) {
        use std::sync::atomic::Ordering;
        if self.sloppy == Sloppy::OneAtATime {
            while self.turn.swap(true, Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn end_turn(&self) {
        self.turn.store(false, std::sync::atomic::Ordering::Release);
    }
}

#[async_trait]
impl Storage for Layer {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    async fn get(&self, key: &Key) -> Result<Option<Object>> {
        self.take_turn().await;
        let answer = self.inner.get(key).await;
        self.end_turn();
        if self.sloppy == Sloppy::ErrorIsMiss { Ok(answer.unwrap_or_default()) } else { answer }
    }

    async fn stat(&self, key: &Key) -> Result<Option<Stat>> {
        match self.inner.stat(key).await {
            Err(_) if self.sloppy == Sloppy::StatFallsBack => {
                Ok(Some(Stat { size: 0.into(), version: 0.into() }))
            }
            answer => answer,
        }
    }

    async fn apply(&self, batch: Batch) -> Result<()> {
        let first = batch.steps().iter().flatten().next().map(|change| change.key().clone());
        let tries = match self.sloppy {
            Sloppy::RetriesGuarded => 3,
            Sloppy::RetriesForever => 1000,
            _ => 1,
        };
        let mut answer = Ok(());
        for _ in 0..tries {
            answer = self.inner.apply(batch.clone()).await;
            if !matches!(answer, Err(Error::Unavailable { .. })) {
                break;
            }
        }
        match (self.sloppy, first) {
            (Sloppy::ErrorIsDone, _) if matches!(answer, Err(Error::Unavailable { .. })) => Ok(()),
            (Sloppy::ErrorIsConflict, Some(key)) if answer.is_err() => Err(Error::Conflict { key }),
            _ => answer,
        }
    }

    async fn list(&self, query: List) -> Result<Page> {
        let answer = self.inner.list(query).await;
        if self.sloppy == Sloppy::ErrorIsEmptyPage {
            Ok(answer.unwrap_or_default())
        } else {
            answer
        }
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>> {
        self.inner.namespaces().await
    }
}

/// The subject of a broken wrapper.
pub(crate) struct SloppyLayer {
    pub(crate) sloppy: Sloppy,
    pub(crate) name: &'static str,
    pub(crate) homes: InProcess<Memory>,
}

impl SloppyLayer {
    fn wrap(&self, inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(Layer { sloppy: self.sloppy, inner, turn: false.into() })
    }
}

impl Subject for SloppyLayer {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(self.wrap(self.homes.open(home, Memory::new)))
    }

    fn over(&self, inner: Arc<dyn Storage>) -> Option<Arc<dyn Storage>> {
        Some(self.wrap(inner))
    }
}
