//! The settings as a whole, over lookups made of arrays. Nothing here looks at the process.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::ExitCode;

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

const KEY_NAME: &str = "FAST_API__AUTH__API_KEY__NAME";
const KEY_VALUE: &str = "FAST_API__AUTH__API_KEY__VALUE";
const LISTEN: &str = "CACHE__SERVICE__LISTEN";
const MODE: &str = "CACHE__SERVICE__STORAGE_MODE";
const NO_AUTH: &str = "CACHE__SERVICE__NO_AUTH";

fn flags(arguments: &[&str]) -> Flags {
    Flags::parse([&["larder"], arguments].concat()).expect("the command line parses")
}

fn outcome(environment: Pairs<'_>, arguments: &[&str]) -> Result<Config, ConfigErrors> {
    let lookup = |name: &str| {
        let pair = environment.iter().find(|(known, _)| *known == name)?;
        Some(pair.1.to_owned())
    };
    Config::from_env(lookup, &flags(arguments))
}

#[track_caller]
fn config(environment: Pairs<'_>) -> Config {
    outcome(environment, &[]).expect("the settings are right")
}

#[track_caller]
fn problems(environment: Pairs<'_>, arguments: &[&str]) -> Vec<String> {
    let errors = outcome(environment, arguments).expect_err("something is wrong");
    errors.problems().iter().map(ToString::to_string).collect()
}

/// The one problem of these settings begins with `start` and says `accepted` after that.
#[track_caller]
fn check_refused(environment: Pairs<'_>, start: &str, accepted: &str) {
    let found = problems(environment, &[]);
    let [problem] = &found[..] else { panic!("{environment:?} has problems {found:#?}") };
    let (wrong, right) = problem.split_once("; accepted: ").expect("it says what is accepted");
    assert!(wrong.starts_with(start), "{problem}");
    assert!(right.contains(accepted), "{problem}");
}

#[test]
fn defaults() {
    let config = config(&[]);
    assert_eq!(config.listen.to_string(), "127.0.0.1:10017");
    assert_eq!(config.storage, StorageConfig::Memory { max_bytes: None });
    assert!(matches!(config.auth, Auth::Open));
    let limits = Limits {
        max_body_bytes: 64 << 20,
        max_inflated_bytes: 256 << 20,
        archive: ArchiveLimits { max_members: 10_000, max_total_bytes: 256 << 20, max_ratio: 1000 },
        request_timeout: Duration::from_secs(30),
        drain: Duration::from_secs(30),
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.ttl_hours, 24);
    assert_eq!((config.server_id, config.server_name), (None, None));
    assert_eq!(config.environment, Environment::Local);
    assert_eq!(config.log, Log { format: LogFormat::Text, level: LogLevel::Info });
    assert!(config.admin_routes && config.test_data_routes);
    assert!(config.notes.is_empty());
}

