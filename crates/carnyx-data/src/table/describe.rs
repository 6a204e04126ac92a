//! What is in a table: kinds of columns, missing values, ranges.

use super::{Table, parsed, shortened};
use carnyx_graph::Result;
use std::collections::HashMap;
use std::fmt;

/// What the cells of a column hold, as far as they are not missing.
///
/// # Example
/// ```
/// use carnyx_data::{Kind, Table};
/// let table = Table::read_from("id,price,sold,city,note\n1,2.5,true,Bern,\n2,3,false,,\n".as_bytes(), "t.csv")?;
/// assert_eq!(table.kind("price")?, Kind::Number);
/// assert_eq!(table.kind("city")?, Kind::Text);
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Finite numbers, some with a fraction or an exponent.
    Number,
    /// `true` and `false`.
    Boolean,
    /// Anything else: categories, names, dates.
    Text,
    /// Nothing: all cells are missing.
    Empty,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Text => "text",
            Kind::Empty => "empty",
        })
    }
}

/// What one column holds.
///
/// # Example
/// ```
/// # use carnyx_data::Table;
/// let table = Table::read_from("age\n20\n40\n\n".as_bytes(), "t.csv")?;
/// let age = &table.describe().columns[0];
/// assert_eq!((age.missing, age.distinct, age.mean), (0, 2, Some(30.0))); // an empty line is no row
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDescription {
    /// The name of the column.
    pub name: String,
    /// What its cells hold.
    pub kind: Kind,
    /// How many cells are empty.
    pub missing: usize,
    /// How many different values the others have.
    pub distinct: usize,
    /// The least number, in a column of numbers.
    pub min: Option<f64>,
    /// The mean of the numbers, in a column of numbers.
    pub mean: Option<f64>,
    /// The greatest number, in a column of numbers.
    pub max: Option<f64>,
    /// The value that most cells have, and how many: the first of them, if several are as frequent.
    pub most_frequent: Option<(String, usize)>,
}

/// What all columns of a table hold; as text, a line for each.
///
/// # Example
/// ```
/// # use carnyx_data::Table;
/// let table = Table::read_from("age,city\n20,Bern\n,Bern\n40,Basel\n".as_bytes(), "t.csv")?;
/// let text = table.describe().to_string();
/// assert!(text.starts_with("3 rows, 2 columns\n"));
/// assert!(text.contains("integer") && text.contains("Bern (2)"));
/// # Ok::<(), carnyx_graph::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The number of rows.
    pub rows: usize,
    /// The columns, in the table's order.
    pub columns: Vec<ColumnDescription>,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{} rows, {} columns", self.rows, self.columns.len())?;
        let name_width =
            self.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).max(6);
        let header = format!(
            "{:8} {:>8} {:>8} {:>12} {:>12} {:>12}",
            "kind", "missing", "distinct", "min", "mean", "max"
        );
        writeln!(f, "{:name_width$}  {header}  most frequent", "column")?;
        for column in &self.columns {
            let number = |value: Option<f64>| value.map_or("-".to_owned(), number_text);
            let ColumnDescription { name, kind, missing, distinct, .. } = column;
            let (min, mean, max) = (number(column.min), number(column.mean), number(column.max));
            write!(
                f,
                "{name:name_width$}  {kind:8} {missing:>8} {distinct:>8} {min:>12} {mean:>12} {max:>12}"
            )?;
            match &column.most_frequent {
                Some((value, count)) => writeln!(f, "  {} ({count})", shortened(value))?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// At most six digits where they say enough.
fn number_text(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e12 { format!("{value}") } else { format!("{value:.4}") }
}

impl Table {
    /// What the cells of a column hold.
    ///
    /// # Errors
    /// `data`, if there is no such column.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::{Kind, Table};
    /// let table = Table::read_from("a,b\n1,true\n,false\n".as_bytes(), "t.csv")?;
    /// assert_eq!((table.kind("a")?, table.kind("b")?), (Kind::Integer, Kind::Boolean));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn kind(&self, name: &str) -> Result<Kind> {
        let column = self.index(name)?;
        let cells = (0..self.num_rows()).map(|row| self.cell(row, column).trim());
        let mut kind = Kind::Empty;
        for cell in cells.filter(|cell| !cell.is_empty()) {
            let here = match parsed(cell) {
                None => return Ok(Kind::Text),
                Some(_) if cell.parse::<i64>().is_ok() => Kind::Integer,
                Some(_) if cell.parse::<f64>().is_ok() => Kind::Number,
                Some(_) => Kind::Boolean,
            };
            kind = match (kind, here) {
                (Kind::Empty, _) => here,
                (before, _) if before == here => here,
                (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Kind::Number,
                _ => return Ok(Kind::Text),
            };
        }
        Ok(kind)
    }

    /// Kinds, missing values, distinct values and ranges of all columns: the first look at new data.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("age,city\n20,Bern\n,Bern\n40,Basel\n".as_bytes(), "t.csv")?;
    /// let description = table.describe();
    /// assert_eq!(description.columns[0].missing, 1);
    /// assert_eq!(description.columns[1].most_frequent, Some(("Bern".into(), 2)));
    /// println!("{description}");
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn describe(&self) -> Description {
        let columns = self.names().iter().filter_map(|name| self.describe_column(name).ok()).collect();
        Description { rows: self.num_rows(), columns }
    }

    fn describe_column(&self, name: &str) -> Result<ColumnDescription> {
        let (column, kind) = (self.index(name)?, self.kind(name)?);
        // How often each value occurs, and in which row first.
        let mut values: HashMap<&str, (usize, usize)> = HashMap::new();
        let mut missing = 0;
        for row in 0..self.num_rows() {
            match self.cell(row, column).trim() {
                "" => missing += 1,
                cell => values.entry(cell).or_insert((0, row)).0 += 1,
            }
        }
        let most = values.iter().max_by_key(|(_, (count, row))| (*count, std::cmp::Reverse(*row)));
        let most_frequent = most.map(|(value, (count, _))| ((*value).to_owned(), *count));
        let numbers: Vec<f64> = match kind {
            Kind::Integer | Kind::Number => self.numbers(name)?.into_iter().flatten().collect(),
            Kind::Boolean | Kind::Text | Kind::Empty => Vec::new(),
        };
        Ok(ColumnDescription {
            name: name.to_owned(),
            kind,
            missing,
            distinct: values.len(),
            min: numbers.iter().copied().reduce(f64::min),
            mean: (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64),
            max: numbers.iter().copied().reduce(f64::max),
            most_frequent,
        })
    }
}
