//! Flags, environment and `.env` file in; typed settings out.
//!
//! One table ([`VARIABLES`]) names every variable with its flag, its default and the values it
//! takes. The command line, `--help`, the README's section ([`readme_table`]) and the wording of
//! every complaint come from its rows, so a setting is described once.
//!
//! Where a value comes from: a flag, else the environment, else the `.env` file, else the default.
//! The first of these that mentions a variable decides. An **empty** value counts as unset,
//! whichever source it stands in: `CACHE__SERVICE__STORAGE_MODE= larder` starts with the default
//! although the `.env` file says otherwise. A value of nothing but white space is a mistake, and is
//! reported as one.
//!
//! [`Config::from_env`] takes a lookup function and reports everything that is wrong at once. Only
//! [`Config::load`] looks at the process. Opening what is configured here is left to
//! `storage/open.rs`.

mod address;
mod auth;
mod cli;
mod commands;
mod dotenv;
mod errors;
mod lifecycle;
mod reader;
mod storage;
mod table;
#[cfg(test)]
mod tests;
mod values;

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

pub use self::address::{ADDRESSES, AddressError, StorePlace};
pub use self::auth::{Auth, Secret};
pub use self::cli::Flags;
pub use self::commands::{CopyArguments, Invocation, RepairScope, VerifyArguments};
pub use self::errors::{ConfigErrors, LoadError, Problem, Setting};
pub use self::lifecycle::LifecycleAction;
pub use self::storage::{
    Aws, AwsCredentials, BucketOptions, Durability, S3Encryption, SqlitePath, StorageConfig,
};
pub use self::table::{Group, VARIABLES, Variable, readme_table};

use self::dotenv::DotEnv;
use self::reader::{Reader, Reported};

/// Everything the service needs to know before it starts. Read once; nothing changes while it runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen. Port 0 asks the system for a free one.
    pub listen: SocketAddr,
    /// Which backend keeps the data, and where.
    pub storage: StorageConfig,
    /// Why it is that backend, in words for the log.
    pub storage_reason: String,
    /// The S3 client's settings; all empty unless the mode is `s3`.
    pub aws: Aws,
    /// Who may use the service.
    pub auth: Auth,
    /// What one request may cost.
    pub limits: Limits,
    /// The time to live that the API reports. Nothing expires by it.
    pub ttl_hours: u32,
    /// `server_id` of `/info/server`.
    pub server_id: Option<Uuid>,
    /// `server_name` of `/info/server`.
    pub server_name: Option<String>,
    /// What `/info/status` calls the place the service runs in.
    pub environment: Environment,
    /// How much is logged, and in which shape.
    pub log: Log,
    /// Whether `/admin/storage/…` is served.
    pub admin_routes: bool,
    /// Whether `/test-data/…` and `/server/create/test-fixtures` are served.
    pub test_data_routes: bool,
    /// Remarks on settings that are accepted but may not do what was meant; for the log.
    pub notes: Vec<String>,
}

/// What an archive may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// The most members, and the most operations of one batch.
    pub max_members: usize,
    /// The most bytes its members may unpack to together.
    pub max_total_bytes: u64,
    /// The most bytes a member may unpack to for each byte it takes.
    pub max_ratio: u64,
}

/// Limits on single requests and on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body, as sent.
    pub max_body_bytes: usize,
    /// Longest request body after gzip is undone.
    pub max_inflated_bytes: usize,
    /// What an archive may ask for.
    pub archive: ArchiveLimits,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long open requests may go on once the service has been told to stop.
    pub drain: Duration,
}

/// Where the service runs, as far as `/info/status` is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Anywhere but AWS.
    Local,
    /// Upstream: said whenever `AWS_REGION` is set.
    AwsLambda,
}

impl Environment {
    /// The name the API uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::AwsLambda => "aws-lambda",
        }
    }
}

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The shape of a line.
    pub format: LogFormat,
    /// The least important lines still written.
    pub level: LogLevel,
}

/// The shape of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// The ordinary course of events.
    Info,
    /// Details for someone who looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name as configured: `error`, `warn`, `info`, `debug` or `trace`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where the settings of the process come from, beside its arguments.
struct Sources {
    file: Option<DotEnv>,
}

impl Sources {
    fn of_process() -> Self {
        // A working directory that is gone has no `.env` file either.
        let file = env::current_dir().ok().and_then(|folder| dotenv::find(&folder, Path::is_file));
        Self { file: file.map(|path| DotEnv::read(&path)) }
    }

    fn config(&self, flags: &Flags) -> Result<Config, ConfigErrors> {
        Config::from_sources(flags, |name| env::var_os(name), self.file.as_ref())
    }

    /// The store of an address, for which the environment and the file have the rest.
    fn place(&self, address: &str) -> Result<StorePlace, AddressError> {
        StorePlace::from_env(address, |name| match env::var_os(name) {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => self.file.as_ref().and_then(|file| file.value(name)).map(str::to_owned),
        })
    }

    /// The store that the service would serve from.
    fn configured(&self) -> Result<StorePlace, ConfigErrors> {
        let Config { storage, aws, .. } = self.config(&Flags::default())?;
        Ok(StorePlace { address: storage.mode().to_owned(), storage, aws })
    }
}

