//! The table: one row for each variable. A new setting is a row here, a line in the list at the
//! end, and a read in `Config::settle`; a test fails when one of them is forgotten.

mod s3;

use std::fmt::Write as _;

pub(super) use self::s3::*;
use super::storage::Mode;

/// One variable: how it is called, what it is for, which values it takes.
#[derive(Debug)]
pub struct Variable {
    /// Name of the environment variable.
    pub name: &'static str,
    /// The flag, without its dashes. Secrets have none: a process list shows arguments to everyone.
    pub flag: Option<&'static str>,
    /// The default, written as a user would; `None` when unset is a state of its own.
    pub default: Option<&'static str>,
    /// What it is for.
    pub meaning: &'static str,
    /// Which values it takes. Ends the complaint about a value that is none of them.
    pub values: &'static str,
    /// The part of `--help` and of the README it stands in.
    pub group: Group,
    /// Stands for the value in `--help`.
    pub(super) placeholder: &'static str,
    /// The only storage mode that reads it.
    pub(super) mode: Option<Mode>,
    /// Its value never appears in a message.
    pub(super) secret: bool,
    /// The flag may stand alone and then means `on`.
    pub(super) switch: bool,
}

/// Parts of `--help` and of the README's section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Listening, identity and switches.
    Server,
    /// The API key.
    Access,
    /// Where the data is kept.
    Storage,
    /// Limits.
    Limits,
    /// The log.
    Log,
    /// What the S3 client needs.
    Aws,
}

impl Group {
    const ALL: [Self; 6] =
        [Self::Server, Self::Access, Self::Storage, Self::Limits, Self::Log, Self::Aws];

    /// The heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Access => "Access",
            Self::Storage => "Storage",
            Self::Limits => "Limits",
            Self::Log => "Log",
            Self::Aws => "AWS",
        }
    }
}

const SWITCH: &str = "on or off (also true/false, yes/no, 1/0)";
const SIZE: &str = "bytes, 1 or more: a whole number, alone or with KiB, MiB or GiB (k, m and g \
     mean the same)";

/// What most rows have in common.
const ROW: Variable = Variable {
    name: "",
    flag: None,
    default: None,
    meaning: "",
    values: "",
    group: Group::Server,
    placeholder: "TEXT",
    mode: None,
    secret: false,
    switch: false,
};

pub(super) static LISTEN: Variable = Variable {
    name: "CACHE__SERVICE__LISTEN",
    flag: Some("listen"),
    default: Some("127.0.0.1:10017"),
    meaning: "Address and port to listen on; port 0 takes any free one",
    values: "an IP address and a port, such as 127.0.0.1:10017, 0.0.0.0:80 or [::1]:10017; no host \
         names",
    placeholder: "ADDRESS:PORT",
    ..ROW
};

pub(super) static ADMIN_ROUTES: Variable = Variable {
    name: "CACHE__SERVICE__ADMIN_ROUTES",
    flag: Some("admin-routes"),
    default: Some("on"),
    meaning: "Serve /admin/storage, which reads, lists and deletes across all namespaces",
    values: SWITCH,
    placeholder: "ON|OFF",
    ..ROW
};

pub(super) static TEST_DATA_ROUTES: Variable = Variable {
    name: "CACHE__SERVICE__TEST_DATA_ROUTES",
    flag: Some("test-data-routes"),
    default: Some("on"),
    meaning: "Serve /test-data, which fills and empties namespaces, and /server/create/test-fixtures \
         (a GET that writes)",
    values: SWITCH,
    placeholder: "ON|OFF",
    ..ROW
};

pub(super) static SERVER_ID: Variable = Variable {
    name: "FAST_API__SERVER_ID",
    flag: Some("server-id"),
    meaning: "The server_id of /info/server",
    values: "a UUID, such as 6f2c1f0e-6a43-4b39-9f3c-0d7c5c1f8a11",
    placeholder: "UUID",
    ..ROW
};

pub(super) static SERVER_NAME: Variable = Variable {
    name: "FAST_API__SERVER_NAME",
    flag: Some("server-name"),
    meaning: "The server_name of /info/server",
    values: "any text",
    ..ROW
};

