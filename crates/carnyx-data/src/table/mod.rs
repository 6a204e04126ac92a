//! Tables: named columns of cells, converted to numbers when they are asked for.
//!
//! A [`Table`] keeps every cell as text, so one file can give numbers, categories and dates, and no number loses a
//! digit before it is known what it is for. What a column holds is told by its cells: [`Kind`]. Invariants: every row
//! has exactly as many cells as there are names, names are unique, and a missing cell is an empty one.

mod csv;
mod describe;
mod divide;
#[cfg(feature = "parquet")]
mod parquet;

pub(crate) use self::csv::TableBlocks;
#[cfg(feature = "parquet")]
pub(crate) use self::parquet::ParquetFile;
pub use describe::{ColumnDescription, Description, Kind};

use crate::file;
use carnyx_graph::{Array, Error, Result, Site};
use std::io::Read;
use std::path::Path;

/// A table in memory: named columns, and rows of cells, some of which may be missing.
///
/// # Example
/// ```
/// use carnyx_data::Table;
/// let file = "rooms,city,price\n3,Bern,1.5\n4,Basel,2.5\n";
/// let table = Table::read_from(file.as_bytes(), "houses.csv")?;
/// assert_eq!(table.names(), ["rooms", "city", "price"]);
/// assert_eq!(table.num_rows(), 2);
/// assert_eq!(table.column("price")?.values(), [1.5, 2.5]);
/// assert_eq!(table.columns(&["price", "rooms"])?.values(), [1.5, 3.0, 2.5, 4.0]);
/// assert_eq!(table.text("city")?, ["Bern", "Basel"]);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone)]
pub struct Table {
    /// What the file is called in messages.
    file: String,
    names: Vec<String>,
    /// All cells, row by row, without anything between them.
    cells: String,
    /// Where each cell ends in `cells`.
    ends: Vec<usize>,
    /// The line on which each row begins.
    lines: Vec<u64>,
}