impl Config {
    /// Reads the process: its arguments, its environment, and the `.env` file of the working
    /// directory or of the nearest parent that has one.
    ///
    /// **The only function of the crate that does so.** It is meant for `main`; everything else,
    /// tests included, uses [`Config::from_env`].
    ///
    /// # Errors
    ///
    /// [`LoadError::Arguments`] for a command line that does not parse, and for `--help` and
    /// `--version`; [`LoadError::Settings`] with all that is wrong with the settings. `main` ends
    /// with [`LoadError::report`].
    pub fn load() -> Result<Self, LoadError> {
        let flags = Flags::parse(env::args_os())?;
        Ok(Sources::of_process().config(&flags)?)
    }

    /// Settings from `lookup`, which answers for the environment, and from the flags, which win
    /// over it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each problem with the variable and the flag it came from.
    pub fn from_env(
        lookup: impl Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup, flags);
        let settled = Self::settle(&mut reader);
        match settled {
            Ok(config) if reader.problems.is_empty() => Ok(Self { notes: reader.notes, ..config }),
            _ => Err(ConfigErrors::new(reader.problems)),
        }
    }

    /// [`Config::from_env`] over the process's environment with a `.env` file below it.
    fn from_sources(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<OsString>,
        file: Option<&DotEnv>,
    ) -> Result<Self, ConfigErrors> {
        let not_text: Vec<Problem> = VARIABLES
            .iter()
            .filter(|variable| flags.value(variable).is_none())
            .filter(|variable| {
                environment(variable.name).is_some_and(|value| value.to_str().is_none())
            })
            .map(|variable| Problem::NotText { setting: Setting::of(variable) })
            .collect();
        let lookup = |name: &str| match environment(name) {
            Some(value) => Some(value.to_string_lossy().into_owned()),
            None => file.and_then(|file| file.value(name)).map(str::to_owned),
        };

        let outcome = Self::from_env(lookup, flags);
        let from_file = file.map_or(&[][..], DotEnv::problems);
        if from_file.is_empty() && not_text.is_empty() {
            let read = file.map(DotEnv::path);
            return outcome
                .map(|config| config.with_file(read))
                .map_err(|errors| errors.with_file(read));
        }

        // A value that could not be read counted as unset or was read with replacement characters;
        // its variable needs no second complaint.
        let mut problems = [from_file, &not_text].concat();
        let others = outcome.err().map_or_else(Vec::new, ConfigErrors::into_vec);
        for other in others {
            if !problems.iter().any(|known| known.variable() == other.variable()) {
                problems.push(other);
            }
        }
        Err(ConfigErrors::new(problems))
    }

    fn with_file(mut self, read: Option<&Path>) -> Self {
        self.notes.extend(read.map(|path| {
            format!("{} was read for variables that the environment does not set", path.display())
        }));
        self
    }

    /// Reads all settings before it gives up on the first that is wrong: each read leaves its own
    /// problem with the reader, and the `?` come last.
    fn settle(read: &mut Reader<'_>) -> Result<Self, Reported> {
        let listen = read.required(&table::LISTEN, values::address);
        let admin_routes = read.required(&table::ADMIN_ROUTES, values::switch);
        let test_data_routes = read.required(&table::TEST_DATA_ROUTES, values::switch);
        let server_id = read.optional(&table::SERVER_ID, values::uuid);
        let server_name = read.optional(&table::SERVER_NAME, values::as_given);
        let auth = auth::settle(read, listen.as_ref().ok().copied());
        let storage = storage::settle(read);
        let ttl_hours = read.required(&table::DEFAULT_TTL_HOURS, values::hours);
        let max_body_bytes = read.required(&table::MAX_BODY_BYTES, values::size_in_memory);
        let max_inflated_bytes = read.required(&table::MAX_INFLATED_BYTES, values::size_in_memory);
        let max_members = read.required(&table::ARCHIVE_MAX_MEMBERS, values::members);
        let max_total_bytes = read.required(&table::ARCHIVE_MAX_BYTES, values::size);
        let max_ratio = read.required(&table::ARCHIVE_MAX_RATIO, values::ratio);
        let request_timeout = read.required(&table::REQUEST_TIMEOUT_SECONDS, values::timeout);
        let drain = read.required(&table::DRAIN_SECONDS, values::seconds);
        let format = read.required(&table::LOG_FORMAT, values::log_format);
        let level = read.required(&table::LOG_LEVEL, values::log_level);

        let storage = storage?;
        Ok(Self {
            listen: listen?,
            storage: storage.config,
            storage_reason: storage.reason,
            aws: storage.aws,
            auth: auth?,
            limits: Limits {
                max_body_bytes: max_body_bytes?,
                max_inflated_bytes: max_inflated_bytes?,
                archive: ArchiveLimits {
                    max_members: max_members?,
                    max_total_bytes: max_total_bytes?,
                    max_ratio: max_ratio?,
                },
                request_timeout: request_timeout?,
                drain: drain?,
            },
            ttl_hours: ttl_hours?,
            server_id: server_id?,
            server_name: server_name?,
            environment: storage.environment,
            log: Log { format: format?, level: level? },
            admin_routes: admin_routes?,
            test_data_routes: test_data_routes?,
            notes: Vec::new(),
        })
    }
}
