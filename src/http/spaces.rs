//! Namespaces: what is in one, and which there are.

use std::sync::Arc;

use super::App;
use super::input::Call;
use super::reply;
use super::route::{Answer, Route, Success};
use crate::key::Namespace;

/// The rows of this family, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/{namespace}/file-hashes", Success::Json("Names"), |app, call| {
            Box::pin(hashes(app, call))
        })
        .about("namespace", "List the hashes of a namespace"),
        Route::get("/{namespace}/file-ids", Success::Json("Names"), |app, call| {
            Box::pin(ids(app, call))
        })
        .about("namespace", "List the ids of a namespace"),
        Route::get("/{namespace}/stats", Success::Json("Stats"), |app, call| {
            Box::pin(stats(app, call))
        })
        .about("namespace", "Count the files of a namespace"),
        Route::get("/namespaces/list", Success::Json("Names"), |app, _| Box::pin(namespaces(app)))
            .about("namespaces", "List the namespaces"),
    ]
}

async fn hashes(app: Arc<App>, call: Call) -> Answer {
    let names = app.cache.hashes(&call.namespace()?).await?;
    Ok(reply::written(|json| json.strings(names)))
}

async fn ids(app: Arc<App>, call: Call) -> Answer {
    let names = app.cache.ids(&call.namespace()?).await?;
    Ok(reply::written(|json| json.strings(names)))
}

async fn stats(app: Arc<App>, call: Call) -> Answer {
    let namespace = call.namespace()?;
    Ok(reply::document(&app.cache.stats(&namespace, app.settings.ttl_hours).await?))
}

async fn namespaces(app: Arc<App>) -> Answer {
    let names = app.cache.namespaces().await?;
    Ok(reply::written(|json| json.strings(names.iter().map(Namespace::as_str))))
}
