//! OpenDAL: in memory, and on a local file system.

use std::path::Path;

use larder_conformance::{Limits, Opened, Subject};
use larder_strangers::dal::Dal;
use larder_strangers::{Adapted, Apart, Cause, Homes, share};
use opendal::Operator;
use opendal::services::{Fs, Memory as InMemory};

struct Memory(Homes<Dal>);

impl Subject for Memory {
    fn name(&self) -> &'static str {
        "opendal-memory"
    }

    async fn open(&self, home: &Path) -> Opened {
        let operator = Operator::new(InMemory::default())?;
        let store = Dal { operator, durable: false };
        Ok(share(self.0.open(home, || Adapted::new(store))))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, ..Limits::default() }
    }
}

fn local(data: &Path) -> Result<Dal, Cause> {
    let root = data.to_string_lossy();
    let temporary = data.with_file_name("temporary");
    let service = Fs::default().root(&root).atomic_write_dir(&temporary.to_string_lossy());
    Ok(Dal { operator: Operator::new(service)?, durable: true })
}

struct Local(Homes<Dal>);

impl Subject for Local {
    fn name(&self) -> &'static str {
        "opendal-fs"
    }

    async fn open(&self, home: &Path) -> Opened {
        Ok(share(self.0.try_open(home, || Adapted::alone(home, local))?))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, ..Limits::default() }
    }
}

/// The same, with names that cannot collide.
struct LocalApart(Homes<Apart<Dal>>);

impl Subject for LocalApart {
    fn name(&self) -> &'static str {
        "opendal-fs-apart"
    }

    async fn open(&self, home: &Path) -> Opened {
        let make = |data: &Path| Ok(Apart(local(data)?));
        Ok(share(self.0.try_open(home, || Adapted::alone(home, make))?))
    }

    fn limits(&self) -> Limits {
        Limits { slow: true, key_bytes: 1000, ..Limits::default() }
    }
}

larder_conformance::main!(Memory(Homes::new()), Local(Homes::new()), LocalApart(Homes::new()),);
