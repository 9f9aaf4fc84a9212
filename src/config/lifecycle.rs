//! What can be done about the rules by which a bucket removes what is old.

/// What is done about rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleAction {
    /// Shows all rules of the bucket.
    Show,
    /// Shows the rule that the settings ask for.
    Derive,
    /// Puts it into force.
    Apply,
    /// Removes it.
    Remove,
}

impl LifecycleAction {
    /// Each with its name and what it does.
    pub(super) const ALL: [(&'static str, Self, &'static str); 4] = [
        ("show", Self::Show, "Show all rules of the bucket"),
        ("derive", Self::Derive, "Show the rule that the time to live and the key prefix ask for"),
        ("apply", Self::Apply, "Put that rule into force; leaves the rules of others alone"),
        ("remove", Self::Remove, "Remove that rule; leaves the rules of others alone"),
    ];
}
