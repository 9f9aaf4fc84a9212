//! What a check is: a number, a sentence, its source, when it applies, and how to try it.

use std::fmt;

use larder::storage::Promises;

#[cfg(feature = "http")]
use crate::api::Api;
use crate::bench::Bench;
use crate::report::Failure;

/// What a check returns.
pub type Outcome = Result<(), Failure>;

/// One property of the contract and how to try it.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its number: a letter for the group and a number that stays.
    pub number: &'static str,
    /// What must be true, in one sentence.
    pub sentence: &'static str,
    /// Where the contract says so.
    pub source: &'static str,
    /// Of which subjects it must be true.
    pub needs: Needs,
    pub(crate) group: Group,
    pub(crate) run: Run,
}

/// How a check tries its subject.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// A store, through the trait.
    Store(fn(&Bench) -> Outcome),
    /// A server, through its HTTP API.
    #[cfg(feature = "http")]
    Api(fn(&Api) -> Outcome),
}

impl Check {
    /// The part of the contract it belongs to.
    #[must_use]
    pub fn group(&self) -> Group {
        self.group
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.sentence)
    }
}

/// Of which subjects a property must be true. Every promise has checks for those who make it and a
/// check for those who do not: a store that keeps what it does not claim is wrong about itself too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Of all.
    Nothing,
    /// Of those that promise atomic batches.
    Atomic,
    /// Of those that do not.
    NotAtomic,
    /// Of those that promise to survive a restart.
    Durable,
    /// Of those that do not.
    NotDurable,
    /// Of those that promise to be shared between processes.
    Shared,
    /// Of those that do not.
    NotShared,
    /// Of those whose subject can open a store with a bound.
    Bound,
    /// Of wrappers, whose subject can put them around another store.
    Inner,
    /// Of those whose subject can damage its medium.
    Damage,
    /// Of servers that ask for a key.
    ApiKey,
    /// Of servers whose raw storage browser is on.
    AdminRoutes,
    /// Of servers whose routes for test data are on.
    TestDataRoutes,
}

impl Needs {
    /// Of what it must be true, in the words of the list of properties.
    pub(crate) fn of(self) -> &'static str {
        match self {
            Self::Nothing => "all",
            Self::Atomic => "atomic batches",
            Self::NotAtomic => "no atomic batches",
            Self::Durable => "survives restart",
            Self::NotDurable => "does not survive restart",
            Self::Shared => "shared between processes",
            Self::NotShared => "not shared between processes",
            Self::Bound => "opens with a bound",
            Self::Inner => "wrappers",
            Self::Damage => "can be damaged",
            Self::ApiKey => "asks for a key",
            Self::AdminRoutes => "storage browser on",
            Self::TestDataRoutes => "test data on",
        }
    }

    /// Why the property is not asked of a subject, if it is not.
    pub(crate) fn unmet(self, promises: Promises, offers: Offers) -> Option<&'static str> {
        let (met, reason) = match self {
            Self::Nothing => (true, ""),
            Self::Atomic => (promises.atomic_batches, "does not promise atomic_batches"),
            Self::NotAtomic => (!promises.atomic_batches, "promises atomic_batches"),
            Self::Durable => (promises.survives_restart, "does not promise survives_restart"),
            Self::NotDurable => (!promises.survives_restart, "promises survives_restart"),
            Self::Shared => {
                (promises.shared_between_processes, "does not promise shared_between_processes")
            }
            Self::NotShared => {
                (!promises.shared_between_processes, "promises shared_between_processes")
            }
            Self::Bound => (offers.bound, "the subject cannot open a store with a bound"),
            Self::Inner => (offers.inner, "the subject is not a wrapper around another store"),
            Self::Damage => (offers.damage, "the subject has no way to damage its medium"),
            Self::ApiKey => (offers.api_key, "no key was given, and the server asks for none"),
            Self::AdminRoutes => (offers.admin_routes, "the server's storage browser is off"),
            Self::TestDataRoutes => {
                (offers.test_data_routes, "the server's routes for test data are off")
            }
        };
        (!met).then_some(reason)
    }
}

