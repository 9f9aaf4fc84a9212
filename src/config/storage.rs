//! Which backend, why that one, and the settings that it alone reads.
//!
//! Upstream: an unknown mode was ignored without a word, and the data then went into memory. Here
//! it is an error. The order of detection is upstream's; what it found is put into words, since
//! credentials meant for something else select S3 as well.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Reader, Reported};
use super::table::{self, VARIABLES, Variable};
use super::{Environment, Secret, values};

/// The backend, with the place where it keeps the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageConfig {
    /// In the process; gone when it ends.
    Memory {
        /// The most it keeps; `None`: no bound.
        max_bytes: Option<u64>,
    },
    /// Files below a folder.
    LocalDisk {
        /// The folder, as given.
        root: PathBuf,
        /// What a write waits for.
        durability: Durability,
    },
    /// One SQLite database.
    Sqlite {
        /// Where it is.
        path: SqlitePath,
        /// What a write waits for; nothing in memory.
        durability: Durability,
    },
    /// One ZIP archive.
    Zip {
        /// The archive, as given.
        path: PathBuf,
        /// What a write waits for.
        durability: Durability,
    },
    /// A bucket; the way to it is in [`Aws`].
    S3 {
        /// Its name.
        bucket: String,
    },
}

impl StorageConfig {
    /// The name that variables and API use.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        let mode = match self {
            Self::Memory { .. } => Mode::Memory,
            Self::LocalDisk { .. } => Mode::LocalDisk,
            Self::Sqlite { .. } => Mode::Sqlite,
            Self::Zip { .. } => Mode::Zip,
            Self::S3 { .. } => Mode::S3,
        };
        mode.name()
    }
}

/// What a write waits for before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Until the disk has it.
    Full,
    /// Until the operating system has it.
    Relaxed,
}

/// Where a SQLite database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlitePath {
    /// In the process (`:memory:`); gone when it ends.
    InMemory,
    /// In a file, as given.
    File(PathBuf),
}

/// Settings of the S3 client. It must take them from here: flags and the `.env` file never reach
/// the process environment, where the client would look by itself. What is `None` here is left to
/// the client.
#[derive(Debug, Clone, Default)]
pub struct Aws {
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`: an S3-compatible server.
    pub endpoint_url: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// An access key, if its two halves are set.
    pub credentials: Option<AwsCredentials>,
    /// What this store adds to the settings of the client.
    pub bucket: BucketOptions,
}

/// How the bucket is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketOptions {
    /// The folder of the bucket that holds the data; empty for the whole bucket.
    pub key_prefix: String,
    /// Whether a missing bucket is made.
    pub create: bool,
    /// Whether the bucket stands in the path of requests; `None`: with an endpoint URL only.
    pub path_style: Option<bool>,
    /// What S3 is asked to encrypt with; `None`: the bucket's own setting.
    pub encryption: Option<S3Encryption>,
    /// The key of `aws:kms`.
    pub kms_key_id: Option<String>,
    /// How long one attempt of a request may take.
    pub attempt_timeout: Duration,
    /// How long a call of the store may take with all its attempts.
    pub call_deadline: Duration,
    /// The smallest content whose readers may be sent to the bucket, in bytes.
    pub redirect_bytes: u64,
    /// How long the address they are sent to is good for.
    pub redirect_valid: Duration,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            key_prefix: String::new(),
            create: true,
            path_style: None,
            encryption: None,
            kms_key_id: None,
            attempt_timeout: Duration::from_secs(5),
            call_deadline: Duration::from_secs(20),
            redirect_bytes: 1 << 20,
            redirect_valid: Duration::from_secs(900),
        }
    }
}

/// Server-side encryption, by S3's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Encryption {
    /// `AES256`.
    Aes256,
    /// `aws:kms`.
    Kms,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AwsCredentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`, which temporary keys have.
    pub session_token: Option<Secret>,
}

/// A backend without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Memory,
    S3,
    LocalDisk,
    Sqlite,
    Zip,
}

impl Mode {
    pub(super) const ALL: [Self; 5] =
        [Self::Memory, Self::S3, Self::LocalDisk, Self::Sqlite, Self::Zip];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::S3 => "s3",
            Self::LocalDisk => "local_disk",
            Self::Sqlite => "sqlite",
            Self::Zip => "zip",
        }
    }
}

