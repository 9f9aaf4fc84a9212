//! The OpenAPI document, made from the table of routes, and the pages that show it.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::App;
use super::error::ApiError;
use super::info::PROTOCOL_VERSION;
use super::input::Call;
use super::reply;
use super::route::{Answer, BodyKind, QueryParam, Route, Success};
use super::{auth, schemas};
use crate::cache::ident::{DataType, Strategy};

/// The page that shows the document. Needs nothing from any network.
const PAGE: &str = include_str!("docs.html");

/// The rows of the document and of its pages. Only the console is in the document, as upstream's is.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi.json", Success::AnyJson, |app, _| Box::pin(openapi(app))),
        Route::head("/openapi.json", |app, _| Box::pin(openapi(app))),
        Route::get("/docs", Success::Html, |_, _| Box::pin(page())),
        Route::head("/docs", |_, _| Box::pin(page())),
        Route::get("/redoc", Success::Html, |_, _| Box::pin(page())),
        Route::head("/redoc", |_, _| Box::pin(page())),
        // Upstream's redirect page of a sign-in that it does not have either.
        Route::get("/docs/oauth2-redirect", Success::Html, |_, _| Box::pin(page())),
        Route::head("/docs/oauth2-redirect", |_, _| Box::pin(page())),
        Route::get("/console", Success::Redirect, |_, _| Box::pin(console_redirect()))
            .about("console", "The way to the console"),
        Route::get("/console/{path:path}", Success::Html, |_, call| Box::pin(console(call))),
        Route::head("/console/{path:path}", |_, call| Box::pin(console(call))),
    ]
}

/// Where upstream keeps its console; bookmarks lead there.
const CONSOLE: &str = "v0/v0.1/v0.1.3/index.html";

async fn console_redirect() -> Answer {
    let mut response = reply::empty(StatusCode::TEMPORARY_REDIRECT);
    let location = HeaderValue::from_static("/console/v0/v0.1/v0.1.3/index.html");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn console(call: Call) -> Answer {
    if call.param("path") == CONSOLE { page().await } else { Err(ApiError::unknown_path()) }
}

async fn openapi(app: Arc<App>) -> Answer {
    Ok(reply::json(document(app.table.routes(), app.settings.key.as_ref()).to_string()))
}

async fn page() -> Answer {
    Ok(reply::html(PAGE))
}

/// The document of a table; rows without a tag are left out.
fn document<'r>(routes: impl Iterator<Item = &'r Route>, key: Option<&auth::ApiKey>) -> Value {
    let mut paths = Map::new();
    for route in routes.filter(|route| !route.tag.is_empty()) {
        let path = route.path.replace(":path}", "}");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation(route, key.is_some());
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cache_Service__Fast_API",
            "version": PROTOCOL_VERSION,
            "description": "Larder: a cache service, wire-compatible with the MGraph-AI Cache Service.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas::all()},
    });
    if let Some(key) = key {
        document["components"]["securitySchemes"] = json!({
            "header": {"type": "apiKey", "in": "header", "name": key.name()},
            "cookie": {"type": "apiKey", "in": "cookie", "name": key.name()},
        });
        document["security"] = json!([{"header": []}, {"cookie": []}]);
    }
    document
}

fn operation(route: &Route, guarded: bool) -> Value {
    let open = auth::OPEN_PATHS.contains(&route.path);
    let mut operation = json!({
        "tags": [route.tag],
        "summary": route.summary,
        "operationId": operation_id(route),
    });
    let parameters = parameters(route);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = request_body(route.body) {
        operation["requestBody"] = body;
    }
    if open && guarded {
        operation["security"] = json!([]);
    }
    operation["responses"] = responses(route, guarded && !open);
    operation
}

fn operation_id(route: &Route) -> String {
    let name: String = route
        .path
        .replace(":path}", "}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let method = route.method.as_str().to_ascii_lowercase();
    format!("{method}{}", name.trim_end_matches('_'))
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_end_matches(":path"))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": path_schema(name)})
        });
    let in_query = route.query.iter().map(|param| match param {
        QueryParam::Text(name) => {
            let schema = match *name {
                "json_field_path" => json!({"type": "string", "maxLength": 256}),
                _ => json!({"type": "string", "maxLength": 128}),
            };
            json!({"name": name, "in": "query", "required": false, "schema": schema})
        }
        QueryParam::Flag(name, default) => json!({
            "name": name, "in": "query", "required": false,
            "schema": {"type": "boolean", "default": default},
        }),
    });
    in_path.chain(in_query).collect()
}

