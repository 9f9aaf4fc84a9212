//! The command line: reads the settings, opens the store, serves, drains; or carries out a command.
//! The only code that exits the process and the only one that writes to standard output.

mod commands;
mod log;

use std::process::ExitCode;
use std::sync::Arc;

use larder::cache::archive::ArchiveLimits;
use larder::cache::redirect::Redirects;
use larder::cache::{Cache, Settings as CacheSettings};
use larder::config::{
    Auth, Config, Invocation, LifecycleAction, LogFormat, LogLevel, SqlitePath, StorageConfig,
};
use larder::http::{self, ApiKey, Settings, StoreInfo};
use larder::storage::lifecycle::days_for;
use larder::storage::open::open;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Small objects are allocated and freed by the million; this allocator is the faster one at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let invocation = match Invocation::load() {
        Ok(invocation) => invocation,
        Err(error) => return error.report(),
    };
    match &invocation {
        Invocation::Serve(config) | Invocation::Lifecycle(_, config) => {
            start_log(config.log.level, config.log.format)
        }
        // What a store has to say; the result is printed.
        Invocation::Copy(_) | Invocation::Verify(_) => start_log(LogLevel::Warn, LogFormat::Text),
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().on_thread_park(log::worker_rests).build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("threads could not be started: {error}")),
    };
    let told = |done: Result<(), String>| match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    };
    match invocation {
        Invocation::Serve(config) => told(runtime.block_on(run(*config))),
        Invocation::Copy(arguments) => runtime.block_on(commands::copy::run(*arguments)),
        Invocation::Verify(arguments) => runtime.block_on(commands::verify::run(*arguments)),
        Invocation::Lifecycle(action, config) => told(runtime.block_on(lifecycle(&config, action))),
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a process that does not serve")]
fn fail(error: &str) -> ExitCode {
    eprintln!("larder: {error}");
    ExitCode::FAILURE
}

fn start_log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(log::Log);
    match format {
        LogFormat::Text => {
            log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init()
        }
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

async fn run(config: Config) -> Result<(), String> {
    let opened = open(&config.storage, &config.aws).await.map_err(|error| http::chain(&error))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new connections, finishing what is under way");
    };

    for note in &config.notes {
        tracing::warn!("{note}");
    }
    tracing::info!(
        %address,
        store = config.storage.mode(),
        why = config.storage_reason,
        protocol = "MGraph-AI Cache Service 0.14.0",
        "serving"
    );
    greet(&config, address);

    let redirects = opened.presign.map(|presign| Redirects {
        presign,
        least_bytes: config.aws.bucket.redirect_bytes,
        valid: config.aws.bucket.redirect_valid,
    });
    let cache = Cache::new(opened.storage, cache_settings(&config)).with_redirects(redirects);
    let app = Arc::new(http::App::new(cache, http_settings(&config)));
    let answer = move |request| Arc::clone(&app).answer(request);
    if http::serve(listener, answer, stop, config.limits.drain).await {
        tracing::info!("stopped: everything under way was finished");
        Ok(())
    } else {
        let drain = config.limits.drain.as_secs();
        Err(format!("requests were still under way after {drain} s and were cut off"))
    }
}

/// `larder lifecycle …`.
#[expect(clippy::print_stdout, reason = "the answer to a command")]
async fn lifecycle(config: &Config, action: LifecycleAction) -> Result<(), String> {
    let told = |error: larder::storage::Error| http::chain(&error);
    let opened = open(&config.storage, &config.aws).await.map_err(|error| http::chain(&error))?;
    let rules = opened.lifecycle.ok_or_else(|| {
        format!("the mode is {}: only buckets have lifecycle rules", config.storage.mode())
    })?;
    let days = || {
        let none = "CACHE__SERVICE__DEFAULT_TTL_HOURS is 0: nothing is to be removed by age";
        days_for(config.ttl_hours).ok_or_else(|| none.to_owned())
    };
    match action {
        LifecycleAction::Show => {
            let all = rules.rules().await.map_err(told)?;
            if all.is_empty() {
                println!("the bucket has no rules");
            }
            all.iter().for_each(|rule| println!("{rule}"));
        }
        LifecycleAction::Derive => println!("{}", rules.rule(days()?)),
        LifecycleAction::Apply => {
            let days = days()?;
            rules.set_rule(days).await.map_err(told)?;
            println!("applied: {}", rules.rule(days));
        }
        LifecycleAction::Remove => {
            let was_there = rules.remove_rule().await.map_err(told)?;
            println!("{}", if was_there { "removed" } else { "there was no rule of Larder's" });
        }
    }
    Ok(())
}

/// The one line for a person.
#[expect(clippy::print_stdout, reason = "this line is what a person looks for on a terminal")]
fn greet(config: &Config, address: std::net::SocketAddr) {
    let key = match &config.auth {
        Auth::Key { name, .. } => format!("key required in header or cookie {name}"),
        Auth::Open if address.ip().is_loopback() => {
            "no key required (open to this machine only)".to_owned()
        }
        Auth::Open => "no key required (OPEN TO THE NETWORK, as --no-auth says)".to_owned(),
    };
    println!(
        "Larder listens on http://{address} | store: {} | {key} | try: curl http://{address}/info/health or open http://{address}/docs",
        config.storage.mode(),
    );
}

fn cache_settings(config: &Config) -> CacheSettings {
    CacheSettings {
        max_inflated_bytes: config.limits.max_inflated_bytes,
        // Any other store is near by.
        create_first: matches!(config.storage, StorageConfig::S3 { .. }),
        evict_when_full: matches!(config.storage, StorageConfig::Memory { max_bytes: Some(_) }),
        archive: ArchiveLimits {
            max_members: config.limits.archive.max_members,
            max_total_bytes: config.limits.archive.max_total_bytes,
            max_ratio: config.limits.archive.max_ratio,
        },
    }
}

fn http_settings(config: &Config) -> Settings {
    Settings {
        key: match &config.auth {
            Auth::Key { name, value } => Some(ApiKey::new(name, value.expose())),
            Auth::Open => None,
        },
        max_body_bytes: config.limits.max_body_bytes,
        request_timeout: config.limits.request_timeout,
        ttl_hours: config.ttl_hours,
        environment: config.environment.name(),
        server_id: config.server_id.map(|id| id.to_string()),
        server_name: config.server_name.clone(),
        local_only: matches!(config.auth, Auth::Open) && config.listen.ip().is_loopback(),
        store: store_info(&config.storage),
        admin_routes: config.admin_routes,
        test_data_routes: config.test_data_routes,
    }
}

fn store_info(storage: &StorageConfig) -> StoreInfo {
    let (place, bucket) = match storage {
        StorageConfig::Memory { .. } => (None, None),
        StorageConfig::LocalDisk { root, .. } => {
            (Some(("local_disk_path", root.display().to_string())), None)
        }
        StorageConfig::Sqlite { path: SqlitePath::InMemory, .. } => {
            (Some(("sqlite_path", ":memory:".to_owned())), None)
        }
        StorageConfig::Sqlite { path: SqlitePath::File(path), .. } => {
            (Some(("sqlite_path", path.display().to_string())), None)
        }
        StorageConfig::Zip { path, .. } => (Some(("zip_path", path.display().to_string())), None),
        StorageConfig::S3 { bucket } => (Some(("s3_bucket", bucket.clone())), Some(bucket.clone())),
    };
    StoreInfo { mode: storage.mode(), place, bucket }
}
