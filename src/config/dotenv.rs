//! The `.env` file: finding it, and reading what upstream's reader reads.
//!
//! `NAME=value` lines, optionally after `export`; values bare, in single or in double quotes, the
//! latter two over several lines if need be; `#` comments. The last line on a name counts.
//!
//! Deliberately without two things that ready-made readers do: they repeat the line at fault,
//! secret and all, and they put other variables in place of `$…`, which quietly shortens keys that
//! have a dollar in them. Here a dollar is a dollar. Upstream's reader replaces `${NAME}` (only
//! that form), so a value that would have changed there is refused rather than read differently, if
//! it is for one of our variables and not in single quotes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::errors::Problem;
use super::table::VARIABLES;

const FILE_NAME: &str = ".env";

/// The `.env` file of the folder or of the nearest parent that has one.
///
/// Folders of that name, where Python keeps its virtual environments, are passed over if `is_file`
/// does so.
pub(super) fn find(folder: &Path, is_file: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| is_file(path))
}

/// A `.env` file that was read, or tried.
#[derive(Debug)]
pub(super) struct DotEnv {
    path: PathBuf,
    values: HashMap<String, String>,
    problems: Vec<Problem>,
}

impl DotEnv {
    pub(super) fn read(path: &Path) -> Self {
        let unreadable = |wrong: String| Self {
            path: path.to_owned(),
            values: HashMap::new(),
            problems: vec![Problem::DotEnvFile { path: path.to_owned(), wrong }],
        };
        match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => Self::from_text(path, &text),
            Ok(Err(_)) => unreadable("not valid UTF-8".to_owned()),
            Err(error) => unreadable(format!("cannot be read: {error}")),
        }
    }

    pub(super) fn from_text(path: &Path, text: &str) -> Self {
        let (lines, faults) = parse(text);
        let foreign = |line: &Line| VARIABLES.iter().all(|variable| variable.name != line.name);
        let references = lines
            .iter()
            .filter(|line| line.has_reference && !foreign(line))
            .map(|line| Fault {
                line: line.number,
                variable: Some(line.name.clone()),
                wrong: "refers to another variable by ${…}, which is not supported (single quotes make \
                    it plain text)",
            });
        let mut faults: Vec<Fault> = faults.into_iter().chain(references).collect();
        faults.sort_by_key(|fault| fault.line);

        let problem = |fault: Fault| Problem::DotEnvLine {
            path: path.to_owned(),
            line: fault.line,
            variable: fault.variable,
            wrong: fault.wrong,
        };
        Self {
            path: path.to_owned(),
            problems: faults.into_iter().map(problem).collect(),
            values: lines.into_iter().map(|line| (line.name, line.value)).collect(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: usize,
    name: String,
    value: String,
    has_reference: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    variable: Option<String>,
    wrong: &'static str,
}

/// All lines that could be read, and all that could not.
fn parse(text: &str) -> (Vec<Line>, Vec<Fault>) {
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut number = 1;
    while !rest.is_empty() {
        let first = rest.split('\n').next().unwrap_or(rest);
        let mut taken = first.len();
        match assignment(first) {
            Ok(None) => {}
            Ok(Some((name, at))) => match value(&rest[at..]) {
                Ok(found) => {
                    taken = at + found.length;
                    lines.push(Line {
                        number,
                        name: name.to_owned(),
                        value: found.value,
                        has_reference: found.has_reference,
                    });
                }
                Err(wrong) => {
                    faults.push(Fault { line: number, variable: Some(name.to_owned()), wrong })
                }
            },
            Err(wrong) => faults.push(Fault { line: number, variable: None, wrong }),
        }
        number += 1 + rest[..taken].matches('\n').count();
        rest = rest.get(taken + 1..).unwrap_or_default();
    }
    (lines, faults)
}

/// The name on a line and where its value begins; nothing on blank lines and comments.
fn assignment(line: &str) -> Result<Option<(&str, usize)>, &'static str> {
    let text = line.trim_start();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let Some(equals) = line.find('=') else {
        return Err("has no = sign");
    };
    let name = line[..equals].trim();
    let name = match name.strip_prefix("export") {
        Some(exported) if exported.starts_with(char::is_whitespace) => exported.trim_start(),
        _ => name,
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !is_name {
        return Err("has no valid name before the = sign");
    }
    Ok(Some((name, equals + 1)))
}

struct Value {
    value: String,
    has_reference: bool,
    /// How much text it took, up to the end of its last line.
    length: usize,
}

/// The value at the beginning of `text`, which may go on after its first line.
fn value(text: &str) -> Result<Value, &'static str> {
    let is_blank = |c: char| c != '\n' && c.is_whitespace();
    let start = text.len() - text.trim_start_matches(is_blank).len();
    match text[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(text, start, quote),
        _ => Ok(bare(text.split('\n').next().unwrap_or(text))),
    }
}

fn quoted(text: &str, start: usize, quote: char) -> Result<Value, &'static str> {
    let (value, end) =
        unquote(&text[start + 1..], quote).ok_or("opens a quote that is not closed")?;
    let end = start + 1 + end;
    let after = text[end..].split('\n').next().unwrap_or_default();
    let comment = after.trim();
    if !comment.is_empty() && !comment.starts_with('#') {
        return Err("has text after the closing quote");
    }
    Ok(Value {
        has_reference: quote == '"' && value.contains("${"),
        value,
        length: end + after.len(),
    })
}

