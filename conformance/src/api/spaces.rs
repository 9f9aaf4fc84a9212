//! The namespaces of a run: unique names, the calls on one, and clearing them in the end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Api;
use super::client::{Body, Client, Reply};
use super::content::Content;
use crate::check::Outcome;
use crate::ensure;
use crate::gate::until_gone;
use crate::report::Failure;

/// The strategies an entry can be stored with.
pub(crate) const STRATEGIES: [&str; 5] =
    ["direct", "temporal", "temporal_latest", "temporal_versioned", "key_based"];

/// All namespaces of a run.
#[derive(Debug)]
pub(crate) struct Spaces {
    client: Client,
    run: String,
    next: AtomicUsize,
    /// All names that were given out and are not known to be clear.
    used: Mutex<BTreeSet<String>>,
    /// Whether the server clears a namespace in one call.
    at_once: bool,
}

impl Spaces {
    pub(super) fn new(client: Client, run: String, at_once: bool) -> Self {
        Self { client, run, next: AtomicUsize::new(0), used: Mutex::default(), at_once }
    }

    /// What every name begins with.
    #[cfg(feature = "command")]
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// A new name. They are all of one length, so that none begins another.
    pub(super) fn name(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:05}", self.run)
    }

    pub(super) fn note(&self, name: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Clears these; those that are clear are forgotten.
    pub(super) fn clear(&self, names: &[String]) {
        for name in names {
            if self.clear_one(name).is_ok() {
                self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            }
        }
    }

    /// Clears all that are left, those that the server knows of as well; what could not be cleared comes
    /// back.
    pub(super) fn clear_all(&self) -> Vec<String> {
        until_gone(|| self.clear_once())
    }

    /// Clears what there is, and names what was not clear before.
    fn clear_once(&self) -> Vec<String> {
        let mut names = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A check that hangs may write on in a namespace that was clear once, so the server is asked.
        let own = format!("{}-", self.run);
        let unknown = |failure: Failure| format!("what begins with {own} ({})", failure.what);
        let mut found = Vec::new();
        match self.client.get("/namespaces/list") {
            // Nobody answers: the others are not asked, each with the patience of a call.
            Err(failure) => return names.into_iter().chain([unknown(failure)]).collect(),
            Ok(reply) => match reply.is(200).and_then(|all| all.texts()) {
                Ok(all) => names.extend(all.into_iter().filter(|name| name.starts_with(&own))),
                Err(failure) => found.push(unknown(failure)),
            },
        }
        for name in names {
            match self.clear_one(&name) {
                Ok(was_clear) => {
                    self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                    found.extend((!was_clear).then_some(name));
                }
                Err(failure) => found.push(format!("{name} ({})", failure.what)),
            }
        }
        found
    }

    /// Clears one; whether nothing was listed in it.
    fn clear_one(&self, name: &str) -> Result<bool, Failure> {
        self.client.begin();
        let list = format!("/{name}/file-ids");
        let was_clear = self.client.get(&list)?.is(200)?.texts()?.is_empty();
        if self.at_once {
            let _ = self.client.delete(&format!("/test-data/clear/{name}"))?;
        }
        for id in self.client.get(&list)?.is(200)?.texts()? {
            self.client.delete(&format!("/{name}/cache/{id}/data/delete/all"))?;
            self.client.delete(&format!("/{name}/delete/{id}"))?;
        }
        let left = self.client.get(&list)?.is(200)?.texts()?;
        ensure!(left.is_empty(), "{name} still holds {left:?}");
        Ok(was_clear)
    }
}

/// One namespace, and the calls on it.
#[derive(Clone)]
pub(crate) struct Space<'a> {
    pub(crate) api: &'a Api,
    /// Its name, as the server shows it.
    pub(crate) clean: String,
    /// How it is written in paths; cleans to its name.
    pub(crate) written: String,
}

/// What storing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) hash: String,
}

impl<'a> Space<'a> {
    /// A namespace beside this one, whose name begins with this one's.
    pub(crate) fn beside(&self, suffix: &str) -> Self {
        let clean = format!("{}{suffix}", self.clean);
        self.api.space(clean.clone(), &clean)
    }

    /// The same namespace in another spelling: this suffix, escaped, cleans to the other.
    pub(crate) fn spelled(&self, suffix: &str, escaped: &str) -> Self {
        let clean = format!("{}{suffix}", self.clean);
        self.api.space(clean, &format!("{}{escaped}", self.clean))
    }

