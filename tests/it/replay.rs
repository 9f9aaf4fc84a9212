//! Replays recorded conversations with the upstream server and reports every difference.
//!
//! A *scenario* is a list of steps, each a request and the response that was recorded for it, with
//! placeholders for what changes from run to run. Scenarios are independent of each other and of
//! their order, and each run works in namespaces of its own, so any number of them may be played
//! against one server. The server is reached through a [`Transport`]; nothing else here knows what
//! it is or where it keeps things.
//!
//! A scenario is a JSON object with `name`, `vars` (set first), `requires: ["auth"]` (skipped
//! without an API key, whose parts are the variables `auth_name` and `auth_value`) and `steps`:
//!
//! | member | meaning |
//! |---|---|
//! | `note` | for the reader |
//! | `request.method`, `.path` | sent as written, escapes and dot segments included |
//! | `request.query` | an object or a list of pairs, appended percent-encoded |
//! | `request.headers`, `.auth` | the API key is added unless `auth` is `false` |
//! | `request.body` | one of `json`, `text`, `base64`, `zip`, `repeat: [text, count]` |
//! | `response.status` | exact |
//! | `response.content_type`, `.headers` | exact text; `null` means absent |
//! | `response.body` | one of `json`, `text`, `base64`, `zip`, `empty`, `contains`, `any` |
//! | `match` | from JSON pointer to a [mode](matching::Mode) of the comparison |
//! | `alternatives` | further acceptable responses, each with a `why` |
//! | `capture` | from variable to JSON pointer into the reply, or `header:NAME` |
//!
//! JSON compares strictly: all keys, the order of lists, the kind of numbers.
//!
//! `{{kind}}` matches a value of a kind, `{{kind:name}}` also remembers it and from then on requires
//! it, `{{name}}` stands for a known variable. Inside any string and in object keys: `uuid`, `hash`,
//! `hex`, `digits`, `date_path`, `version`, `string`, `regex:…` (without braces), and the derived
//! `shard:name` (`ab/cd`), `underscored:name` and, in requests only, `quoted:name`. As a whole value
//! only: `timestamp_ms`, `int`, `number`, `bool`, `object`, `array`, `string_or_null`, `any`.

mod body;
mod json;
mod matching;
mod placeholder;
mod scenario;
mod transport;

use std::fmt;

use body::RequestBody;
use matching::Difference;
use placeholder::{Unbound, Variables, percent_encode, substitute};
use scenario::{Request, Response, Step};

pub use scenario::Scenario;
pub use transport::{InProcess, Reply, Transport};

/// How much of a value a message shows, in characters.
const SHOWN: usize = 1200;

/// A difference and where in the scenario it came up.
#[derive(Debug)]
pub struct Mismatch {
    /// The scenario, the step's number, its request and its note.
    pub step: String,
    pub difference: Difference,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "MISMATCH {}", self.step)?;
        let Difference { at, expected, actual } = &self.difference;
        writeln!(f, "    at       {at}")?;
        writeln!(f, "    expected {}", shortened(expected))?;
        write!(f, "    actual   {}", shortened(actual))
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Plays a scenario to its end and returns what was not as recorded.
///
/// `run_id` makes the namespaces of this run; on one server each run needs another. `api_key` is
/// the name and the value of the header that lets requests in. A scenario about that key is skipped
/// without one, and says so.
pub async fn replay(
    transport: &impl Transport,
    scenario: &Scenario,
    run_id: &str,
    api_key: Option<&(String, String)>,
) -> Vec<Mismatch> {
    if scenario.requires_auth && api_key.is_none() {
        eprintln!("SKIPPED {} (needs the API key)", scenario.name);
        return vec![];
    }
    let mut player = Player { transport, api_key, variables: Variables::default() };
    player.variables.set_text("run", run_id);
    if let Some((name, value)) = api_key {
        player.variables.set_text("auth_name", name);
        player.variables.set_text("auth_value", value);
    }
    for (name, template) in &scenario.vars {
        match substitute(template, &player.variables) {
            Ok(value) => player.variables.set_text(name, &value),
            Err(unbound) => {
                let step = format!("{} (vars)", scenario.name);
                let difference = unknown(&unbound, format!("({name})"));
                return vec![Mismatch { step, difference }];
            }
        }
    }
    let mut mismatches = Vec::new();
    for (i, step) in scenario.steps.iter().enumerate() {
        let Request { method, path, .. } = &step.request;
        let mut label = format!("{} step {} {method} {path}", scenario.name, i + 1);
        if let Some(note) = &step.note {
            label.push_str(&format!(" ({note})"));
        }
        for difference in player.play(step).await {
            let step = label.clone();
            mismatches.push(Mismatch { step, difference });
        }
    }
    mismatches
}

