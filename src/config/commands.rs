//! The commands beside serving: `larder copy`, `larder verify` and `larder lifecycle`.

use std::ffi::OsString;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::address::{ADDRESSES, StorePlace};
use super::cli::{self, Flags};
use super::lifecycle::LifecycleAction;
use super::{AddressError, Config, LoadError, Sources};
use crate::key::Namespace;

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// To serve: no command was given.
    Serve(Box<Config>),
    /// To copy a store.
    Copy(Box<CopyArguments>),
    /// To check a store.
    Verify(Box<VerifyArguments>),
    /// To look after the rules by which a bucket removes what is old.
    Lifecycle(LifecycleAction, Box<Config>),
}

/// `larder copy`.
#[derive(Debug, Clone)]
pub struct CopyArguments {
    /// From where.
    pub from: StorePlace,
    /// To where.
    pub to: StorePlace,
    /// Which namespaces; none named: all.
    pub namespaces: Vec<Namespace>,
    /// Replaces what has another value in the target.
    pub overwrite: bool,
    /// Only looks.
    pub dry_run: bool,
    /// The summary is to be JSON.
    pub json: bool,
}

/// `larder verify`.
#[derive(Debug, Clone)]
pub struct VerifyArguments {
    /// Which store.
    pub store: StorePlace,
    /// Which namespaces; none named: all.
    pub namespaces: Vec<Namespace>,
    /// What is to be repaired.
    pub repair: Option<RepairScope>,
    /// The report is to be JSON.
    pub json: bool,
}

/// How much a repair may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairScope {
    /// References and side files.
    References,
    /// Those, and what no entry leads to is deleted.
    Orphans,
}

const COPY: &str = "copy";
const VERIFY: &str = "verify";
const LIFECYCLE: &str = "lifecycle";

const COPY_AFTER: &str = "\
Content is copied before the references to it, every object is read back and compared by its
SHA-256, and nothing is replaced unless --overwrite says so. A copy that was cut off is continued by
running it again. Copy from a store at rest: a change of the source during the copy is reported, and
the copy is then to be run again.

Exit status: 0 the target holds all of it; 1 it does not (objects in the way, or the source changed);
2 the copy could not be made.

Examples:
  larder copy --from disk:/var/lib/larder --to sqlite:/var/lib/larder.sqlite
  larder copy --from sqlite:cache.sqlite --to zip:team.zip --namespace team";

const VERIFY_AFTER: &str = "\
Without --repair nothing is changed. With it, every change is made on the condition that nobody was
faster, so a service may be at work on the store. Content and child data are never deleted but by
--repair=orphans, and then only what no entry leads to and was stored more than an hour ago.

Exit status: 0 sound, or everything repaired; 1 there are findings; 2 the check could not be made.

Examples:
  larder verify --store disk:/var/lib/larder
  larder verify --store sqlite:cache.sqlite --repair --json";

/// The commands, for the command line.
pub(super) fn commands() -> [Command; 3] {
    let address =
        |name: &'static str, help: String| Arg::new(name).long(name).value_name("STORE").help(help);
    let addresses = ADDRESSES.trim_end_matches(" or memory");
    let from = address("from", format!("The store to copy: {addresses}"));
    let to = address("to", "The store to copy to, which need not exist".to_owned());
    let copy = Command::new(COPY)
        .about("Copies a store, or some of its namespaces, into another store of any kind")
        .arg(from.required(true))
        .arg(to.required(true))
        .arg(namespace())
        .arg(switch("overwrite", "Replace objects that have another value in the target"))
        .arg(switch("dry-run", "Only say what would be copied"))
        .arg(switch("json", "Print the summary as JSON"))
        .after_help(COPY_AFTER);
    let store = "The store to check; without it, the one that the service's variables name";
    let repair = Arg::new("repair")
        .long("repair")
        .num_args(0..=1)
        .require_equals(true)
        .value_name("SCOPE")
        .value_parser(PossibleValuesParser::new(["references", "orphans"]))
        .default_missing_value("references")
        .help(
            "Repair references and side files; with =orphans, also delete what no entry leads to",
        );
    let verify = Command::new(VERIFY)
        .about("Checks every reference, file and orphan of a store, and repairs them if told to")
        .arg(address("store", format!("{store} ({addresses})")))
        .arg(namespace())
        .arg(repair)
        .arg(switch("json", "Print the report as JSON"))
        .after_help(VERIFY_AFTER);
    [copy, verify, lifecycle()]
}

fn lifecycle() -> Command {
    let actions = PossibleValuesParser::new(
        LifecycleAction::ALL.map(|(name, _, about)| PossibleValue::new(name).help(about)),
    );
    Command::new(LIFECYCLE)
        .about("Looks after the rule by which a bucket removes what is old (mode s3)")
        .arg(Arg::new("action").required(true).value_name("ACTION").value_parser(actions))
        .args(cli::settings())
        .next_line_help(true)
}

fn action(given: &ArgMatches) -> LifecycleAction {
    let name = text(given, "action");
    let found = LifecycleAction::ALL.iter().find(|(action, ..)| *action == name);
    found.map_or(LifecycleAction::Show, |(_, action, _)| *action)
}

fn namespace() -> Arg {
    Arg::new("namespace")
        .long("namespace")
        .value_name("NAME")
        .action(ArgAction::Append)
        .help("Only this namespace; may be given several times")
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

impl Invocation {
    /// Reads the process: its arguments, its environment, and the `.env` file; see [`Config::load`].
    ///
    /// # Errors
    ///
    /// As [`Config::load`], and addresses of stores that are not understood.
    pub fn load() -> Result<Self, LoadError> {
        let arguments = std::env::args_os();
        let sources = Sources::of_process();
        Self::from_sources(arguments, &sources)
    }

    fn from_sources<I>(arguments: I, sources: &Sources) -> Result<Self, LoadError>
    where
        I: IntoIterator,
        I::Item: Into<OsString> + Clone,
    {
        let matches = cli::command().try_get_matches_from(arguments)?;
        Ok(match matches.subcommand() {
            Some((COPY, given)) => Self::Copy(Box::new(CopyArguments {
                from: sources.place(text(given, "from"))?,
                to: sources.place(text(given, "to"))?,
                namespaces: namespaces(given)?,
                overwrite: given.get_flag("overwrite"),
                dry_run: given.get_flag("dry-run"),
                json: given.get_flag("json"),
            })),
            Some((LIFECYCLE, given)) => {
                let config = sources.config(&Flags::of(given))?;
                Self::Lifecycle(action(given), Box::new(config))
            }
            Some((_, given)) => Self::Verify(Box::new(VerifyArguments {
                store: match given.get_one::<String>("store") {
                    Some(address) => sources.place(address)?,
                    None => sources.configured()?,
                },
                namespaces: namespaces(given)?,
                repair: given.get_one::<String>("repair").map(|scope| match scope.as_str() {
                    "orphans" => RepairScope::Orphans,
                    _ => RepairScope::References,
                }),
                json: given.get_flag("json"),
            })),
            None => Self::Serve(Box::new(sources.config(&Flags::of(&matches))?)),
        })
    }
}

fn text<'m>(given: &'m ArgMatches, name: &str) -> &'m str {
    given.get_one::<String>(name).map_or("", String::as_str)
}

fn namespaces(given: &ArgMatches) -> Result<Vec<Namespace>, LoadError> {
    let names = given.get_many::<String>("namespace").into_iter().flatten();
    let cleaned = names.map(|name| {
        Namespace::clean(name).map_err(|error| {
            LoadError::Address(AddressError::Namespace { name: name.clone(), error })
        })
    });
    cleaned.collect()
}