fn path_schema(name: &str) -> Value {
    match name {
        "strategy" => json!({"type": "string", "enum": Strategy::ALL.map(Strategy::name)}),
        "data_type" => json!({"type": "string", "enum": DataType::ALL.map(DataType::name)}),
        "cache_id" => json!({"type": "string", "format": "uuid"}),
        "cache_hash" => json!({"type": "string", "pattern": "^[a-f0-9]{10,96}$"}),
        "namespace" => json!({"type": "string", "maxLength": 128, "examples": ["default"]}),
        "file_id" | "data_file_id" => json!({"type": "string", "maxLength": 128}),
        _ => json!({"type": "string", "maxLength": 1024}),
    }
}

fn request_body(kind: BodyKind) -> Option<Value> {
    let content = match kind {
        BodyKind::None => return None,
        BodyKind::Text => json!({
            "application/json": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        }),
        BodyKind::Object => json!({"application/json": {"schema": {"type": "object"}}}),
        BodyKind::Bytes => json!({
            "application/octet-stream": {
                "schema": {"type": "string", "contentMediaType": "application/octet-stream"},
            },
        }),
        BodyKind::Schema(name) => json!({"application/json": {"schema": reference(name)}}),
    };
    Some(json!({"required": true, "content": content}))
}

fn responses(route: &Route, guarded: bool) -> Value {
    let (status, success) = success(route.success);
    let mut responses = Map::new();
    responses.insert(status.to_owned(), success);
    let mut add = |status: u16| {
        responses.entry(status.to_string()).or_insert_with(|| failure(status, route));
    };
    let takes_input =
        route.path.contains('{') || !route.query.is_empty() || route.body != BodyKind::None;
    if takes_input {
        add(400);
    }
    if guarded {
        add(401);
    }
    if route.body != BodyKind::None {
        [408, 413].into_iter().for_each(&mut add);
    }
    route.statuses.iter().copied().for_each(&mut add);
    if route.path.contains(":path}") {
        // Upstream: a line feed in the rest of a path matches no route.
        add(404);
    }
    [500, 503].into_iter().for_each(&mut add);
    if route.method == axum::http::Method::POST {
        add(507);
    }
    responses.into()
}

/// The status of a success, and what it carries.
fn success(success: Success) -> (&'static str, Value) {
    let content = match success {
        Success::Json(name) => json!({"application/json": {"schema": reference(name)}}),
        Success::AnyJson => json!({"application/json": {"schema": {}}}),
        Success::Text => json!({"text/plain": {"schema": {"type": "string"}}}),
        Success::Html => json!({"text/html": {"schema": {"type": "string"}}}),
        Success::Bytes => json!({"application/octet-stream": {}}),
        Success::Zip => json!({"application/zip": {}}),
        Success::File => json!({
            "application/octet-stream": {}, "application/json": {}, "text/plain": {},
        }),
        Success::Redirect => return ("307", elsewhere()),
    };
    ("200", json!({"description": "Success", "content": content}))
}

/// The way to another address.
fn elsewhere() -> Value {
    let location = json!({"required": true, "schema": {"type": "string"}});
    json!({"description": "Elsewhere", "headers": {"location": location}})
}

fn failure(status: u16, route: &Route) -> Value {
    if status == 307 {
        return elsewhere();
    }
    let (description, schema) = match status {
        400 => ("The request is not valid; `detail` says what is wrong with it", "Error"),
        401 => ("The key is missing or wrong", "Unauthorized"),
        404 => ("There is nothing there", "Missing"),
        408 => ("The body did not arrive in time", "Error"),
        413 => ("The body, or what it decompresses to, is too large", "Error"),
        415 => ("The content is a string and not JSON", "Error"),
        500 => ("Something unexpected happened; the log of the server says what", "Error"),
        503 => ("The store does not answer now; try again", "Error"),
        _ => ("The store is full", "Error"),
    };
    let mut content = json!({"application/json": {"schema": reference(schema)}});
    match (status, route.tag, route.success) {
        // Child data that is not there: no body and no content type, unlike all else.
        (404, "data/retrieve", Success::Text | Success::Bytes) => {
            return json!({"description": description});
        }
        (404, _, Success::Html) => content["text/html"] = json!({"schema": {"type": "string"}}),
        _ => {}
    }
    json!({"description": description, "content": content})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
