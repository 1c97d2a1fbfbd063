//! One text → its documents, each by itself, so that a bad one does not hide the others.

use serde_json::Value;

/// A document of a text.
#[derive(Debug)]
pub(super) struct Document {
    /// Its place in the text, from 1. Documents without content count not.
    pub number: usize,
    /// The line of the text where its content begins, or where it stops making sense.
    pub line: usize,
    /// What it says.
    pub content: Result<Value, String>,
}

/// The documents of a text in YAML or JSON.
pub(super) fn documents(text: &str) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    for chunk in chunks(text) {
        let Some(line) = chunk.first_content() else { continue };
        for (line, content) in chunk.json().unwrap_or_else(|| vec![chunk.yaml(line)]) {
            // A document of nothing but a marker, as templates leave behind, is none.
            if content != Ok(Value::Null) {
                documents.push(Document { number: documents.len() + 1, line, content });
            }
        }
    }
    documents
}

/// The text between two document markers, the first one included.
struct Chunk<'a> {
    /// Line of the text where it begins, from 1.
    line: usize,
    text: &'a str,
}

/// Splits at document markers. YAML allows them nowhere else at the beginning of a line, not in a block of text either.
fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut from, mut first_line) = (0, 1);
    let mut at = 0;
    for (line, content) in (1..).zip(text.split_inclusive('\n')) {
        if is_marker(content, "---") {
            chunks.push(Chunk { line: first_line, text: &text[from..at] });
            (from, first_line) = (at, line);
        } else if is_marker(content, "...") {
            chunks.push(Chunk { line: first_line, text: &text[from..at] });
            (from, first_line) = (at + content.len(), line + 1);
        }
        at += content.len();
    }
    chunks.push(Chunk { line: first_line, text: &text[from..] });
    chunks
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

impl Chunk<'_> {
    /// Line of the text where there is more than comments and directives.
    fn first_content(&self) -> Option<usize> {
        let lines = (self.line..).zip(self.text.lines());
        let has_content = |line: &str| {
            let line = line.strip_prefix("---").unwrap_or(line).trim_start();
            !line.is_empty() && !line.starts_with(['#', '%'])
        };
        lines.into_iter().find(|(_, line)| has_content(line)).map(|(line, _)| line)
    }

    /// The values of a JSON stream, each with its line; none where the chunk is something else. YAML contains JSON, but
    /// not several values in a row, as `jq` prints them.
    fn json(&self) -> Option<Vec<(usize, Result<Value, String>)>> {
        if !self.text.trim_start().starts_with('{') {
            return None;
        }
        let mut stream = serde_json::Deserializer::from_str(self.text).into_iter::<Value>();
        let mut values = Vec::new();
        // Lines are counted on from value to value: to count from the beginning each time takes minutes for many.
        let (mut line, mut counted) = (self.line, 0);
        loop {
            let rest = &self.text[stream.byte_offset()..];
            let begin = self.text.len() - rest.trim_start().len();
            line += self.text[counted..begin].matches('\n').count();
            counted = begin;
            match stream.next() {
                None => return Some(values),
                Some(Ok(value)) => values.push((line, Ok(value))),
                // YAML's braces look like JSON too.
                Some(Err(_)) if values.is_empty() => return None,
                Some(Err(error)) => {
                    values.push((self.line + error.line() - 1, Err(error.to_string())));
                    return Some(values);
                }
            }
        }
    }

    fn yaml(&self, line: usize) -> (usize, Result<Value, String>) {
        if let Ok(value) = serde_saphyr::from_str(self.text) {
            return (line, Ok(value));
        }
        // Read once more with the lines before it left blank, so that every line number is the text's.
        let in_place = "\n".repeat(self.line - 1) + self.text;
        match serde_saphyr::from_str(&in_place) {
            Ok(value) => (line, Ok(value)),
            Err(error) => {
                let at = error.location().and_then(|location| usize::try_from(location.line()).ok());
                let at = at.filter(|at| *at >= self.line).unwrap_or(line);
                (at, Err(error.without_snippet().to_string()))
            }
        }
    }
}