#[test]
fn the_mode_is_found_in_upstreams_order() {
    const KEYS: Pairs<'_> = &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    const PROFILE: (&str, &str) = ("AWS_PROFILE", "work");
    const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
    const FUNCTION: (&str, &str) = ("AWS_LAMBDA_FUNCTION_NAME", "cache");
    let cases: &[(Pairs<'_>, &str, &str)] = &[
        (&[], "memory", "default: no mode given and no AWS variables"),
        (&[(MODE, "sqlite")], "sqlite", "CACHE__SERVICE__STORAGE_MODE=sqlite"),
        (&[(MODE, " zip\n")], "zip", "CACHE__SERVICE__STORAGE_MODE=zip"),
        (&[(MODE, "memory"), PROFILE], "memory", "CACHE__SERVICE__STORAGE_MODE=memory"),
        (&[(MODE, ""), PROFILE], "s3", "AWS_PROFILE is set and no mode was given"),
        (KEYS, "s3", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set and no mode was given"),
        (
            &[KEYS[0], KEYS[1], PROFILE],
            "s3",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set and no mode was given",
        ),
        (
            &[REGION, FUNCTION],
            "s3",
            "AWS_REGION and AWS_LAMBDA_FUNCTION_NAME are set and no mode was given",
        ),
        (&[REGION], "memory", "default: no mode given, and AWS_REGION alone cannot select s3"),
        (
            &[KEYS[0], REGION],
            "memory",
            "default: no mode given, and AWS_ACCESS_KEY_ID and AWS_REGION alone cannot select s3",
        ),
        (
            &[KEYS[0], ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_PROFILE", "")],
            "memory",
            "default: no mode given, and AWS_ACCESS_KEY_ID alone cannot select s3",
        ),
        (
            &[("AWS_ENDPOINT_URL", "http://localhost:9000"), ("AWS_DEFAULT_REGION", "eu-west-1")],
            "memory",
            "default: no mode given and no AWS variables",
        ),
    ];
    for (environment, mode, reason) in cases {
        let config = config(environment);
        assert_eq!(config.storage.mode(), *mode, "{environment:?}");
        assert_eq!(config.storage_reason, *reason, "{environment:?}");
    }

    let by_flag = outcome(&[(MODE, "zip")], &["--storage-mode", "sqlite"]).expect("right");
    assert_eq!(by_flag.storage_reason, "--storage-mode=sqlite");
}

#[test]
fn each_mode_takes_its_own_settings_as_given() {
    const PLACES: Pairs<'_> = &[
        ("CACHE__SERVICE__MEMORY_MAX_BYTES", "2g"),
        ("CACHE__SERVICE__LOCAL_DISK_PATH", " odd ~ näme/"),
        ("CACHE__SERVICE__SQLITE_PATH", "cache.sqlite"),
        ("CACHE__SERVICE__ZIP_PATH", "/var/a+b.zip"),
        ("CACHE__SERVICE__BUCKET_NAME", "my.bucket"),
    ];
    let durability = Durability::Full;
    let modes = [
        ("memory", StorageConfig::Memory { max_bytes: Some(2 << 30) }),
        ("local_disk", StorageConfig::LocalDisk { root: " odd ~ näme/".into(), durability }),
        (
            "sqlite",
            StorageConfig::Sqlite { path: SqlitePath::File("cache.sqlite".into()), durability },
        ),
        ("zip", StorageConfig::Zip { path: "/var/a+b.zip".into(), durability }),
        ("s3", StorageConfig::S3 { bucket: "my.bucket".to_owned() }),
    ];
    for (mode, expected) in modes {
        let config = config(&[PLACES, &[(MODE, mode)]].concat());
        assert_eq!(config.storage.mode(), mode);
        assert_eq!(config.storage, expected);
        // Whoever set the four others is told that they do nothing.
        assert_eq!(config.notes.len(), 4, "{:#?}", config.notes);
        assert!(config.notes.iter().all(|note| note.contains(" is ignored: ")));
    }

    let defaults = [
        ("memory", StorageConfig::Memory { max_bytes: None }),
        ("local_disk", StorageConfig::LocalDisk { root: "/tmp/cache".into(), durability }),
        ("sqlite", StorageConfig::Sqlite { path: SqlitePath::InMemory, durability }),
        ("zip", StorageConfig::Zip { path: "/tmp/cache.zip".into(), durability }),
        ("s3", StorageConfig::S3 { bucket: "mgraph-ai-cache".to_owned() }),
    ];
    for (mode, expected) in defaults {
        let empty = PLACES.iter().map(|(name, _)| (*name, ""));
        let environment: Vec<_> = empty.chain([(MODE, mode)]).collect();
        let config = config(&environment);
        assert_eq!(config.storage, expected);
        assert!(config.notes.is_empty());
    }
}

#[test]
fn stores_in_files_wait_for_the_disk_unless_told_otherwise() {
    const NAME: &str = "CACHE__SERVICE__DURABILITY";
    for mode in ["local_disk", "sqlite", "zip"] {
        for (text, expected) in [
            ("", Durability::Full),
            ("Full", Durability::Full),
            (" relaxed\n", Durability::Relaxed),
        ] {
            match config(&[(MODE, mode), (NAME, text)]).storage {
                StorageConfig::LocalDisk { durability, .. }
                | StorageConfig::Sqlite { durability, .. }
                | StorageConfig::Zip { durability, .. } => assert_eq!(durability, expected),
                other => panic!("{other:?}"),
            }
        }
        check_refused(&[(MODE, mode), (NAME, "off")], NAME, "full or relaxed");
    }
}

#[test]
fn settings_of_other_modes_are_not_checked() {
    let faulty = [
        ("CACHE__SERVICE__MEMORY_MAX_BYTES", "lots"),
        ("CACHE__SERVICE__LOCAL_DISK_PATH", "  "),
        ("CACHE__SERVICE__SQLITE_PATH", "folder/"),
        ("CACHE__SERVICE__ZIP_PATH", "folder/"),
        ("CACHE__SERVICE__BUCKET_NAME", "B"),
    ];
    for (mode, at_fault) in ["memory", "local_disk", "sqlite", "zip", "s3"].iter().zip(0..) {
        let found = problems(&[&faulty[..], &[(MODE, mode)]].concat(), &[]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(faulty[at_fault].0), "{found:#?}");
    }
    let aws = [("AWS_ENDPOINT_URL", "nonsense"), ("AWS_PROFILE", " "), (MODE, "memory")];
    assert_eq!(config(&aws).storage.mode(), "memory");
}

#[test]
fn aws_settings_reach_the_client_in_s3_mode_only() {
    const AWS: Pairs<'_> = &[
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_ENDPOINT_URL", "http://localhost:4566"),
        ("AWS_PROFILE", "work"),
    ];
    let aws = config(AWS).aws;
    assert_eq!(aws.region.as_deref(), Some("eu-west-2"));
    assert_eq!(aws.endpoint_url.as_deref(), Some("http://localhost:4566"));
    assert_eq!(aws.profile.as_deref(), Some("work"));
    let credentials = aws.credentials.expect("both halves are set");
    assert_eq!(credentials.access_key_id, "id");
    assert_eq!(credentials.secret_access_key.expose(), "secret");
    assert_eq!(credentials.session_token.as_ref().map(Secret::expose), Some("token"));

    let nearer = [("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL_S3", "https://s3.example")];
    let config_nearer = config(&[AWS, &nearer].concat());
    assert_eq!(config_nearer.aws.region.as_deref(), Some("eu-west-1"));
    assert_eq!(config_nearer.aws.endpoint_url.as_deref(), Some("https://s3.example"));
    assert_eq!(config_nearer.environment, Environment::AwsLambda);

    let memory = config(&[AWS, &[(MODE, "memory")]].concat()).aws;
    assert!(memory.region.is_none() && memory.credentials.is_none());

    let half = config(&[(MODE, "s3"), ("AWS_ACCESS_KEY_ID", "id")]);
    assert!(half.aws.credentials.is_none());
    assert_eq!(
        half.notes,
        ["AWS_ACCESS_KEY_ID is ignored, since AWS_SECRET_ACCESS_KEY is not set"]
    );
}

#[test]
fn the_region_decides_what_the_status_says() {
    for (region, mode, expected) in [
        ("eu-west-1", "memory", "aws-lambda"),
        ("eu-west-1", "s3", "aws-lambda"),
        ("", "s3", "local"),
    ] {
        let config = config(&[("AWS_REGION", region), (MODE, mode)]);
        assert_eq!(config.environment.name(), expected, "{region} {mode}");
    }
}

#[test]
fn what_is_not_accepted_is_refused_by_name() {
    const PREFIX: &str = "CACHE__SERVICE__";
    let modes = "memory, s3, local_disk, sqlite or zip";
    let cases = [
        ("STORAGE_MODE", "bogus", modes),
        ("STORAGE_MODE", "MEMORY", modes),
        ("LISTEN", "localhost:80", "no host names"),
        ("LISTEN", "127.0.0.1", "a port"),
        ("LISTEN", "127.0.0.1:65536", "a port"),
        ("LISTEN", "::1:80", "[::1]"),
        ("DEFAULT_TTL_HOURS", "abc", "0 to 4294967295"),
        ("DEFAULT_TTL_HOURS", "-1", "0 to 4294967295"),
        ("DEFAULT_TTL_HOURS", "+1", "0 to 4294967295"),
        ("DEFAULT_TTL_HOURS", "1.5", "0 to 4294967295"),
        ("DEFAULT_TTL_HOURS", "4294967296", "0 to 4294967295"),
        ("DEFAULT_TTL_HOURS", "99999999999999999999", "0 to 4294967295"),
        ("MAX_BODY_BYTES", "0", "1 or more"),
        ("MAX_BODY_BYTES", "64MB", "MiB"),
        ("MAX_BODY_BYTES", "MiB", "MiB"),
        ("MAX_BODY_BYTES", "-1", "MiB"),
        ("MAX_BODY_BYTES", "1.5GiB", "MiB"),
        ("MAX_BODY_BYTES", "18446744073709551615k", "MiB"),
        ("MAX_INFLATED_BYTES", "much", "MiB"),
        ("ARCHIVE_MAX_MEMBERS", "0", "1 to 65535"),
        ("ARCHIVE_MAX_MEMBERS", "65536", "1 to 65535"),
        ("ARCHIVE_MAX_BYTES", "0", "1 or more"),
        ("ARCHIVE_MAX_RATIO", "0", "1 or more"),
        ("ARCHIVE_MAX_RATIO", "1.5", "1 or more"),
        ("MEMORY_MAX_BYTES", "0", "1 or more"),
        ("MEMORY_MAX_BYTES", "all", "MiB"),
        ("REQUEST_TIMEOUT_SECONDS", "0", "1 to 86400"),
        ("REQUEST_TIMEOUT_SECONDS", "30s", "1 to 86400"),
        ("DRAIN_SECONDS", "86401", "0 to 86400"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("LOG_LEVEL", "loud", "error, warn, info, debug or trace"),
        ("ADMIN_ROUTES", "maybe", "on or off"),
        ("TEST_DATA_ROUTES", "2", "on or off"),
        ("NO_AUTH", "sure", "on or off"),
    ];
    for (name, value, accepted) in cases {
        let name = format!("{PREFIX}{name}");
        check_refused(&[(&name, value)], &format!("{name}: {value:?} "), accepted);
    }
    let id = "FAST_API__SERVER_ID";
    check_refused(&[(id, "server-1")], "FAST_API__SERVER_ID: \"server-1\" is not", "UUID");
    for (mode, name, value, accepted) in [
        ("sqlite", "CACHE__SERVICE__SQLITE_PATH", "data/", "a file"),
        ("zip", "CACHE__SERVICE__ZIP_PATH", "..", "a file"),
        ("s3", "AWS_ENDPOINT_URL", "localhost:4566", "http://"),
        ("s3", "AWS_ENDPOINT_URL_S3", "ftp://host", "http://"),
        ("s3", "AWS_ENDPOINT_URL", "http://", "http://"),
        ("s3", "CACHE__SERVICE__S3_KEY_PREFIX", "a/../b", "a path"),
        ("s3", "CACHE__SERVICE__S3_KEY_PREFIX", "a//b", "a path"),
        ("s3", "CACHE__SERVICE__S3_ENCRYPTION", "aes256", "AES256 or aws:kms"),
        ("s3", "CACHE__SERVICE__S3_DEADLINE_SECONDS", "0", "1 to 86400"),
    ] {
        check_refused(&[(MODE, mode), (name, value)], &format!("{name}: {value:?} "), accepted);
    }
}

#[test]
fn white_space_alone_is_refused_and_an_empty_value_is_none() {
    for variable in VARIABLES {
        // A mode that reads the variable; without one, all AWS variables but the client's are read.
        let mode = match (variable.mode, variable.group) {
            (Some(mode), _) => mode.name(),
            (None, Group::Aws) if variable.name != "AWS_LAMBDA_FUNCTION_NAME" => "s3",
            (None, _) if variable.name == "CACHE__SERVICE__DURABILITY" => "sqlite",
            (None, _) => "",
        };
        let with = |value| {
            let mode = (variable.name != MODE).then_some((MODE, mode));
            let environment: Vec<_> = mode.into_iter().chain([(variable.name, value)]).collect();
            outcome(&environment, &[])
        };
        let config = with("").expect("an empty value counts as unset");
        assert!(config.notes.is_empty(), "{:?}", config.notes);

        let errors = with(" \t").expect_err(variable.name);
        let blank = errors.problems().iter().filter(|problem| {
            problem.variable() == Some(variable.name)
                && problem.to_string().contains(" is only white space; accepted: ")
        });
        assert_eq!(blank.count(), 1, "{errors}");
    }
}

#[test]
fn numbers_sizes_and_switches() {
    let sizes = [
        ("1", 1),
        ("1048576", 1 << 20),
        ("3k", 3 << 10),
        ("3K", 3 << 10),
        ("64MiB", 64 << 20),
        ("64 mib", 64 << 20),
        (" 2g ", 2 << 30),
        ("2GiB", 2 << 30),
    ];
    for (text, bytes) in sizes {
        let config = config(&[("CACHE__SERVICE__MAX_BODY_BYTES", text)]);
        assert_eq!(config.limits.max_body_bytes, bytes, "{text}");
    }
    for (text, expected) in [("on", true), ("TRUE", true), ("1", true), ("no", false), ("0", false)]
    {
        let config = config(&[
            ("CACHE__SERVICE__ADMIN_ROUTES", text),
            ("CACHE__SERVICE__TEST_DATA_ROUTES", text),
        ]);
        assert_eq!((config.admin_routes, config.test_data_routes), (expected, expected));
    }
    let config = config(&[
        ("CACHE__SERVICE__DEFAULT_TTL_HOURS", " 0 "),
        ("CACHE__SERVICE__DRAIN_SECONDS", "0"),
        ("CACHE__SERVICE__LOG_FORMAT", "json"),
        ("CACHE__SERVICE__LOG_LEVEL", "WARN"),
        ("FAST_API__SERVER_ID", "6F2C1F0E-6A43-4B39-9F3C-0D7C5C1F8A11"),
        ("FAST_API__SERVER_NAME", "blue one"),
        (LISTEN, "[::1]:0"),
    ]);
    assert_eq!((config.ttl_hours, config.limits.drain), (0, Duration::ZERO));
    assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Warn });
    let id = config.server_id.map(|id| id.to_string());
    assert_eq!(id.as_deref(), Some("6f2c1f0e-6a43-4b39-9f3c-0d7c5c1f8a11"));
    assert_eq!(config.server_name.as_deref(), Some("blue one"));
    assert_eq!(config.listen.to_string(), "[::1]:0");
}

