//! Embeddings: points in space as files that TensorBoard's projector reads.
//!
//! Each embedding is a table of tab-separated numbers, with a table of labels beside it; `projector_config.pbtxt` names
//! them. Reference: [`projector_config.proto`](https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/projector/projector_config.proto).

use carnyx_graph::{Array, Error, Result};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The file that names all others.
const CONFIG: &str = "projector_config.pbtxt";

/// The embeddings of a folder.
#[derive(Debug, Default)]
pub(crate) struct Projector {
    /// What the embeddings are called, and how many rows and columns they have.
    known: Vec<(String, usize, usize)>,
}

impl Projector {
    /// Writes points with their labels, in place of those that have the name.
    pub(crate) fn add(&mut self, folder: &Path, name: &str, points: &Array, labels: &[String]) -> Result {
        let &[rows, columns] = points.shape() else {
            return Err(wrong(points, "points have one row each, and a column for each axis"));
        };
        if rows == 0 || columns == 0 {
            return Err(wrong(points, "there are no points"));
        }
        if !labels.is_empty() && labels.len() != rows {
            let title = format!("the embedding `{name}` has {rows} points and {} labels", labels.len());
            return Err(Error::new("data", title).help("give one label for each point, or none"));
        }
        let place = self.known.iter().position(|(known, ..)| known == name).unwrap_or(self.known.len());
        self.known.splice(place..self.known.len().min(place + 1), [(name.to_owned(), rows, columns)]);
        let write = |file: &str, text: String| {
            let path = folder.join(file);
            let cannot =
                |error| Error::new("file", format!("cannot write `{}`", path.display())).because(error);
            fs::write(&path, text).map_err(cannot)
        };
        write(&points_file(place), table(points, columns))?;
        let numbers = (0..rows).map(|i| i.to_string());
        let labels: Vec<String> = if labels.is_empty() {
            numbers.collect()
        } else {
            labels.iter().map(|label| cell(label)).collect()
        };
        write(&labels_file(place), labels.join("\n") + "\n")?;
        write(CONFIG, self.config())
    }

    fn config(&self) -> String {
        let mut text = String::new();
        for (place, (name, rows, columns)) in self.known.iter().enumerate() {
            let (points, labels) = (points_file(place), labels_file(place));
            let written = writeln!(
                text,
                "embeddings {{\n  tensor_name: {}\n  tensor_shape: {rows}\n  tensor_shape: {columns}\n  \
                 tensor_path: \"{points}\"\n  metadata_path: \"{labels}\"\n}}",
                quoted(name)
            );
            written.expect("a text takes every line");
        }
        text
    }
}

// Names of embeddings may have characters that names of files must not.
fn points_file(place: usize) -> String {
    format!("embedding_{place}.tsv")
}

fn labels_file(place: usize) -> String {
    format!("embedding_{place}_labels.tsv")
}

fn table(points: &Array, columns: usize) -> String {
    let line = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join("\t") + "\n";
    points.values().chunks(columns).map(line).collect()
}

/// A label that is one cell of a table.
fn cell(label: &str) -> String {
    // An empty line would be no row.
    if label.is_empty() { " ".to_owned() } else { label.replace(['\t', '\n', '\r'], " ") }
}

/// A text as the text format of protocol buffers has it.
fn quoted(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", byte as char),
        b' '..=b'~' => (byte as char).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    format!("\"{}\"", text.bytes().map(escaped).collect::<String>())
}

fn wrong(points: &Array, why: &str) -> Error {
    Error::new("shape", format!("an array of shape {:?} is no embedding", points.shape()))
        .label(why)
        .help("the shape is `[points, axes]`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedding_is_two_tables_and_an_entry() -> Result {
        let folder = tempfile::tempdir().unwrap();
        let mut projector = Projector::default();
        let points = Array::from([[0.5f32, -1.0], [2.0, 0.1]]);
        projector.add(folder.path(), "words", &points, &["a\tb".into(), String::new()])?;
        projector.add(folder.path(), "\"é\"", &points, &[])?;
        projector.add(folder.path(), "words", &points, &["c".into(), "d".into()])?;
        let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(read("embedding_0.tsv"), "0.5\t-1\n2\t0.1\n");
        assert_eq!(read("embedding_0_labels.tsv"), "c\nd\n");
        assert_eq!(read("embedding_1_labels.tsv"), "0\n1\n");
        let config = read(CONFIG);
        assert_eq!(config.matches("embeddings {").count(), 2);
        assert!(config.contains(r#"tensor_name: "\"\303\251\"""#), "{config}");
        assert_eq!((cell("a\tb"), cell("")), ("a b".to_owned(), " ".to_owned()));
        Ok(())
    }
}