/// What a subject has beside `open`, or a server beside its entries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Offers {
    pub(crate) bound: bool,
    pub(crate) inner: bool,
    pub(crate) damage: bool,
    pub(crate) api_key: bool,
    pub(crate) admin_routes: bool,
    pub(crate) test_data_routes: bool,
}

/// The parts of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Histories against the model.
    Model,
    /// Values.
    Values,
    /// Listing.
    Listing,
    /// Names.
    Names,
    /// Namespaces.
    Namespaces,
    /// Batches.
    Batches,
    /// Expectations.
    Expectations,
    /// Concurrency.
    Concurrency,
    /// Restart and crash.
    Restart,
    /// Faults and ambiguity.
    Faults,
    /// Limits.
    Limits,
    /// Time.
    Time,
    /// The promises and the subject themselves.
    Promises,
    /// Entries through the HTTP API.
    ApiEntries,
    /// Hashes and their versions through the HTTP API.
    ApiHashes,
    /// Child data through the HTTP API.
    ApiChildren,
    /// Namespaces and names through the HTTP API.
    ApiNamespaces,
    /// Listings and counts through the HTTP API.
    ApiListings,
    /// Concurrency through the HTTP API.
    ApiConcurrency,
    /// Misses and refusals of the HTTP API.
    ApiErrors,
}

impl Group {
    /// The groups of checks on stores, in the order of reports.
    pub const ALL: [Self; 13] = [
        Self::Promises,
        Self::Model,
        Self::Values,
        Self::Listing,
        Self::Names,
        Self::Namespaces,
        Self::Batches,
        Self::Expectations,
        Self::Concurrency,
        Self::Restart,
        Self::Faults,
        Self::Limits,
        Self::Time,
    ];

    /// The groups of checks on servers, in the order of reports. Their numbers all start with `H`.
    pub const API: [Self; 7] = [
        Self::ApiEntries,
        Self::ApiHashes,
        Self::ApiChildren,
        Self::ApiNamespaces,
        Self::ApiListings,
        Self::ApiConcurrency,
        Self::ApiErrors,
    ];

    /// The letter its properties' numbers start with.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Model => b'M',
            Self::Values => b'K',
            Self::Listing => b'L',
            Self::Names => b'S',
            Self::Namespaces => b'N',
            Self::Batches => b'B',
            Self::Expectations => b'E',
            Self::Concurrency => b'C',
            Self::Restart => b'X',
            Self::Faults => b'F',
            Self::Limits => b'Q',
            Self::Time => b'T',
            Self::Promises => b'P',
            Self::ApiEntries
            | Self::ApiHashes
            | Self::ApiChildren
            | Self::ApiNamespaces
            | Self::ApiListings
            | Self::ApiConcurrency
            | Self::ApiErrors => b'H',
        }
    }

    /// The group of checks on stores whose numbers start with this number's letter.
    pub(crate) const fn of(number: &str) -> Self {
        let mut nth = 0;
        while nth < Self::ALL.len() {
            if Self::ALL[nth].letter() == number.as_bytes()[0] {
                return Self::ALL[nth];
            }
            nth += 1;
        }
        panic!("no group has this letter")
    }

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Model => "Histories against the model",
            Self::Values => "Values",
            Self::Listing => "Listing",
            Self::Names => "Names",
            Self::Namespaces => "Namespaces",
            Self::Batches => "Batches",
            Self::Expectations => "Expectations",
            Self::Concurrency => "Concurrency",
            Self::Restart => "Restart and crash",
            Self::Faults => "Faults and ambiguity",
            Self::Limits => "Limits",
            Self::Time => "Time",
            Self::Promises => "Promises and the subject's law",
            Self::ApiEntries => "HTTP API: entries",
            Self::ApiHashes => "HTTP API: hashes and versions",
            Self::ApiChildren => "HTTP API: child data and archives",
            Self::ApiNamespaces => "HTTP API: namespaces and names",
            Self::ApiListings => "HTTP API: listings and counts",
            Self::ApiConcurrency => "HTTP API: concurrency",
            Self::ApiErrors => "HTTP API: misses and refusals",
        }
    }
}

/// Returns a failure unless the condition holds.
#[macro_export]
#[doc(hidden)]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::report::Failure::new(format!($($message)+)));
        }
    };
}