#[test]
fn bucket_names_follow_the_rules_of_s3() {
    let long = "a".repeat(63);
    let too_long = "a".repeat(64);
    for (name, accepted) in [
        ("mgraph-ai-cache", true),
        ("a.b-c.9", true),
        ("abc", true),
        (&long, true),
        ("ab", false),
        (&too_long, false),
        ("Bucket", false),
        ("my_bucket", false),
        ("bückët", false),
        ("-bucket", false),
        ("bucket-", false),
        (".bucket", false),
        ("a..b", false),
        ("192.168.0.1", false),
        ("a/b", false),
    ] {
        let settings = [(MODE, "s3"), ("CACHE__SERVICE__BUCKET_NAME", name)];
        assert_eq!(outcome(&settings, &[]).is_ok(), accepted, "{name}");
        if !accepted {
            check_refused(&settings, "CACHE__SERVICE__BUCKET_NAME: ", "3 to 63 lower-case");
        }
    }
}

#[test]
fn a_key_needs_both_halves() {
    let config = config(&[(KEY_NAME, "X-API-Key"), (KEY_VALUE, "hunter2"), (LISTEN, "0.0.0.0:1")]);
    let Auth::Key { name, value } = config.auth else { panic!("{:?}", config.auth) };
    assert_eq!((name.as_str(), value.expose()), ("X-API-Key", "hunter2"));
    assert!(config.notes.is_empty());

    for listen in ["127.0.0.1:1", "0.0.0.0:1"] {
        check_refused(
            &[(KEY_NAME, "X-API-Key"), (LISTEN, listen)],
            "FAST_API__AUTH__API_KEY__VALUE: not set, although FAST_API__AUTH__API_KEY__NAME is",
            "together, or neither",
        );
        check_refused(
            &[(KEY_VALUE, "hunter2"), (KEY_NAME, ""), (LISTEN, listen)],
            "FAST_API__AUTH__API_KEY__NAME: not set, although FAST_API__AUTH__API_KEY__VALUE is",
            "together, or neither",
        );
    }
    let by_flag = problems(&[], &["--api-key-name", "X-API-Key"]);
    assert!(
        by_flag[0].contains("although --api-key-name (FAST_API__AUTH__API_KEY__NAME) is"),
        "{by_flag:?}"
    );
}