    pub(crate) fn at(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.written)
    }

    pub(crate) fn get(&self, rest: &str) -> Result<Reply, Failure> {
        self.api.client.get(&self.at(rest))
    }

    pub(crate) fn post(&self, rest: &str, body: Body<'_>) -> Result<Reply, Failure> {
        self.api.client.post(&self.at(rest), body)
    }

    pub(crate) fn remove(&self, rest: &str) -> Result<Reply, Failure> {
        self.api.client.delete(&self.at(rest))
    }

    /// Stores; `place` is what follows the kind in the path: nothing, or a slash, a key and a query.
    pub(crate) fn try_store(
        &self,
        strategy: &str,
        place: &str,
        content: &Content,
    ) -> Result<Reply, Failure> {
        let rest = format!("{strategy}/store/{}{place}", content.kind());
        self.post(&rest, content.body())
    }

    pub(crate) fn store_at(
        &self,
        strategy: &str,
        place: &str,
        content: &Content,
    ) -> Result<Stored, Failure> {
        let reply = self.try_store(strategy, place, content)?.is(200)?;
        reply.has("namespace", self.clean.as_str())?;
        Ok(Stored { id: reply.text_of("cache_id")?, hash: reply.text_of("cache_hash")? })
    }

    pub(crate) fn store(&self, content: &Content) -> Result<Stored, Failure> {
        self.store_at("direct", "", content)
    }

    /// Stores a text as JSON.
    pub(crate) fn store_text(&self, text: &str) -> Result<Stored, Failure> {
        self.store(&Content::text(text))
    }

    pub(crate) fn update(&self, id: &str, content: &Content) -> Result<Reply, Failure> {
        self.post(&format!("update/{id}/{}", content.kind()), content.body())
    }

    pub(crate) fn delete(&self, id: &str) -> Result<Reply, Failure> {
        self.remove(&format!("delete/{id}"))?.is(200)
    }

    /// Fails unless the entry reads back as exactly this content.
    pub(crate) fn reads(&self, id: &str, content: &Content) -> Outcome {
        content.is_in(&self.get(&format!("retrieve/{id}/{}", content.kind()))?.is(200)?)
    }

    /// Fails unless reading by the hash gives exactly this content.
    pub(crate) fn reads_hash(&self, hash: &str, content: &Content) -> Outcome {
        content.is_in(&self.get(&format!("retrieve/hash/{hash}/{}", content.kind()))?.is(200)?)
    }

    /// Fails unless there is no such entry, whichever way one asks.
    pub(crate) fn lacks(&self, id: &str) -> Outcome {
        for suffix in ["", "/string", "/json", "/binary", "/metadata", "/config", "/refs"] {
            self.get(&format!("retrieve/{id}{suffix}"))?.is(404)?;
        }
        self.get(&format!("exists/id/{id}"))?.is(200)?.has("exists", false)?;
        Ok(())
    }

    /// Fails unless there is no such hash, whichever way one asks.
    pub(crate) fn lacks_hash(&self, hash: &str) -> Outcome {
        for suffix in ["", "/string", "/json", "/binary", "/metadata", "/refs-hash", "/cache-id"] {
            self.get(&format!("retrieve/hash/{hash}{suffix}"))?.is(404)?;
        }
        self.get(&format!("exists/hash/{hash}"))?.is(200)?.has("exists", false)?;
        Ok(())
    }

    pub(crate) fn ids(&self) -> Result<Vec<String>, Failure> {
        self.get("file-ids")?.is(200)?.texts()
    }

    pub(crate) fn hashes(&self) -> Result<Vec<String>, Failure> {
        self.get("file-hashes")?.is(200)?.texts()
    }

    /// The ids filed under a hash, oldest first.
    pub(crate) fn versions(&self, hash: &str) -> Result<Vec<String>, Failure> {
        let reply = self.get(&format!("retrieve/hash/{hash}/refs-hash"))?.is(200)?;
        let ids = reply.member("cache_ids")?;
        let ids = ids.as_array().map(|ids| {
            ids.iter().map(|id| id.get("cache_id")?.as_str().map(str::to_owned)).collect()
        });
        let ids: Option<Vec<String>> = ids.flatten();
        let ids = ids.ok_or_else(|| Failure::new(format!("{reply}: cache_ids lists no ids")))?;
        reply.has("total_versions", ids.len())?;
        reply.has("latest_id", ids.last().cloned().unwrap_or_default())?;
        Ok(ids)
    }

    /// Fails unless the namespace lists exactly these ids.
    pub(crate) fn holds_ids<'i>(&self, ids: impl IntoIterator<Item = &'i String>) -> Outcome {
        let mut expected: Vec<_> = ids.into_iter().cloned().collect();
        expected.sort();
        let found = self.ids()?;
        ensure!(found == expected, "{} lists the ids {found:?}, not {expected:?}", self.clean);
        Ok(())
    }
}