pub(super) static API_KEY_NAME: Variable = Variable {
    name: "FAST_API__AUTH__API_KEY__NAME",
    flag: Some("api-key-name"),
    meaning: "Name of the header, and of the cookie, that carries the API key; goes with the key \
         itself",
    values: "letters, digits and !#$%&'*+-.^_`|~, as in any HTTP header name",
    group: Group::Access,
    placeholder: "NAME",
    ..ROW
};

pub(super) static API_KEY_VALUE: Variable = Variable {
    name: "FAST_API__AUTH__API_KEY__VALUE",
    meaning: "The API key that clients must send; surrounding white space is dropped, as HTTP does \
         with headers",
    values: "printable ASCII or Latin-1 characters",
    group: Group::Access,
    secret: true,
    ..ROW
};

pub(super) static NO_AUTH: Variable = Variable {
    name: "CACHE__SERVICE__NO_AUTH",
    flag: Some("no-auth"),
    default: Some("off"),
    meaning: "Serve everyone who can connect. Without it and without an API key, only loopback \
         addresses (127.0.0.0/8, ::1) may be listened on, and those are open",
    values: SWITCH,
    group: Group::Access,
    placeholder: "ON|OFF",
    switch: true,
    ..ROW
};

pub(super) static STORAGE_MODE: Variable = Variable {
    name: "CACHE__SERVICE__STORAGE_MODE",
    flag: Some("storage-mode"),
    meaning: "Where the data is kept. Unset: s3 if AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are \
         set, or AWS_PROFILE, or AWS_REGION and AWS_LAMBDA_FUNCTION_NAME; otherwise memory",
    values: "memory, s3, local_disk, sqlite or zip",
    group: Group::Storage,
    placeholder: "MODE",
    ..ROW
};

pub(super) static BUCKET_NAME: Variable = Variable {
    name: "CACHE__SERVICE__BUCKET_NAME",
    flag: Some("bucket-name"),
    default: Some("mgraph-ai-cache"),
    meaning: "The S3 bucket",
    values: "an S3 bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, a letter or \
         digit at both ends, no two dots in a row, not an IP address",
    group: Group::Storage,
    placeholder: "BUCKET",
    mode: Some(Mode::S3),
    ..ROW
};

pub(super) static LOCAL_DISK_PATH: Variable = Variable {
    name: "CACHE__SERVICE__LOCAL_DISK_PATH",
    flag: Some("local-disk-path"),
    default: Some("/tmp/cache"),
    meaning: "The root folder, used as given",
    values: "the path of a folder, which need not exist",
    group: Group::Storage,
    placeholder: "FOLDER",
    mode: Some(Mode::LocalDisk),
    ..ROW
};

pub(super) static SQLITE_PATH: Variable = Variable {
    name: "CACHE__SERVICE__SQLITE_PATH",
    flag: Some("sqlite-path"),
    default: Some(":memory:"),
    meaning: "The database file, used as given; :memory: keeps nothing after the end of the \
         process",
    values: "the path of a file, which need not exist, or :memory:",
    group: Group::Storage,
    placeholder: "FILE",
    mode: Some(Mode::Sqlite),
    ..ROW
};

pub(super) static ZIP_PATH: Variable = Variable {
    name: "CACHE__SERVICE__ZIP_PATH",
    flag: Some("zip-path"),
    default: Some("/tmp/cache.zip"),
    meaning: "The archive file, used as given",
    values: "the path of a file, which need not exist",
    group: Group::Storage,
    placeholder: "FILE",
    mode: Some(Mode::Zip),
    ..ROW
};

pub(super) static DURABILITY: Variable = Variable {
    name: "CACHE__SERVICE__DURABILITY",
    flag: Some("durability"),
    default: Some("full"),
    meaning: "What a write waits for in the modes local_disk, sqlite and zip: full is until the disk \
         has it, so that it survives the loss of power; relaxed is until the operating system has \
         it, so that it survives the end of the process",
    values: "full or relaxed",
    group: Group::Storage,
    placeholder: "DURABILITY",
    ..ROW
};

