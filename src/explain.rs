//! What the API server, or the way to it, has against a request: in one line, for people.

use std::error::Error;

/// Longer answers are no sentences any more, but pages of some proxy.
const LONGEST: usize = 400;

/// An error of the client in one line that stays the same as long as the reason does. The error's own `Display` repeats
/// itself and shows types.
#[must_use]
pub fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => refusal(&status.message, status.code),
        kube::Error::Service(source) => with_causes(source.as_ref()),
        error => with_causes(error),
    }
}

/// What the API server says when it refuses, and the code that it says it with.
#[must_use]
pub fn refusal(message: &str, code: u16) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    if line.is_empty() { format!("HTTP {code}") } else { format!("{line} (HTTP {code})") }
}

/// An error and its causes, each said once: many repeat their cause.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_refusal_is_told_in_one_line_with_its_code() {
        let status = Status::failure("404 page not found\n", "Failed to parse error data").with_code(404);
        assert_eq!(explain(&kube::Error::Api(status.boxed())), "404 page not found (HTTP 404)");
        assert_eq!(refusal("", 500), "HTTP 500");
        assert_eq!(refusal(&"é".repeat(500), 502), format!("{}… (HTTP 502)", "é".repeat(400)));
    }

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("connection refused");
        assert_eq!(explain(&kube::Error::Service(Box::new(cause))), "connection refused");
        let cause = std::io::Error::other("connection refused");
        assert_eq!(explain(&kube::Error::ReadEvents(cause)), "Error reading events stream: connection refused");
    }
}