/// The text up to the closing quote, and where it ends. In double quotes `\n`, `\r` and `\t` are
/// the characters of that name; in both a backslash protects itself and the quote, and is otherwise
/// plain text.
fn unquote(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + 1));
        }
        if character != '\\' {
            value.push(character);
            continue;
        }
        let (_, escaped) = characters.next()?;
        match escaped {
            '\\' | '\'' => value.push(escaped),
            '"' if quote == '"' => value.push('"'),
            'n' if quote == '"' => value.push('\n'),
            'r' if quote == '"' => value.push('\r'),
            't' if quote == '"' => value.push('\t'),
            other => value.extend(['\\', other]),
        }
    }
    None
}

/// The rest of a line up to a comment: a `#` after white space. `KEY=a#b` has none.
fn bare(line: &str) -> Value {
    let comment = line
        .char_indices()
        .zip(line.chars().skip(1))
        .find(|((_, before), sign)| before.is_whitespace() && *sign == '#');
    let value = match comment {
        Some(((at, _), _)) => &line[..at],
        None => line,
    };
    let value = value.trim();
    Value { value: value.to_owned(), has_reference: value.contains("${"), length: line.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let (lines, faults) = parse(text);
        assert_eq!(faults, [], "{text:?}");
        lines.into_iter().map(|line| (line.name, line.value)).collect()
    }

    #[test]
    fn lines_are_read_as_upstream_reads_them() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("  export  A=b", "b"),
            ("export\tA=b", "b"),
            ("A=", ""),
            ("A=  # nothing", ""),
            ("A=two words # and a comment", "two words"),
            ("A=a#b", "a#b"),
            ("A=#b", "#b"),
            ("A=b\r", "b"),
            ("A=x=y", "x=y"),
            ("A=pa$$word$HOME", "pa$$word$HOME"),
            (r"A=C:\new", r"C:\new"),
            (r#"A=it"s"#, r#"it"s"#),
            ("A=' b '", " b "),
            ("A='b' # comment", "b"),
            ("A='b'#comment", "b"),
            (r"A='it\'s \n $B \\'", r"it's \n $B \"),
            (r#"A="b # c""#, "b # c"),
            (r#"A="say \"hi\"\tto\\me \q""#, "say \"hi\"\tto\\me \\q"),
            (r#"A="""#, ""),
            ("A='one\ntwo'", "one\ntwo"),
            ("A=näme", "näme"),
        ] {
            assert_eq!(pairs(line), [("A".to_owned(), expected.to_owned())], "{line:?}");
        }
    }

    #[test]
    fn files_have_comments_blank_lines_and_several_names() {
        let text =
            "\u{feff}# first\n\nA=1\r\n  \r\n   # more\r\nB_2.x-y=\"1\n2\" # c\nexport=3\n_=4";
        let expected = [("A", "1"), ("B_2.x-y", "1\n2"), ("export", "3"), ("_", "4")];
        assert_eq!(pairs(text), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs(""), []);

        let file = DotEnv::from_text(Path::new(".env"), "A=1\nA=2\n");
        assert_eq!(file.value("A"), Some("2"), "the last line counts");
        assert_eq!(file.value("B"), None);
    }

    #[test]
    fn faults_name_their_lines_and_reading_goes_on() {
        let text = "no sign\nA='x\ny'\n=v\n1A=v\nA B=v\nC='c' d\n\nD=\"open\nE=5\nexport F\n";
        let (lines, faults) = parse(text);
        let faults: Vec<_> =
            faults.iter().map(|fault| (fault.line, fault.variable.as_deref())).collect();
        let expected = [
            (1, None),
            (4, None),
            (5, None),
            (6, None),
            (7, Some("C")),
            (9, Some("D")),
            (11, None),
        ];
        assert_eq!(faults, expected);
        let lines: Vec<_> = lines.iter().map(|line| (line.number, line.name.as_str())).collect();
        assert_eq!(lines, [(2, "A"), (10, "E")]);
    }

    #[test]
    fn references_in_our_variables_are_refused() {
        let ours = "CACHE__SERVICE__ZIP_PATH";
        for (value, refused) in [
            ("${HOME}/a.zip", true),
            ("\"${HOME}/a.zip\"", true),
            ("'${HOME}/a.zip'", false),
            ("$HOME/a.zip", false),
        ] {
            let text = format!("# path\n{ours}={value}\nOTHER=${{HOME}}\n");
            let file = DotEnv::from_text(Path::new("/.env"), &text);
            let named: Vec<_> = file.problems().iter().filter_map(Problem::variable).collect();
            assert_eq!(named, vec![ours; usize::from(refused)], "{value}");
        }
    }

    #[test]
    fn the_nearest_file_is_found() {
        let files = ["/.env", "/srv/app/.env"].map(Path::new);
        let find = |folder: &str| find(Path::new(folder), |path| files.contains(&path));
        for (folder, expected) in [
            ("/srv/app", "/srv/app/.env"),
            ("/srv/app/data/deep", "/srv/app/.env"),
            ("/srv", "/.env"),
            ("/", "/.env"),
        ] {
            assert_eq!(find(folder).as_deref(), Some(Path::new(expected)), "{folder}");
        }
        assert_eq!(super::find(Path::new("/srv/app"), |_| false), None);
    }
}