pub(super) static MEMORY_MAX_BYTES: Variable = Variable {
    name: "CACHE__SERVICE__MEMORY_MAX_BYTES",
    flag: Some("memory-max-bytes"),
    meaning: "The most that the memory mode keeps; unset: no bound",
    values: SIZE,
    group: Group::Storage,
    placeholder: "SIZE",
    mode: Some(Mode::Memory),
    ..ROW
};

pub(super) static DEFAULT_TTL_HOURS: Variable = Variable {
    name: "CACHE__SERVICE__DEFAULT_TTL_HOURS",
    flag: Some("default-ttl-hours"),
    default: Some("24"),
    meaning: "The time to live that the API reports; nothing expires by it",
    values: "a whole number of hours, 0 to 4294967295",
    group: Group::Storage,
    placeholder: "HOURS",
    ..ROW
};

pub(super) static MAX_BODY_BYTES: Variable = Variable {
    name: "CACHE__SERVICE__MAX_BODY_BYTES",
    flag: Some("max-body-bytes"),
    default: Some("64MiB"),
    meaning: "The longest request body; a longer one is answered 413",
    values: SIZE,
    group: Group::Limits,
    placeholder: "SIZE",
    ..ROW
};

pub(super) static MAX_INFLATED_BYTES: Variable = Variable {
    name: "CACHE__SERVICE__MAX_INFLATED_BYTES",
    flag: Some("max-inflated-bytes"),
    default: Some("256MiB"),
    meaning: "The longest gzip body once decompressed; a longer one is answered 413",
    values: SIZE,
    group: Group::Limits,
    placeholder: "SIZE",
    ..ROW
};

pub(super) static ARCHIVE_MAX_MEMBERS: Variable = Variable {
    name: "CACHE__SERVICE__ARCHIVE_MAX_MEMBERS",
    flag: Some("archive-max-members"),
    default: Some("10000"),
    meaning: "The most members of a ZIP archive, and the most operations of one batch; more are \
         answered 413",
    values: "a whole number, 1 to 65535",
    group: Group::Limits,
    placeholder: "COUNT",
    ..ROW
};

pub(super) static ARCHIVE_MAX_BYTES: Variable = Variable {
    name: "CACHE__SERVICE__ARCHIVE_MAX_BYTES",
    flag: Some("archive-max-bytes"),
    default: Some("256MiB"),
    meaning: "The most bytes the members of a ZIP archive may unpack to together; more are answered \
         413",
    values: SIZE,
    group: Group::Limits,
    placeholder: "SIZE",
    ..ROW
};

pub(super) static ARCHIVE_MAX_RATIO: Variable = Variable {
    name: "CACHE__SERVICE__ARCHIVE_MAX_RATIO",
    flag: Some("archive-max-ratio"),
    default: Some("1000"),
    meaning: "The most the members of a ZIP archive may be larger than their compressed data, looked \
         at beyond 16 MiB of content; more is answered 413",
    values: "a whole number, 1 or more",
    group: Group::Limits,
    placeholder: "FACTOR",
    ..ROW
};

pub(super) static REQUEST_TIMEOUT_SECONDS: Variable = Variable {
    name: "CACHE__SERVICE__REQUEST_TIMEOUT_SECONDS",
    flag: Some("request-timeout-seconds"),
    default: Some("30"),
    meaning: "How long one request may take",
    values: "a whole number of seconds, 1 to 86400",
    group: Group::Limits,
    placeholder: "SECONDS",
    ..ROW
};

pub(super) static DRAIN_SECONDS: Variable = Variable {
    name: "CACHE__SERVICE__DRAIN_SECONDS",
    flag: Some("drain-seconds"),
    default: Some("30"),
    meaning: "How long open requests may go on once the service is told to stop",
    values: "a whole number of seconds, 0 to 86400",
    group: Group::Limits,
    placeholder: "SECONDS",
    ..ROW
};

