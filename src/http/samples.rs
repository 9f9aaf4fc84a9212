//! Test data and fixtures.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::try_join_all;

use super::App;
use super::input::Call;
use super::reply;
use super::route::{Answer, BodyKind, Route, Success};
use crate::cache::ident::Strategy;
use crate::cache::samples::{STRATEGIES, Sample, comprehensive_namespaces};
use crate::key::Namespace;

/// The row of the fixtures. Upstream: a `GET` that writes.
pub(crate) fn fixture_routes() -> Vec<Route> {
    vec![
        Route::get("/server/create/test-fixtures", Success::Json("Fixtures"), |app, _| {
            Box::pin(fixtures(app))
        })
        .about("server", "Store the fixtures, unless they are there"),
    ]
}

/// The rows of the test data, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    let created = Success::Json("SamplesCreated");
    vec![
        Route::post(
            "/test-data/create/in/default-namespaces/comprehensive",
            BodyKind::None,
            created,
            |app, _| Box::pin(comprehensive(app)),
        )
        .about("test-data", "Store test data in three namespaces"),
        Route::post(
            "/test-data/create/in/default-namespaces/minimal",
            BodyKind::None,
            created,
            |app, _| Box::pin(minimal(app)),
        )
        .about("test-data", "Store three entries in the namespace `default`"),
        Route::post(
            "/test-data/create/in/new-namespace/{namespace}",
            BodyKind::None,
            created,
            |app, call| Box::pin(one_namespace(app, call)),
        )
        .about("test-data", "Store test data in a namespace"),
        Route::delete("/test-data/clear/{namespace}", Success::Json("Cleared"), |app, call| {
            Box::pin(clear(app, call))
        })
        .about("test-data", "Delete everything in a namespace"),
    ]
}

async fn fixtures(app: Arc<App>) -> Answer {
    Ok(reply::document(&app.cache.create_fixtures().await?))
}

async fn minimal(app: Arc<App>) -> Answer {
    let samples = app.cache.create_minimal_samples().await?;
    let strategies = &STRATEGIES[..1];
    Ok(created(&app, &["default"], strategies, &samples, "Minimal test data created"))
}

async fn comprehensive(app: Arc<App>) -> Answer {
    let namespaces = comprehensive_namespaces()?;
    // At once: on a store that is far away they take most of the time a request has.
    let created_in = try_join_all(namespaces.iter().map(|name| app.cache.create_samples(name)));
    let samples: Vec<_> = created_in.await?.into_iter().flatten().collect();
    let names: Vec<&str> = namespaces.iter().map(Namespace::as_str).collect();
    Ok(created(&app, &names, &STRATEGIES, &samples, "Comprehensive test data created"))
}

async fn one_namespace(app: Arc<App>, call: Call) -> Answer {
    let namespace = call.namespace()?;
    let samples = app.cache.create_samples(&namespace).await?;
    let message = format!("Test data created for {namespace}");
    Ok(created(&app, &[namespace.as_str()], &STRATEGIES, &samples, &message))
}

fn created(
    app: &App,
    namespaces: &[&str],
    strategies: &[Strategy],
    samples: &[Sample],
    message: &str,
) -> Response {
    reply::written(|json| {
        json.object(|json| {
            json.name("success").bool(true);
            json.name("timestamp").number(app.cache.now_ms());
            json.name("entries_created").number(samples.len() as u64);
            json.name("namespaces").strings(namespaces);
            json.name("strategies_used").strings(strategies.iter().map(|one| one.name()));
            json.name("entries").list(|json| {
                for sample in samples {
                    json.document(sample);
                }
            });
            json.name("message").string(message);
        });
    })
}

async fn clear(app: Arc<App>, call: Call) -> Answer {
    let namespace = call.namespace()?;
    let cleared = app.cache.clear(&namespace).await?;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("success").bool(true);
            json.name("namespace").string(namespace.as_str());
            json.name("files_deleted").number(cleared);
            json.name("message").string(&format!("Cleared {cleared} files from {namespace}"));
            json.name("error").string("");
        });
    }))
}
