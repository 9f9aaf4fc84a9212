//! The service about itself: health, versions, server, storage; and the pages that set the cookie.

use std::sync::Arc;

use axum::http::{HeaderValue, header};

use super::App;
use super::error::ApiError;
use super::input::Call;
use super::reply;
use super::route::{Answer, BodyKind, Route, Success};
use crate::cache::pyjson::Value;

/// The version of the reference service whose protocol this is.
pub(crate) const PROTOCOL_VERSION: &str = "v0.14.0";

/// The versions that clients read; those of the reference service.
const VERSIONS: [(&str, &str); 5] = [
    ("mgraph_ai_service_cache", PROTOCOL_VERSION),
    ("osbot_utils", "v3.75.0"),
    ("osbot_aws", "v2.39.10"),
    ("osbot_fast_api", "v0.39.0"),
    ("osbot_fast_api_serverless", "v1.35.0"),
];

/// The rows about the server, in upstream's order.
pub(crate) fn server_routes() -> Vec<Route> {
    vec![
        Route::get("/server/storage/info", Success::Json("StorageInfo"), |app, _| {
            Box::pin(storage_info(app))
        })
        .about("server", "Which store this is"),
    ]
}

/// The rows about the service, in upstream's order.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/info/health", Success::Json("Health"), |_, _| Box::pin(health()))
            .about("info", "Whether the service is up"),
        Route::get("/info/server", Success::Json("Server"), |app, _| Box::pin(server(app)))
            .about("info", "Which server this is, and since when"),
        Route::get("/info/status", Success::Json("Status"), |app, _| Box::pin(status(app)))
            .about("info", "Name, version and environment"),
        Route::get("/info/versions", Success::Json("Versions"), |_, _| Box::pin(versions()))
            .about("info", "The versions clients ask for"),
        Route::get("/auth/set-cookie-form", Success::Html, |app, _| Box::pin(cookie_form(app)))
            .about("auth", "A page that sets the key as a cookie"),
        Route::post(
            "/auth/set-auth-cookie",
            BodyKind::Schema("SetCookie"),
            Success::Json("CookieSet"),
            |app, call| Box::pin(set_cookie(app, call)),
        )
        .about("auth", "Set the key as a cookie"),
    ]
}

async fn health() -> Answer {
    Ok(reply::json(r#"{"status":"ok"}"#.to_owned()))
}

async fn status(app: Arc<App>) -> Answer {
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("name").string("mgraph_ai_service_cache");
            json.name("version").string(PROTOCOL_VERSION);
            json.name("status").string("operational");
            json.name("environment").string(app.settings.environment);
        });
    }))
}

async fn versions() -> Answer {
    Ok(reply::written(|json| {
        json.object(|json| {
            for (name, version) in VERSIONS {
                json.name(name).string(version);
            }
        });
    }))
}

async fn server(app: Arc<App>) -> Answer {
    let settings = &app.settings;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("server_id").string_or_null(settings.server_id.as_deref());
            json.name("server_name").string_or_null(settings.server_name.as_deref());
            json.name("server_instance_id").string(app.instance_id.as_str());
            json.name("server_boot_time").number(app.boot_time_ms);
        });
    }))
}

async fn storage_info(app: Arc<App>) -> Answer {
    let store = &app.settings.store;
    Ok(reply::written(|json| {
        json.object(|json| {
            json.name("storage_mode").string(store.mode);
            json.name("ttl_hours").number(app.settings.ttl_hours.into());
            if let Some((name, value)) = &store.place {
                json.name(name).string(value);
            }
        });
    }))
}

/// Upstream shows the cookie's present value, unescaped; this page shows none.
async fn cookie_form(app: Arc<App>) -> Answer {
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Larder: set the key</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}}
input,button{{font:inherit;padding:.4rem .6rem}}input{{width:20rem;max-width:100%}}</style></head>
<body>
<h1>Set the key as a cookie</h1>
<p>The cookie is called <code>{name}</code> and is kept by this browser only.</p>
<form id="form"><input type="password" id="cookie_value" name="cookie_value" placeholder="key"
autocomplete="off" required> <button>Set</button></form>
<p id="said" role="status"></p>
<script>
document.getElementById("form").addEventListener("submit", async (event) => {{
  event.preventDefault();
  const cookie_value = document.getElementById("cookie_value").value;
  const answer = await fetch("/auth/set-auth-cookie", {{
    method: "POST", headers: {{"content-type": "application/json"}},
    body: JSON.stringify({{cookie_value}}),
  }});
  document.getElementById("said").textContent = answer.ok ? "Cookie set." : "Not set: " + answer.status;
}});
</script>
</body>
</html>
"#,
        name = app.settings.cookie_name(),
    );
    Ok(reply::html(page))
}

/// A value as it stands in a cookie. Upstream: what is not a plain token stands in quotes, and what
/// would end it early or add attributes is escaped (Python's `http.cookies`). `None` beyond Latin-1.
fn quoted(value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Some(value.to_owned());
    }
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            _ if plain(c) || " ()/<=>?@[]{}".contains(c) => text.push(c),
            _ if u32::from(c) < 256 => text.push_str(&format!("\\{:03o}", u32::from(c))),
            _ => return None,
        }
    }
    text.push('"');
    Some(text)
}

async fn set_cookie(app: Arc<App>, call: Call) -> Answer {
    let mut input = call.input();
    let body = input.model_body()?;
    input.checked()?;
    let value = match body.get("cookie_value") {
        None => String::new(),
        Some(Value::Str(text)) => text.to_string_lossy().into_owned(),
        Some(other) => {
            let loc = ["body", "cookie_value"];
            let msg = "Input should be a valid string";
            input.problem("string_type", &loc, msg, |json| json.value(other));
            input.checked()?;
            String::new()
        }
    };
    let quoted = quoted(&value).ok_or_else(|| {
        ApiError::invalid("cookie_value has characters that a cookie cannot carry")
    })?;
    let name = app.settings.cookie_name();
    let secure = call.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={quoted}; HttpOnly; Path=/; SameSite=strict{secure}");
    let mut response = reply::written(|json| {
        json.object(|json| {
            json.name("message").string("Cookie set successfully");
            json.name("cookie_name").string(name);
            json.name("cookie_value").string(&value);
        });
    });
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|error| ApiError::unexpected(format!("cookie: {error}")))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