/// What this module has to say about the configuration.
pub(super) struct Settled {
    pub config: StorageConfig,
    pub reason: String,
    pub aws: Aws,
    pub environment: Environment,
}

/// Finds the mode and reads what belongs to it; the paths of other modes are not looked at.
pub(super) fn settle(read: &mut Reader<'_>) -> Result<Settled, Reported> {
    // Upstream: the region alone decides what `/info/status` says, in every mode.
    let environment = match read.optional(&table::AWS_REGION, values::trimmed) {
        Ok(Some(_)) => Ok(Environment::AwsLambda),
        Ok(None) => Ok(Environment::Local),
        Err(reported) => Err(reported),
    };
    let (mode, reason) = find_mode(read)?;
    note_unused(read, mode);

    let mut aws = Ok(Aws::default());
    let config = match mode {
        Mode::Memory => read
            .optional(&table::MEMORY_MAX_BYTES, values::size)
            .map(|max_bytes| StorageConfig::Memory { max_bytes }),
        Mode::LocalDisk => {
            let root = read.required(&table::LOCAL_DISK_PATH, values::folder);
            let durability = read.required(&table::DURABILITY, values::durability);
            root.and_then(|root| Ok(StorageConfig::LocalDisk { root, durability: durability? }))
        }
        Mode::Sqlite => {
            let path = read.required(&table::SQLITE_PATH, values::sqlite_path);
            let durability = read.required(&table::DURABILITY, values::durability);
            path.and_then(|path| Ok(StorageConfig::Sqlite { path, durability: durability? }))
        }
        Mode::Zip => {
            let path = read.required(&table::ZIP_PATH, values::file);
            let durability = read.required(&table::DURABILITY, values::durability);
            path.and_then(|path| Ok(StorageConfig::Zip { path, durability: durability? }))
        }
        Mode::S3 => {
            aws = read_aws(read);
            read.required(&table::BUCKET_NAME, values::bucket)
                .map(|bucket| StorageConfig::S3 { bucket })
        }
    };

    Ok(Settled { config: config?, reason, aws: aws?, environment: environment? })
}

/// The mode, and why.
fn find_mode(read: &mut Reader<'_>) -> Result<(Mode, String), Reported> {
    if let Some(mode) = read.optional(&table::STORAGE_MODE, values::mode)? {
        let from_flag = read.given(&table::STORAGE_MODE).and_then(|given| given.setting.flag);
        let source = match from_flag {
            Some(flag) => format!("--{flag}"),
            None => table::STORAGE_MODE.name.to_owned(),
        };
        return Ok((mode, format!("{source}={}", mode.name())));
    }

    // All of them are read before anything is made of them, to report all that are only white
    // space.
    let candidates = || SELECT_S3.iter().copied().flatten().copied();
    let read_all = candidates().map(|variable| read.optional(variable, values::trimmed));
    for outcome in read_all.collect::<Vec<_>>() {
        outcome?;
    }

    let is_set = |variable: &&Variable| read.given(variable).is_some();
    for selecting in SELECT_S3 {
        if selecting.iter().all(is_set) {
            let verb = if selecting.len() == 1 { "is" } else { "are" };
            let names = joined(selecting.iter().copied());
            return Ok((Mode::S3, format!("{names} {verb} set and no mode was given")));
        }
    }

    let alone = joined(candidates().filter(is_set));
    let reason = if alone.is_empty() {
        "default: no mode given and no AWS variables".to_owned()
    } else {
        format!("default: no mode given, and {alone} alone cannot select s3")
    };
    Ok((Mode::Memory, reason))
}

/// Without a mode, any of these sets of variables selects S3.
static SELECT_S3: [&[&Variable]; 3] = [
    &[&table::AWS_ACCESS_KEY_ID, &table::AWS_SECRET_ACCESS_KEY],
    &[&table::AWS_PROFILE],
    &[&table::AWS_REGION, &table::AWS_LAMBDA_FUNCTION_NAME],
];

fn joined<'a>(variables: impl Iterator<Item = &'a Variable>) -> String {
    let names: Vec<_> = variables.map(|variable| variable.name).collect();
    names.join(" and ")
}