impl Table {
    /// Reads a file with commas between the cells, plain or compressed with gzip.
    ///
    /// # Errors
    /// `file`, if the file cannot be read, is empty or not UTF-8, has a row of another length than the header, or a
    /// name twice.
    ///
    /// # Example
    /// ```
    /// use carnyx_data::Table;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("houses.csv");
    /// std::fs::write(&path, "rooms,price\n3,1.5\n").unwrap();
    /// let table = Table::read(&path)?;
    /// let (x, y) = (table.without("price")?, table.column("price")?);
    /// # assert_eq!((x.values(), y.values()), (vec![3.0], vec![1.5]));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Table> {
        Table::read_separated(path, b',')
    }

    /// Reads a file with another character between the cells, such as `b';'` or `b'\t'`.
    ///
    /// # Errors
    /// As [`Table::read`].
    ///
    /// # Example
    /// ```
    /// use carnyx_data::Table;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("wine.csv");
    /// std::fs::write(&path, "pH;quality\n3.5;6\n").unwrap();
    /// assert_eq!(Table::read_separated(&path, b';')?.column("quality")?.values(), [6.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read_separated(path: impl AsRef<Path>, separator: u8) -> Result<Table> {
        let path = path.as_ref();
        TableBlocks::new(file::open(path)?, path.display().to_string(), separator)?.next_block(usize::MAX)
    }

    /// Reads from anything that can be read, with commas; `name` stands for it in error messages.
    ///
    /// # Errors
    /// As [`Table::read`].
    ///
    /// # Example
    /// ```
    /// let table = carnyx_data::Table::read_from("a,b\n1,2\n".as_bytes(), "inline")?;
    /// assert_eq!(table.names(), ["a", "b"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn read_from(reader: impl Read, name: &str) -> Result<Table> {
        let reader = file::unpacked(reader).map_err(|e| file::cannot_read(name, 0, e))?;
        TableBlocks::new(reader, name.to_owned(), b',')?.next_block(usize::MAX)
    }

    /// The names of the columns, in the file's order.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// assert_eq!(Table::read_from("a,b\n".as_bytes(), "inline")?.names(), ["a", "b"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows below the header.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// assert_eq!(Table::read_from("a,b\n1,2\n3,4\n".as_bytes(), "inline")?.num_rows(), 2);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn num_rows(&self) -> usize {
        self.lines.len()
    }

    /// One column as numbers: `f32[rows]`.
    ///
    /// # Errors
    /// `data`, if there is no such column, or a cell is empty or not a finite number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b\n1,2\n3,4\n".as_bytes(), "inline")?;
    /// assert_eq!(table.column("b")?.values(), [2.0, 4.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn column(&self, name: &str) -> Result<Array> {
        self.matrix(&[self.index(name)?])?.reshape([self.num_rows()])
    }

    /// Some columns as numbers, in the order of `names`: `f32[rows, names]`.
    ///
    /// # Errors
    /// As [`Table::column`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b,c\n1,2,3\n4,5,6\n".as_bytes(), "inline")?;
    /// assert_eq!(table.columns(&["c", "a"])?.values(), [3.0, 1.0, 6.0, 4.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn columns(&self, names: &[&str]) -> Result<Array> {
        let indices: Vec<usize> = names.iter().map(|name| self.index(name)).collect::<Result<_>>()?;
        self.matrix(&indices)
    }

    /// All columns but one as numbers, in the file's order: `f32[rows, columns - 1]`.
    ///
    /// # Errors
    /// As [`Table::column`].
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b,c\n1,2,3\n4,5,6\n".as_bytes(), "inline")?;
    /// assert_eq!(table.without("b")?.values(), [1.0, 3.0, 4.0, 6.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn without(&self, name: &str) -> Result<Array> {
        let left_out = self.index(name)?;
        let indices: Vec<usize> = (0..self.names.len()).filter(|&column| column != left_out).collect();
        self.matrix(&indices)
    }

    /// One column as it stands in the file; empty cells are empty strings.
    ///
    /// # Errors
    /// `data`, if there is no such column.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b\n1,\n3,\"x, y\"\n".as_bytes(), "inline")?;
    /// assert_eq!(table.text("b")?, ["", "x, y"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn text(&self, name: &str) -> Result<Vec<String>> {
        let column = self.index(name)?;
        Ok((0..self.num_rows()).map(|row| self.cell(row, column).to_owned()).collect())
    }

    /// One column as numbers where there are some: empty cells are `None`, `true` and `false` 1 and 0.
    ///
    /// # Errors
    /// `data`, if there is no such column, or a cell is neither empty nor a finite number.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("age,name\n22,Owen\n,Laina\n".as_bytes(), "inline")?;
    /// assert_eq!(table.numbers("age")?, [Some(22.0), None]);
    /// assert!(table.numbers("name").is_err());
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let column = self.index(name)?;
        let number = |row: usize| {
            let cell = self.cell(row, column).trim();
            match parsed(cell) {
                _ if cell.is_empty() => Ok(None),
                Some(number) => Ok(Some(number)),
                None => Err(self.not_a_number(row, column, cell)),
            }
        };
        (0..self.num_rows()).map(number).collect()
    }

    /// The same table in which cells that hold one of `marks` are empty: what other programs write for missing values.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("age,job\n22,?\nNA,cook\n".as_bytes(), "inline")?.with_missing(&["?", "NA"]);
    /// assert_eq!(table.text("job")?, ["", "cook"]);
    /// assert_eq!(table.numbers("age")?, [Some(22.0), None]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn with_missing(&self, marks: &[&str]) -> Table {
        let mut table = self.header();
        for row in 0..self.num_rows() {
            let kept = |column| match self.cell(row, column) {
                cell if marks.contains(&cell.trim()) => "",
                cell => cell,
            };
            table.push_row((0..self.names.len()).map(kept), self.lines[row]);
        }
        table
    }

    /// Whether there is a column of that name.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// assert!(Table::read_from("a,b\n".as_bytes(), "inline")?.has_column("b"));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn has_column(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// An error about a row, with its place in the file.
    pub(crate) fn at_row(&self, error: Error, row: usize) -> Error {
        error.at(site(&self.file, self.lines[row]))
    }

    /// A table with the same columns and no rows.
    fn header(&self) -> Table {
        Table::empty(self.file.clone(), self.names.clone())
    }

    fn empty(file: String, names: Vec<String>) -> Table {
        Table { file, names, cells: String::new(), ends: Vec::new(), lines: Vec::new() }
    }

    /// One more row, of as many cells as there are columns.
    fn push_row<'c>(&mut self, cells: impl Iterator<Item = &'c str>, line: u64) {
        self.lines.push(line);
        for cell in cells {
            self.cells.push_str(cell);
            self.ends.push(self.cells.len());
        }
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        let cell = row * self.names.len() + column;
        let start = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.cells[start..self.ends[cell]]
    }

    fn index(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            Error::new("data", format!("`{}` has no column `{name}`", self.file)).suggest(name, &self.names)
        })
    }

    fn matrix(&self, columns: &[usize]) -> Result<Array> {
        let mut numbers = Vec::with_capacity(self.num_rows() * columns.len());
        for row in 0..self.num_rows() {
            for &column in columns {
                let cell = self.cell(row, column).trim();
                match cell.parse::<f32>() {
                    Ok(number) if number.is_finite() => numbers.push(number),
                    _ => return Err(self.not_a_number(row, column, cell)),
                }
            }
        }
        Array::new([self.num_rows(), columns.len()], numbers)
    }

    fn not_a_number(&self, row: usize, column: usize, cell: &str) -> Error {
        let name = &self.names[column];
        let title = if cell.is_empty() {
            format!("the column `{name}` has an empty cell")
        } else {
            format!("`{}` in the column `{name}` is not a finite number", shortened(cell))
        };
        Error::new("data", title).at(site(&self.file, self.lines[row])).help(format!(
            "leave the column out, or read it with `.text({name:?})` and give such cells a value yourself"
        ))
    }
}