pub(super) static LOG_FORMAT: Variable = Variable {
    name: "CACHE__SERVICE__LOG_FORMAT",
    flag: Some("log-format"),
    default: Some("text"),
    meaning: "The shape of the log",
    values: "text or json",
    group: Group::Log,
    placeholder: "FORMAT",
    ..ROW
};

pub(super) static LOG_LEVEL: Variable = Variable {
    name: "CACHE__SERVICE__LOG_LEVEL",
    flag: Some("log-level"),
    default: Some("info"),
    meaning: "The least important lines that are still logged",
    values: "error, warn, info, debug or trace",
    group: Group::Log,
    placeholder: "LEVEL",
    ..ROW
};

pub(super) static AWS_LAMBDA_FUNCTION_NAME: Variable = Variable {
    name: "AWS_LAMBDA_FUNCTION_NAME",
    flag: Some("aws-lambda-function-name"),
    meaning: "Set by AWS Lambda; only looked at when no storage mode is given",
    values: "the name of a function",
    group: Group::Aws,
    placeholder: "NAME",
    ..ROW
};

/// Every variable, in the order of `--help` and of the README.
pub static VARIABLES: &[&Variable] = &[
    &LISTEN,
    &ADMIN_ROUTES,
    &TEST_DATA_ROUTES,
    &SERVER_ID,
    &SERVER_NAME,
    &API_KEY_NAME,
    &API_KEY_VALUE,
    &NO_AUTH,
    &STORAGE_MODE,
    &MEMORY_MAX_BYTES,
    &LOCAL_DISK_PATH,
    &SQLITE_PATH,
    &ZIP_PATH,
    &DURABILITY,
    &BUCKET_NAME,
    &S3_KEY_PREFIX,
    &S3_CREATE_BUCKET,
    &S3_PATH_STYLE,
    &S3_ENCRYPTION,
    &S3_KMS_KEY_ID,
    &S3_ATTEMPT_SECONDS,
    &S3_DEADLINE_SECONDS,
    &S3_REDIRECT_BYTES,
    &S3_REDIRECT_SECONDS,
    &DEFAULT_TTL_HOURS,
    &MAX_BODY_BYTES,
    &MAX_INFLATED_BYTES,
    &ARCHIVE_MAX_MEMBERS,
    &ARCHIVE_MAX_BYTES,
    &ARCHIVE_MAX_RATIO,
    &REQUEST_TIMEOUT_SECONDS,
    &DRAIN_SECONDS,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &AWS_REGION,
    &AWS_DEFAULT_REGION,
    &AWS_ENDPOINT_URL,
    &AWS_ENDPOINT_URL_S3,
    &AWS_PROFILE,
    &AWS_ACCESS_KEY_ID,
    &AWS_SECRET_ACCESS_KEY,
    &AWS_SESSION_TOKEN,
    &AWS_LAMBDA_FUNCTION_NAME,
];

impl Variable {
    /// The meaning, with the one mode that reads it.
    pub(super) fn purpose(&self) -> String {
        match self.mode {
            Some(mode) => format!("{} (mode {} only)", self.meaning, mode.name()),
            None => self.meaning.to_owned(),
        }
    }
}

/// The README's section on variables, in Markdown: one small table for each [`Group`].
#[must_use]
pub fn readme_table() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let heading = format!(
            "**{}**\n\n| variable | flag | default | meaning |\n|---|---|---|---|\n",
            group.title()
        );
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&heading);
        for variable in VARIABLES.iter().filter(|row| row.group == group) {
            let flag = match variable.flag {
                Some(flag) => format!("`--{flag}`"),
                None => "none".to_owned(),
            };
            let default = match variable.default {
                Some(default) => format!("`{default}`"),
                None => "unset".to_owned(),
            };
            let meaning = format!("{}. Values: {}.", variable.purpose(), variable.values);
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "| `{}` | {flag} | {default} | {} |", variable.name, cell(&meaning));
        }
    }
    text
}

/// Markdown would take these characters for the border of a cell, emphasis or code.
fn cell(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = matches!(character, '|' | '*' | '`' | '~').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect()
}