fn read_aws(read: &mut Reader<'_>) -> Result<Aws, Reported> {
    let region = read.optional(&table::AWS_REGION, values::trimmed);
    let default_region = read.optional(&table::AWS_DEFAULT_REGION, values::trimmed);
    let endpoint_url_s3 = read.optional(&table::AWS_ENDPOINT_URL_S3, values::url);
    let endpoint_url = read.optional(&table::AWS_ENDPOINT_URL, values::url);
    let profile = read.optional(&table::AWS_PROFILE, values::trimmed);
    let id = read.optional(&table::AWS_ACCESS_KEY_ID, values::trimmed);
    let secret = read.optional(&table::AWS_SECRET_ACCESS_KEY, values::trimmed);
    let session_token = read.optional(&table::AWS_SESSION_TOKEN, values::trimmed);
    let bucket = read_bucket(read);

    let session_token = session_token?.as_deref().map(Secret::new);
    let credentials = match (id?, secret?) {
        (Some(access_key_id), Some(secret)) => Some(AwsCredentials {
            access_key_id,
            secret_access_key: Secret::new(&secret),
            session_token,
        }),
        (None, None) => None,
        (Some(_), None) => {
            note_half_key(read, &table::AWS_ACCESS_KEY_ID, &table::AWS_SECRET_ACCESS_KEY);
            None
        }
        (None, Some(_)) => {
            note_half_key(read, &table::AWS_SECRET_ACCESS_KEY, &table::AWS_ACCESS_KEY_ID);
            None
        }
    };
    Ok(Aws {
        region: region?.or(default_region?),
        endpoint_url: endpoint_url_s3?.or(endpoint_url?),
        profile: profile?,
        credentials,
        bucket: bucket?,
    })
}

fn read_bucket(read: &mut Reader<'_>) -> Result<BucketOptions, Reported> {
    let key_prefix = read.optional(&table::S3_KEY_PREFIX, values::key_prefix);
    let create = read.required(&table::S3_CREATE_BUCKET, values::switch);
    let path_style = read.optional(&table::S3_PATH_STYLE, values::switch);
    let encryption = read.optional(&table::S3_ENCRYPTION, values::s3_encryption);
    let kms_key_id = read.optional(&table::S3_KMS_KEY_ID, values::trimmed);
    let attempt_timeout = read.required(&table::S3_ATTEMPT_SECONDS, values::timeout);
    let call_deadline = read.required(&table::S3_DEADLINE_SECONDS, values::timeout);
    let redirect_bytes = read.required(&table::S3_REDIRECT_BYTES, values::size);
    let redirect_valid = read.required(&table::S3_REDIRECT_SECONDS, values::timeout);

    let (encryption, kms_key_id) = (encryption?, kms_key_id?);
    if kms_key_id.is_some() && encryption != Some(S3Encryption::Kms) {
        read.note(format!(
            "{} is ignored, since {} is not aws:kms",
            table::S3_KMS_KEY_ID.name,
            table::S3_ENCRYPTION.name
        ));
    }
    Ok(BucketOptions {
        key_prefix: key_prefix?.unwrap_or_default(),
        create: create?,
        path_style: path_style?,
        encryption,
        kms_key_id,
        attempt_timeout: attempt_timeout?,
        call_deadline: call_deadline?,
        redirect_bytes: redirect_bytes?,
        redirect_valid: redirect_valid?,
    })
}

/// Not an error: the client has other ways to find credentials.
fn note_half_key(read: &mut Reader<'_>, set: &Variable, missing: &Variable) {
    read.note(format!("{} is ignored, since {} is not set", set.name, missing.name));
}

/// Whoever names a file for the data should hear that the data goes elsewhere.
fn note_unused(read: &mut Reader<'_>, mode: Mode) {
    for variable in VARIABLES {
        let Some(other) = variable.mode.filter(|other| *other != mode) else {
            continue;
        };
        if let Some(given) = read.given(variable) {
            read.note(format!(
                "{} is ignored: it belongs to mode {}, and the mode is {}",
                given.setting,
                other.name(),
                mode.name()
            ));
        }
    }
}