/// The finite number that a cell says.
fn parsed(cell: &str) -> Option<f64> {
    match cell {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => cell.parse::<f64>().ok().filter(|number| number.is_finite()),
    }
}

fn site(file: &str, line: u64) -> Site {
    Site { file: file.to_owned().into(), line: u32::try_from(line).unwrap_or(u32::MAX), column: 0 }
}

/// The beginning of a cell, short enough for a message.
fn shortened(cell: &str) -> String {
    let end = cell.char_indices().nth(40).map_or(cell.len(), |(end, _)| end);
    if end < cell.len() { format!("{}…", &cell[..end]) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn table(text: &str) -> Result<Table> {
        Table::read_from(text.as_bytes(), "t.csv")
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().expect("an error was expected").to_string()
    }

    #[test]
    fn tables_of_all_kinds() {
        let plain = table("\u{feff}a, b\r\n1 , 2e3\r\n\r\n-.5,\"4\"\r\n").unwrap();
        assert_eq!(plain.names(), ["a", "b"]);
        assert_eq!(plain.without("c").err().map(|e| e.code()), Some("data"));
        assert_eq!(plain.columns(&["b", "a"]).unwrap(), Array::from([[2000f32, 1.0], [4.0, -0.5]]));
        assert_eq!(plain.without("a").unwrap(), Array::from([[2000f32], [4.0]]));
        assert_eq!(table("\n\r\na\r\n\r\n1\r\n\n\"2\n\"\n3").unwrap().lines, [5, 7, 9]);
        let header_only = table("a,b\n").unwrap();
        assert_eq!(header_only.column("a").unwrap().shape(), [0]);
        assert_eq!(header_only.without("a").unwrap().shape(), [0, 1]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"a,b\n1,2\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(Table::read_from(&packed[..], "t.csv.gz").unwrap().column("b").unwrap().values(), [2.0]);
        for end in 2..packed.len() {
            let cut = Table::read_from(&packed[..end], "t.csv.gz");
            assert!(
                message(cut).contains("`t.csv.gz` ends in the middle of its compressed data"),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn messages() {
        assert_eq!(
            message(table("")),
            "error[file]: `t.csv` is empty\n  = help: a table begins with a line that names its columns"
        );
        assert_eq!(message(table("a,b,a\n1,2,3\n")), "error[file]: two columns are named `a`\n --> t.csv:1");
        assert_eq!(
            message(table("a,b\n1,2\n\n\"x\ny\",3\n4\n")),
            "error[file]: this row has 1 cells, the header has 2\n --> t.csv:6\n  \
             = help: a cell that contains the separator must stand in double quotes"
        );
        assert_eq!(
            message(Table::read_from(&b"a,b\n1,\xff\n"[..], "t.csv")),
            "error[file]: this line is not valid UTF-8\n --> t.csv:2\n  \
             = help: save the file again with the encoding UTF-8"
        );
        let houses = table("MedInc,HouseAge,MedHouseVal\n1,2,3\n\n\"1\n\",,x\n").unwrap();
        assert_eq!(
            message(houses.column("MedHouseval")),
            "error[data]: `t.csv` has no column `MedHouseval`\n  \
             = help: did you mean `MedHouseVal`?"
        );
        assert_eq!(
            message(houses.columns(&["MedInc", "price"])),
            "error[data]: `t.csv` has no column `price`\n  \
             = help: the known names are `MedInc`, `HouseAge`, `MedHouseVal`"
        );
        assert_eq!(
            message(houses.column("HouseAge")),
            "error[data]: the column `HouseAge` has an empty cell\n --> t.csv:4\n  \
             = help: leave the column out, or read it with `.text(\"HouseAge\")` \
             and give such cells a value yourself"
        );
        assert!(message(houses.column("MedHouseVal")).starts_with(
            "error[data]: `x` in the column `MedHouseVal` is not a finite number\n --> t.csv:4\n"
        ));
        for wrong in ["nan", "1e60", "1,5"] {
            let one = table(&format!("a\n\"{wrong}\"\n")).unwrap();
            assert!(
                message(one.column("a")).contains(&format!("`{wrong}` in the column `a` is not a finite"))
            );
        }
    }

    #[test]
    fn a_cut_gives_an_error_or_a_shorter_table() {
        let whole = "a,b\n1.5,\"x,\"\"y\"\n2.5,ü\n";
        let full = table(whole).unwrap();
        for end in 0..whole.len() {
            if let Ok(cut) = Table::read_from(&whole.as_bytes()[..end], "t.csv") {
                assert!(cut.num_rows() <= full.num_rows());
                let _ = cut.without("a");
            }
        }
    }
}