#[test]
fn without_a_key_only_loopback_is_open() {
    for listen in ["127.0.0.1:1", "127.255.0.9:1", "[::1]:1"] {
        assert!(matches!(config(&[(LISTEN, listen)]).auth, Auth::Open), "{listen}");
    }
    for listen in ["0.0.0.0:1", "192.168.0.1:1", "128.0.0.1:1", "[::]:1", "[::2]:1"] {
        let start = format!("{LISTEN}: {listen} is not a loopback address, and no API key is set");
        check_refused(&[(LISTEN, listen)], &start, KEY_NAME);
        check_refused(&[(LISTEN, listen), (NO_AUTH, "off")], &start, "--no-auth");
        let open = config(&[(LISTEN, listen), (NO_AUTH, "true")]);
        assert!(matches!(open.auth, Auth::Open), "{listen}");
        let open = outcome(&[(LISTEN, listen)], &["--no-auth"]).expect("asked for");
        assert!(matches!(open.auth, Auth::Open), "{listen}");
    }
    let by_flag = problems(&[], &["--listen", "0.0.0.0:1"]);
    assert!(by_flag[0].starts_with("--listen (CACHE__SERVICE__LISTEN): 0.0.0.0:1"), "{by_flag:?}");
}

#[test]
fn a_key_and_no_authentication_contradict_each_other() {
    let both = [(KEY_NAME, "X-API-Key"), (KEY_VALUE, "hunter2")];
    for (given, named) in [
        (&both[..], "FAST_API__AUTH__API_KEY__NAME and FAST_API__AUTH__API_KEY__VALUE are set"),
        (&both[..1], "FAST_API__AUTH__API_KEY__NAME is set"),
        (&both[1..], "FAST_API__AUTH__API_KEY__VALUE is set"),
    ] {
        let found = problems(given, &["--no-auth"]);
        let wrong = format!(
            "--no-auth (CACHE__SERVICE__NO_AUTH): asks for no authentication, although {named}; \
             accepted: either an API key or no authentication"
        );
        assert_eq!(found, [wrong]);
    }
    let withdrawn = outcome(&[(NO_AUTH, "on"), both[0], both[1]], &["--no-auth=off"]);
    assert!(matches!(withdrawn.expect("right").auth, Auth::Key { .. }));
}

