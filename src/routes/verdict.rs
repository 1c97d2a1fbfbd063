//! What a Gateway's last plan said of a route.

/// One thing that the owner of a route ought to know. Plain words, so that routes need not know of planning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// How bad it is.
    pub kind: VerdictKind,
    /// One word, as `PortConflict`.
    pub reason: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// How bad a [`Verdict`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    /// The route, or a part of it, gets no listener.
    Rejected,
    /// It is served, and yet will not do what its author expects.
    Warned,
}