fn unknown(unbound: &Unbound, at: impl Into<String>) -> Difference {
    Difference::new(at, format!("a value for {unbound}"), "never captured")
}

/// A scenario under way.
struct Player<'a, T> {
    transport: &'a T,
    api_key: Option<&'a (String, String)>,
    variables: Variables,
}

impl<T: Transport> Player<'_, T> {
    async fn play(&mut self, step: &Step) -> Vec<Difference> {
        let request = match Outgoing::new(&step.request, &self.variables, self.api_key) {
            Ok(request) => request,
            Err(unbound) => return vec![unknown(&unbound, "(request)")],
        };
        let method = &step.request.method;
        let sent = self.transport.send(method, request.target, request.headers, request.body);
        match sent.await {
            Ok(reply) => self.check(step, &reply),
            Err(error) => {
                let difference = Difference::new("(transport)", "a response", error.to_string());
                vec![difference]
            }
        }
    }

    /// One matching response will do. If none matches, the recorded one is what the report compares
    /// with.
    fn check(&mut self, step: &Step, reply: &Reply) -> Vec<Difference> {
        let attempt = |response: &Response| {
            let mut variables = self.variables.clone();
            let differences = response.differences(reply, &mut variables);
            (differences, variables)
        };
        let mut attempts: Vec<_> = step.responses.iter().map(attempt).collect();
        let best = attempts.iter().position(|(differences, _)| differences.is_empty()).unwrap_or(0);
        let (mut differences, variables) = attempts.swap_remove(best);
        self.variables = variables;
        differences.extend(self.capture(step, reply));
        differences
    }

    fn capture(&mut self, step: &Step, reply: &Reply) -> Vec<Difference> {
        let mut missing = Vec::new();
        for (name, source) in &step.captures {
            match source.value(reply) {
                Some(value) => self.variables.set(name, value),
                None => {
                    let wanted = format!("a value to capture as {name}");
                    missing.push(Difference::new(source.to_string(), wanted, "(missing)"));
                }
            }
        }
        missing
    }
}

/// A request with every variable filled in.
struct Outgoing {
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Outgoing {
    fn new(
        request: &Request,
        variables: &Variables,
        api_key: Option<&(String, String)>,
    ) -> Result<Self, Unbound> {
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            headers.push((name.clone(), substitute(value, variables)?));
        }
        let body = request.body.as_ref();
        if let Some(default_type) = body.and_then(RequestBody::default_content_type) {
            add_missing(&mut headers, "Content-Type", default_type);
        }
        if let Some((name, value)) = api_key.filter(|_| request.auth) {
            add_missing(&mut headers, name, value);
        }
        Ok(Self {
            target: target(request, variables)?,
            headers,
            body: body.map(|body| body.encode(variables)).transpose()?,
        })
    }
}

fn add_missing(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    let mut names = headers.iter().map(|(name, _)| name);
    if !names.any(|known| known.eq_ignore_ascii_case(name)) {
        headers.push((name.to_owned(), value.to_owned()));
    }
}

fn target(request: &Request, variables: &Variables) -> Result<String, Unbound> {
    let mut target = substitute(&request.path, variables)?;
    for (i, (name, value)) in request.query.iter().enumerate() {
        target.push(if i == 0 { '?' } else { '&' });
        target.push_str(&percent_encode(&substitute(name, variables)?));
        target.push('=');
        target.push_str(&percent_encode(&substitute(value, variables)?));
    }
    Ok(target)
}

#[cfg(test)]
mod tests;