#[test]
fn names_and_values_of_keys() {
    for (name, accepted) in [
        ("X-API-Key", true),
        ("api-key__for__mgraph-ai__service", true),
        (" trimmed ", true),
        ("two words", false),
        ("semi;colon", false),
        ("a=b", false),
        ("a:b", false),
        ("schlüssel", false),
    ] {
        let settings = [(KEY_NAME, name), (KEY_VALUE, "v")];
        match outcome(&settings, &[]) {
            Ok(Config { auth: Auth::Key { name: kept, .. }, .. }) => {
                assert!(accepted, "{name}");
                assert_eq!(kept, name.trim());
            }
            Ok(config) => panic!("{config:?}"),
            Err(_) => {
                assert!(!accepted, "{name}");
                check_refused(&settings, &format!("{KEY_NAME}: {name:?} cannot be"), "letters");
            }
        }
    }

    let white = "the white space around";
    let cookies = "characters that cookies do not carry";
    for (given, kept, notes) in [
        ("hunter2", "hunter2", &[][..]),
        (" hunter2\n", "hunter2", &[white]),
        ("two words", "two words", &[cookies]),
        ("a;b", "a;b", &[cookies]),
        ("clé", "clé", &[cookies]),
        ("\t\"q\" ", "\"q\"", &[white, cookies]),
    ] {
        let config = config(&[(KEY_NAME, "k"), (KEY_VALUE, given)]);
        let Auth::Key { value, .. } = config.auth else { panic!("{:?}", config.auth) };
        assert_eq!(value.expose(), kept);
        assert_eq!(config.notes.len(), notes.len(), "{:?}", config.notes);
        assert!(config.notes.iter().zip(notes).all(|(note, part)| note.contains(part)));
        assert!(config.notes.iter().all(|note| !note.contains(kept)));
    }
    for refused in ["hunter\u{1}2", "hunter\u{7f}2", "hunter\u{80}2", "hunter€2", "hunter\n2"] {
        check_refused(
            &[(KEY_NAME, "k"), (KEY_VALUE, refused)],
            "FAST_API__AUTH__API_KEY__VALUE: the value (not shown) has control characters",
            "Latin-1",
        );
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let environment = [
        (LISTEN, "nowhere"),
        ("CACHE__SERVICE__LOG_LEVEL", "loud"),
        (KEY_VALUE, "hunter2"),
        (MODE, "zip"),
        ("CACHE__SERVICE__ZIP_PATH", "/"),
        ("FAST_API__SERVER_ID", "1"),
    ];
    let arguments = ["--default-ttl-hours", "-1", "--admin-routes=perhaps", "--log-level=shout"];
    let errors = outcome(&environment, &arguments).expect_err("much is wrong");
    let named: Vec<_> = errors.problems().iter().filter_map(Problem::variable).collect();
    assert_eq!(
        named,
        [
            LISTEN,
            "CACHE__SERVICE__ADMIN_ROUTES",
            "FAST_API__SERVER_ID",
            KEY_NAME,
            "CACHE__SERVICE__ZIP_PATH",
            "CACHE__SERVICE__DEFAULT_TTL_HOURS",
            "CACHE__SERVICE__LOG_LEVEL",
        ]
    );
    let text = errors.to_string();
    assert!(text.starts_with("the configuration has 7 problems:\n  CACHE__SERVICE__LISTEN: "));
    let ttl = "\n  --default-ttl-hours (CACHE__SERVICE__DEFAULT_TTL_HOURS): \"-1\" is not a whole \
               number, 0 or more; accepted: a whole number of hours, 0 to 4294967295";
    assert!(text.contains(ttl), "{text}");
    assert!(text.contains("\n  --log-level (CACHE__SERVICE__LOG_LEVEL): \"shout\" "), "{text}");
}

#[test]
fn long_and_odd_values_are_shown_short_and_escaped() {
    let long = format!("\u{1b}[31m{}", "é".repeat(5000));
    let found = problems(&[(MODE, &long)], &[]);
    assert!(found[0].chars().count() < 250 && !found[0].contains('\u{1b}'), "{found:?}");
}

#[test]
fn flags_win_over_the_environment() {
    let environment =
        [("CACHE__SERVICE__MAX_BODY_BYTES", "1k"), ("CACHE__SERVICE__DEFAULT_TTL_HOURS", "wrong")];
    let config =
        outcome(&environment, &["--default-ttl-hours=7", "--max-body-bytes", ""]).expect("right");
    assert_eq!(config.ttl_hours, 7);
    // An empty flag decides too: for the default.
    assert_eq!(config.limits.max_body_bytes, 64 << 20);
}

#[test]
fn every_flag_is_heard() {
    let values = [
        ("listen", "[::1]:5"),
        ("admin-routes", "off"),
        ("test-data-routes", "off"),
        ("server-id", "00000000-0000-0000-0000-000000000000"),
        ("server-name", "blue"),
        ("storage-mode", "s3"),
        ("bucket-name", "other"),
        ("default-ttl-hours", "1"),
        ("max-body-bytes", "2"),
        ("max-inflated-bytes", "3"),
        ("archive-max-members", "6"),
        ("archive-max-bytes", "7"),
        ("archive-max-ratio", "8"),
        ("request-timeout-seconds", "4"),
        ("drain-seconds", "5"),
        ("log-format", "json"),
        ("log-level", "trace"),
        ("aws-region", "eu-west-1"),
        ("aws-endpoint-url", "http://host"),
        ("aws-profile", "work"),
        ("s3-key-prefix", "/team/cache/"),
        ("s3-create-bucket", "off"),
        ("s3-path-style", "on"),
        ("s3-encryption", "aws:kms"),
        ("s3-kms-key-id", "key-1"),
        ("s3-attempt-seconds", "6"),
        ("s3-deadline-seconds", "7"),
        ("s3-redirect-bytes", "9k"),
        ("s3-redirect-seconds", "10"),
    ];
    let arguments: Vec<_> =
        values.iter().flat_map(|(flag, value)| [format!("--{flag}"), (*value).into()]).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let config = outcome(&[], &arguments).expect("right");
    assert_eq!(config.listen.port(), 5);
    assert!(!config.admin_routes && !config.test_data_routes);
    assert_eq!(config.server_id, Some(Uuid::nil()));
    assert_eq!(config.server_name.as_deref(), Some("blue"));
    assert_eq!(config.storage, StorageConfig::S3 { bucket: "other".to_owned() });
    assert_eq!(config.ttl_hours, 1);
    assert_eq!((config.limits.max_body_bytes, config.limits.max_inflated_bytes), (2, 3));
    let archive = ArchiveLimits { max_members: 6, max_total_bytes: 7, max_ratio: 8 };
    assert_eq!(config.limits.archive, archive);
    assert_eq!(config.limits.request_timeout, Duration::from_secs(4));
    assert_eq!(config.limits.drain, Duration::from_secs(5));
    assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Trace });
    assert_eq!(config.aws.region.as_deref(), Some("eu-west-1"));
    assert_eq!(config.aws.endpoint_url.as_deref(), Some("http://host"));
    assert_eq!(config.aws.profile.as_deref(), Some("work"));
    let bucket = BucketOptions {
        key_prefix: "team/cache".to_owned(),
        create: false,
        path_style: Some(true),
        encryption: Some(S3Encryption::Kms),
        kms_key_id: Some("key-1".to_owned()),
        attempt_timeout: Duration::from_secs(6),
        call_deadline: Duration::from_secs(7),
        redirect_bytes: 9 << 10,
        redirect_valid: Duration::from_secs(10),
    };
    assert_eq!(config.aws.bucket, bucket);

    let durability = Durability::Full;
    for (flag, mode) in [
        ("--local-disk-path=x", StorageConfig::LocalDisk { root: "x".into(), durability }),
        (
            "--sqlite-path=x",
            StorageConfig::Sqlite { path: SqlitePath::File("x".into()), durability },
        ),
        ("--zip-path=x", StorageConfig::Zip { path: "x".into(), durability }),
        ("--memory-max-bytes=1", StorageConfig::Memory { max_bytes: Some(1) }),
    ] {
        let config = outcome(&[(MODE, mode.mode())], &[flag]).expect("right");
        assert_eq!(config.storage, mode);
    }
    let keyed = outcome(&[(KEY_VALUE, "v")], &["--api-key-name=k"]).expect("right");
    assert!(matches!(keyed.auth, Auth::Key { .. }));
}

