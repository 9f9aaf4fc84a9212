//! Patterns of member names, as a shell has them: `*` any characters, slashes too, `?` any one
//! character, `[a-c]` one out of a set. Letter case counts.

use crate::key::{InvalidName, clean, is_id_char};

/// Longer names match nothing; a path of the API cannot name them either.
const LONGEST_NAME: usize = 1024;

/// A pattern, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    One(char),
    AnyOne,
    Any,
    /// Ranges of characters, ends included.
    OneOf(Vec<(char, char)>),
}

impl Pattern {
    /// Cleans a pattern: at most 512 characters, everything outside `A-Z a-z 0-9 _ - : . * ? / [ ]`
    /// becomes `_`. Upstream: `-`, `?`, `[` and `]` became `_` as well, so that `my-*` spared
    /// `my-file`. `None` when nothing is left.
    pub fn clean(raw: &str) -> Result<Option<Self>, InvalidName> {
        let allowed = |c| is_id_char(c) || matches!(c, ':' | '.' | '*' | '?' | '/' | '[' | ']');
        let text = clean(raw, 512, allowed)?;
        if text.is_empty() {
            return Ok(None);
        }
        let tokens = tokens(&text);
        Ok(Some(Self { text, tokens }))
    }

    /// The cleaned text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a name matches. Takes at most the product of both lengths in steps.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if name.len() > LONGEST_NAME {
            return false;
        }
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        // After the last `*`, and where in the name the rest was tried last.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.tokens.get(token), name.get(at)) {
                (Some(Token::Any), _) => {
                    retry = Some((token + 1, at));
                    token += 1;
                    continue;
                }
                (Some(one), Some(c)) if one.takes(*c) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            match &mut retry {
                Some((after, tried)) if *tried < name.len() => {
                    *tried += 1;
                    (token, at) = (*after, *tried);
                }
                _ => return false,
            }
        }
    }

    /// The most steps that matching names of so many bytes in all can take.
    pub(super) fn steps(&self, names_bytes: usize) -> usize {
        let width = |token: &Token| match token {
            Token::OneOf(ranges) => ranges.len().max(1),
            _ => 1,
        };
        self.tokens.iter().map(width).sum::<usize>().saturating_mul(names_bytes)
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::One(one) => *one == c,
            Self::AnyOne => true,
            Self::Any => false,
            Self::OneOf(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)),
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::AnyOne,
            '[' => match set(rest) {
                Some((set, behind)) => {
                    rest = behind;
                    set
                }
                None => Token::One('['),
            },
            c => Token::One(c),
        });
    }
    tokens
}

/// Reads a set after its opening bracket. A bracket that comes first is one of its characters, and
/// a bracket that is never closed is a character like any other.
fn set(text: &str) -> Option<(Token, &str)> {
    let first = text.chars().next()?.len_utf8();
    let end = first + text[first..].find(']')?;
    let chars: Vec<char> = text[..end].chars().collect();
    let mut ranges = Vec::new();
    let mut rest = chars.as_slice();
    while let Some((from, behind)) = rest.split_first() {
        if let ['-', to, behind @ ..] = behind {
            ranges.push((*from, *to));
            rest = behind;
        } else {
            ranges.push((*from, *from));
            rest = behind;
        }
    }
    Some((Token::OneOf(ranges), &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("*.txt", "a/b.txt", true)]
    #[case("*.txt", "a.TXT", false)]
    #[case("dir/*", "dir/", true)]
    #[case("dir/*", "dir", false)]
    #[case("my-*", "my-file", true)]
    #[case("my-*", "my_file", false)]
    #[case("a?c", "a/c", true)]
    #[case("a?c", "ac", false)]
    #[case("[a-c]1", "b1", true)]
    #[case("[a-c]1", "d1", false)]
    #[case("[]x]", "]", true)]
    #[case("[-x]", "-", true)]
    #[case("[ab", "[ab", true)]
    #[case("*a*b*c", "xxaxxbxxbc", true)]
    #[case("*a*b*c", "xxaxxbxxcb", false)]
    #[case("**", "", true)]
    fn shell_patterns(#[case] pattern: &str, #[case] name: &str, #[case] matches: bool) {
        let pattern = Pattern::clean(pattern).unwrap().expect("not empty");
        assert_eq!(pattern.matches(name), matches);
    }

    #[rstest]
    #[case("", None)]
    #[case(" a b! ", Some("a_b_"))]
    #[case("é*", Some("_*"))]
    fn patterns_are_cleaned(#[case] raw: &str, #[case] cleaned: Option<&str>) {
        let pattern = Pattern::clean(raw).unwrap();
        assert_eq!(pattern.as_ref().map(Pattern::as_str), cleaned);
    }

    #[test]
    fn long_patterns_are_refused() {
        assert!(Pattern::clean(&"a".repeat(512)).is_ok());
        assert!(Pattern::clean(&"a".repeat(513)).is_err());
    }
}
