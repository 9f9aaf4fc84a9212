//! Who may use the service: holders of the API key, or everyone. Everyone only on a loopback
//! address, or when asked for in so many words.

use std::fmt;
use std::net::SocketAddr;

use super::errors::Setting;
use super::reader::{Reader, Reported};
use super::table::{API_KEY_NAME, API_KEY_VALUE, LISTEN, NO_AUTH, Variable};
use super::values;

/// Who may use the service.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Those who send the key.
    Key {
        /// Name of the header and of the cookie, as configured: headers are compared without regard
        /// to case, cookies with it.
        name: String,
        /// The key. Header values are Latin-1 on the wire, one byte a character; this is text.
        value: Secret,
    },
    /// Everyone who can connect.
    Open,
}

/// Text that does not show itself: neither in `Debug` output, nor through `Display` or `==`, which
/// it lacks.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text itself. Compare it in constant time.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Characters that a header carries and a cookie does not (RFC 6265, cookie-octet).
fn is_lost_in_cookies(character: char) -> bool {
    !character.is_ascii_graphic() || matches!(character, '"' | ',' | ';' | '\\')
}

/// Reads the key and decides. `listen` is `None` when the address is itself at fault.
pub(super) fn settle(read: &mut Reader<'_>, listen: Option<SocketAddr>) -> Result<Auth, Reported> {
    let name = read.optional(&API_KEY_NAME, values::header_name);
    let value = read.optional(&API_KEY_VALUE, values::header_value);
    let no_auth = read.required(&NO_AUTH, values::switch);
    if let Ok(Some(value)) = &value {
        note_changes(read, value);
    }

    let name_set = read.given(&API_KEY_NAME).map(|given| given.setting);
    let value_set = read.given(&API_KEY_VALUE).map(|given| given.setting);
    match (name_set, value_set, no_auth) {
        (None, None, Ok(true)) => Ok(Auth::Open),
        (None, None, Ok(false)) => match listen {
            Some(listen) if !listen.ip().is_loopback() => Err(refuse_open(read, listen)),
            Some(_) | None => Ok(Auth::Open),
        },
        (Some(_), _, Ok(true)) | (_, Some(_), Ok(true)) => {
            Err(refuse_contradiction(read, &[name_set, value_set]))
        }
        (Some(name), None, _) => Err(refuse_half(read, name, &API_KEY_VALUE)),
        (None, Some(value), _) => Err(refuse_half(read, value, &API_KEY_NAME)),
        (None, None, Err(Reported)) => Err(Reported),
        (Some(_), Some(_), Ok(false) | Err(Reported)) => match (name?, value?) {
            (Some(name), Some(value)) => no_auth.map(|_| Auth::Key { name, value }),
            _ => unreachable!("both halves are set"),
        },
    }
}

fn note_changes(read: &mut Reader<'_>, value: &Secret) {
    let given = read.given(&API_KEY_VALUE).map(|given| given.value);
    if given.is_some_and(|given| given.len() != value.expose().len()) {
        read.note(format!(
            "the white space around the value of {} is ignored: HTTP drops it from header values",
            API_KEY_VALUE.name
        ));
    }
    if value.expose().contains(is_lost_in_cookies) {
        read.note(format!(
            "the value of {} has characters that cookies do not carry (white space, double \
             quote, comma, semicolon, backslash, or beyond ASCII): send it as a header",
            API_KEY_VALUE.name
        ));
    }
}

fn refuse_half(read: &mut Reader<'_>, set: Setting, missing: &Variable) -> Reported {
    let wrong = format!("not set, although {set} is");
    let accepted = format!("{} and {} together, or neither", API_KEY_NAME.name, API_KEY_VALUE.name);
    read.report(Setting::of(missing), wrong, accepted)
}

fn refuse_contradiction(read: &mut Reader<'_>, set: &[Option<Setting>]) -> Reported {
    let set: Vec<String> = set.iter().flatten().map(Setting::to_string).collect();
    let verb = if set.len() == 1 { "is" } else { "are" };
    let wrong = format!("asks for no authentication, although {} {verb} set", set.join(" and "));
    read.report(read.setting(&NO_AUTH), wrong, "either an API key or no authentication")
}

fn refuse_open(read: &mut Reader<'_>, listen: SocketAddr) -> Reported {
    let wrong = format!("{listen} is not a loopback address, and no API key is set");
    let accepted = format!(
        "set {} and {}, or listen on 127.0.0.1 or [::1], or pass --no-auth ({}=on) to serve \
         everyone",
        API_KEY_NAME.name, API_KEY_VALUE.name, NO_AUTH.name
    );
    read.report(read.setting(&LISTEN), wrong, accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let auth = Auth::Key { name: "X-API-Key".to_owned(), value: Secret::new("hunter2") };
        assert_eq!(format!("{auth:?}"), r#"Key { name: "X-API-Key", value: *** }"#);
        assert_eq!(format!("{:#?}", Secret::new("hunter2")), "***");
    }
}