#[test]
fn command_lines_that_do_not_parse() {
    let kind = |arguments: &[&str]| {
        let parsed = Flags::parse([&["larder"], arguments].concat());
        parsed.expect_err("it does not parse").kind()
    };
    use clap::error::ErrorKind;
    assert_eq!(kind(&["--help"]), ErrorKind::DisplayHelp);
    assert_eq!(kind(&["-V"]), ErrorKind::DisplayVersion);
    assert_eq!(kind(&["--port", "80"]), ErrorKind::UnknownArgument);
    assert_eq!(kind(&["serve"]), ErrorKind::InvalidSubcommand);
    assert_eq!(kind(&["--listen"]), ErrorKind::InvalidValue);
    let secret = Flags::parse(["larder", "--api-key-value=hunter2"]).expect_err("no such flag");
    assert!(!secret.to_string().contains("hunter2"));
    let version = Flags::parse(["larder", "--version"]).expect_err("it is shown");
    assert_eq!(version.to_string(), format!("larder {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_variable_is_read_and_every_one_read_is_in_the_table() {
    let asked = RefCell::new(BTreeSet::new());
    for mode in ["", "memory", "local_disk", "sqlite", "zip", "s3"] {
        let lookup = |name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            (name == MODE).then(|| mode.to_owned())
        };
        Config::from_env(lookup, &Flags::default()).expect("defaults are right in every mode");
    }
    let known: BTreeSet<_> = VARIABLES.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(asked.into_inner(), known);
    assert_eq!(known.len(), VARIABLES.len(), "a name stands in the table twice");
}

#[test]
fn only_secrets_have_no_flag() {
    let secrets: Vec<_> = VARIABLES.iter().filter(|row| row.secret).map(|row| row.name).collect();
    assert_eq!(secrets, [KEY_VALUE, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]);
    assert!(VARIABLES.iter().all(|row| row.secret == row.flag.is_none()));
}

#[test]
fn help_and_readme_mention_every_variable() {
    // clap checks its own rules here, such as flags that stand twice.
    cli::command().debug_assert();
    let help = cli::command().render_help().to_string();
    let readme = readme_table();
    for variable in VARIABLES {
        let default = variable.default.unwrap_or("unset");
        let (in_help, in_readme) = match variable.flag {
            Some(flag) => {
                assert!(help.contains(&format!("--{flag}")), "{flag}");
                let code = variable.default.map_or("unset".to_owned(), |text| format!("`{text}`"));
                (
                    format!("[{}, default {default}]", variable.name),
                    format!("| `{}` | `--{flag}` | {code} | ", variable.name),
                )
            }
            None => (
                format!("  {}\n", variable.name),
                format!("| `{}` | none | unset | ", variable.name),
            ),
        };
        assert!(help.contains(&in_help), "{in_help}\n{help}");
        assert!(readme.contains(&in_readme), "{in_readme}\n{readme}");
    }
    assert!(help.contains("arguments show in process lists"));
    assert!(help.ends_with("--listen 0.0.0.0:10017\n"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    // Each row has four cells.
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    assert!(rows.clone().all(|row| row.replace("\\|", "").matches('|').count() == 5), "{readme}");
    assert_eq!(rows.count(), VARIABLES.len());
}

#[test]
fn secrets_show_nowhere() {
    const SECRET: &str = "hunter2";
    fn shown(what: &(impl Debug + ?Sized)) -> String {
        format!("{what:?} {what:#?}")
    }
    let right = [
        (KEY_NAME, "k"),
        (KEY_VALUE, SECRET),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", SECRET),
    ];
    let config = config(&right);
    assert!(config.aws.credentials.is_some());
    assert!(!shown(&config).contains(SECRET));

    let wrong = [
        (KEY_NAME, "not a name"),
        (KEY_VALUE, "hunter2\u{1}"),
        (NO_AUTH, "maybe"),
        (MODE, "bogus"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let errors = outcome(&wrong, &[]).expect_err("much is wrong");
    assert_eq!(errors.problems().len(), 4);
    assert!(!errors.to_string().contains(SECRET));
    assert!(!shown(&errors).contains(SECRET));

    let text = "FAST_API__AUTH__API_KEY__VALUE='hunter2\nhunter2\nB='hunter2' hunter2\n\
                AWS_SECRET_ACCESS_KEY=\"hunter2${HOME}\"\n";
    let file = DotEnv::from_text(Path::new("/.env"), text);
    let errors = from_sources(&[], &[], Some(&file)).expect_err("no line is right");
    assert!(errors.problems().len() >= 3, "{errors}");
    assert!(!errors.to_string().contains(SECRET));
    assert!(!shown(&errors).contains(SECRET));
}

fn from_sources(
    arguments: &[&str],
    environment: Pairs<'_>,
    file: Option<&DotEnv>,
) -> Result<Config, ConfigErrors> {
    let lookup = |name: &str| {
        let pair = environment.iter().find(|(known, _)| *known == name)?;
        Some(OsString::from(pair.1))
    };
    Config::from_sources(&flags(arguments), lookup, file)
}

#[test]
fn flags_over_environment_over_file_over_defaults() {
    const TTL: &str = "CACHE__SERVICE__DEFAULT_TTL_HOURS";
    let file = DotEnv::from_text(Path::new("/srv/.env"), &format!("{TTL}=3\n"));
    let ttl = |arguments: &[&str], environment, file| {
        from_sources(arguments, environment, file).expect("right").ttl_hours
    };
    let flag = ["--default-ttl-hours=1"];
    assert_eq!(ttl(&flag, &[(TTL, "2")], Some(&file)), 1);
    assert_eq!(ttl(&[], &[(TTL, "2")], Some(&file)), 2);
    assert_eq!(ttl(&[], &[], Some(&file)), 3);
    assert_eq!(ttl(&[], &[], None), 24);
    // An empty variable hides the file's line, as in upstream.
    assert_eq!(ttl(&[], &[(TTL, "")], Some(&file)), 24);

    let config = from_sources(&[], &[], Some(&file)).expect("right");
    let note = "/srv/.env was read for variables that the environment does not set";
    assert_eq!(config.notes, [note]);
    let errors = from_sources(&[], &[(TTL, "x")], Some(&file)).expect_err("wrong");
    assert!(errors.to_string().ends_with("\n(variables were also read from /srv/.env)"));
}

#[test]
fn faults_of_the_file_are_reported_with_the_others() {
    let text = format!("{MODE}=sqlite\nwhat is this\n{KEY_VALUE}='open\n");
    let file = DotEnv::from_text(Path::new("/srv/.env"), &text);
    let environment = [(KEY_NAME, "k"), ("CACHE__SERVICE__LOG_FORMAT", "xml")];
    let errors = from_sources(&[], &environment, Some(&file)).expect_err("three faults");
    let found: Vec<_> = errors.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "/srv/.env, line 2: has no = sign; accepted: NAME=value, with optional export, quotes \
             and # comment",
            "FAST_API__AUTH__API_KEY__VALUE in /srv/.env, line 3: opens a quote that is not \
             closed; accepted: NAME=value, with optional export, quotes and # comment",
            "CACHE__SERVICE__LOG_FORMAT: \"xml\" is not a log format; accepted: text or json",
        ]
    );
}

#[cfg(unix)]
#[test]
fn values_that_are_not_text_are_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = "CACHE__SERVICE__ZIP_PATH";
    let lookup = |name: &str| match name {
        "CACHE__SERVICE__ZIP_PATH" => Some(OsString::from_vec(b"/tmp/\xff/".to_vec())),
        _ if name == MODE => Some("zip".into()),
        _ => None,
    };
    let errors = Config::from_sources(&Flags::default(), lookup, None).expect_err("not UTF-8");
    assert_eq!(
        errors.problems(),
        [Problem::NotText { setting: Setting { variable: path, flag: None } }]
    );
    // A flag hides it.
    let config = Config::from_sources(&flags(&["--zip-path=a.zip"]), lookup, None).expect("right");
    let durability = Durability::Full;
    assert_eq!(config.storage, StorageConfig::Zip { path: "a.zip".into(), durability });
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    // A folder stands in for a file without permission, which the superuser could read.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = DotEnv::read(&folder);
    let errors = from_sources(&[], &[], Some(&file)).expect_err("it is a folder");
    let text = errors.problems()[0].to_string();
    assert!(text.contains("src: cannot be read: "), "{text}");
    assert_eq!(errors.problems().len(), 1);
}

#[test]
fn reports_end_with_the_right_status() {
    let status = |error: LoadError| format!("{:?}", error.report());
    let settings = outcome(&[(MODE, "bogus")], &[]).expect_err("wrong");
    assert_eq!(status(settings.into()), format!("{:?}", ExitCode::from(2)));
    for (argument, expected) in [("--version", ExitCode::SUCCESS), ("--bogus", ExitCode::from(2))] {
        let error = Flags::parse(["larder", argument]).expect_err("no settings");
        assert_eq!(status(error.into()), format!("{expected:?}"), "{argument}");
    }
}

#[test]
fn a_command_knows_its_actions() {
    for (name, ..) in LifecycleAction::ALL {
        Flags::parse(["larder", "lifecycle", name, "--log-level=warn"]).expect("right");
    }
    let error = Flags::parse(["larder", "lifecycle", "sing"]).expect_err("no such action");
    assert!(error.to_string().contains("derive"), "{error}");
}
