//! Which forms of a report are asked for, and where they go.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use super::Report;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// For programs: everything that is known, with names that stay.
    Json,
    /// For CI servers: JUnit's XML.
    Junit,
    /// For people: one page, nothing beside it.
    Html,
}

/// A form and the file it goes to; `-` is standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which form.
    pub form: Form,
    /// The file.
    pub path: PathBuf,
}

impl Target {
    /// Reads `html=page.html,junit=junit.xml`.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Self::parse).collect()
    }

    /// Reads `html=page.html`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("not a report: {text:?}; say text=FILE, json=FILE, junit=FILE or html=FILE");
        let (form, path) = text.split_once('=').ok_or_else(wrong)?;
        let form = match form {
            "text" => Form::Text,
            "json" => Form::Json,
            "junit" => Form::Junit,
            "html" => Form::Html,
            _ => return Err(wrong()),
        };
        if path.is_empty() {
            return Err(wrong());
        }
        Ok(Self { form, path: path.into() })
    }
}

impl Target {
    /// Whether it goes to standard output.
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// Fails unless the file can be written; leaves it as it is.
    fn check(&self) -> Result<(), String> {
        #[cfg(not(feature = "reports"))]
        if self.form != Form::Text {
            return Err(LEFT_OUT.into());
        }
        // Neither is a pipe, whose reader would take the first end for the last.
        let is_special = |meta: fs::Metadata| !meta.is_file() && !meta.is_dir();
        if self.is_stdout() || fs::metadata(&self.path).is_ok_and(is_special) {
            return Ok(());
        }
        let told = |error| format!("{}: {error}", self.path.display());
        let was_there = self.path.try_exists().map_err(told)?;
        OpenOptions::new().append(true).create(true).open(&self.path).map_err(told)?;
        if was_there { Ok(()) } else { fs::remove_file(&self.path).map_err(told) }
    }
}

/// Fails unless reports can be written there: what a long run found is not to be lost in the end.
pub fn check(targets: &[Target]) -> Result<(), String> {
    if targets.iter().filter(|target| target.is_stdout()).count() > 1 {
        return Err("only one report can be standard output".into());
    }
    targets.iter().try_for_each(Target::check)
}

#[cfg(not(feature = "reports"))]
const LEFT_OUT: &str = "this form of a report needs larder-conformance's feature `reports`";

/// Writes reports in the forms asked for.
pub fn write(reports: &[Report], targets: &[Target]) -> Result<(), String> {
    for target in targets {
        let text = render(reports, target.form)?;
        let written = if target.is_stdout() {
            std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())
        } else {
            fs::write(&target.path, text)
        };
        written.map_err(|error| format!("{}: {error}", target.path.display()))?;
    }
    Ok(())
}

fn render(reports: &[Report], form: Form) -> Result<String, String> {
    match form {
        Form::Text => {
            let mut text = Vec::new();
            for report in reports {
                super::summary(&mut text, report).map_err(|error| error.to_string())?;
            }
            String::from_utf8(text).map_err(|error| error.to_string())
        }
        #[cfg(feature = "reports")]
        Form::Json => Ok(super::json::render(reports)),
        #[cfg(feature = "reports")]
        Form::Junit => super::junit::render(reports),
        #[cfg(feature = "reports")]
        Form::Html => Ok(super::html::render(reports)),
        #[cfg(not(feature = "reports"))]
        _ => Err(LEFT_OUT.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Target};

    #[test]
    fn targets_are_a_form_and_a_file() {
        let read = Target::parse_all("html=a=b.html, json=-").unwrap();
        assert_eq!(read[0], Target { form: Form::Html, path: "a=b.html".into() });
        assert_eq!(read[1], Target { form: Form::Json, path: "-".into() });
        for wrong in ["page.html", "pdf=x", "html="] {
            assert!(Target::parse_all(wrong).unwrap_err().contains(wrong));
        }
    }
}
