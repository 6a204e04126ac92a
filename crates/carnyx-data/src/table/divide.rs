//! Parts of a table: some columns, some rows, a part to train on and a part to test on.
//!
//! Invariant: the same table, share and seed give the same division on every machine, for ever.

use super::Table;
use crate::random::SplitMix;
use crate::split::{num_test, shuffled};
use carnyx_graph::{Error, Result};
use std::collections::BTreeMap;

impl Table {
    /// The columns that `names` says, in that order.
    ///
    /// # Errors
    /// `data`, if there is no such column or one is named twice.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b,c\n1,2,3\n".as_bytes(), "t.csv")?;
    /// assert_eq!(table.select(&["c", "a"])?.names(), ["c", "a"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn select(&self, names: &[&str]) -> Result<Table> {
        if let Some((_, twice)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return Err(Error::new("data", format!("the column `{twice}` is selected twice")));
        }
        let columns: Vec<usize> = names.iter().map(|name| self.index(name)).collect::<Result<_>>()?;
        let mut table = Table::empty(self.file.clone(), names.iter().map(|&name| name.to_owned()).collect());
        for row in 0..self.num_rows() {
            table.push_row(columns.iter().map(|&column| self.cell(row, column)), self.lines[row]);
        }
        Ok(table)
    }

    /// All columns but those that `names` says.
    ///
    /// # Errors
    /// `data`, if there is no such column.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,b,c\n1,2,3\n".as_bytes(), "t.csv")?;
    /// assert_eq!(table.drop_columns(&["b"])?.names(), ["a", "c"]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn drop_columns(&self, names: &[&str]) -> Result<Table> {
        names.iter().try_for_each(|name| self.index(name).map(drop))?;
        let kept: Vec<&str> =
            self.names.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
        self.select(&kept)
    }

    /// The rows that `indices` names, counted from 0, in that order.
    ///
    /// # Errors
    /// `data`, if there is no such row.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a\n1\n2\n3\n".as_bytes(), "t.csv")?;
    /// assert_eq!(table.take_rows(&[2, 0])?.column("a")?.values(), [3.0, 1.0]);
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn take_rows(&self, indices: &[usize]) -> Result<Table> {
        if let Some(wrong) = indices.iter().find(|&&row| row >= self.num_rows()) {
            let title = format!("`{}` has no row {wrong}", self.file);
            return Err(Error::new("data", title).label(format!("it has {} rows", self.num_rows())));
        }
        let mut table = self.header();
        for &row in indices {
            table.push_row((0..self.names.len()).map(|column| self.cell(row, column)), self.lines[row]);
        }
        Ok(table)
    }

    /// Shuffles the rows and divides them into a part to train on and a part to test on, which gets `test_share` of
    /// them, rounded.
    ///
    /// # Errors
    /// `data`, if a part would be empty.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a\n1\n2\n3\n4\n5\n".as_bytes(), "t.csv")?;
    /// let (train, test) = table.split(0.2, 42)?;
    /// assert_eq!((train.num_rows(), test.num_rows()), (4, 1));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn split(&self, test_share: f64, seed: u64) -> Result<(Table, Table)> {
        let num_test = num_test(self.num_rows(), test_share)?;
        let order = shuffled(self.num_rows(), seed);
        Ok((self.take_rows(&order[num_test..])?, self.take_rows(&order[..num_test])?))
    }

    /// [`split`](Table::split) in which each value of `column`, mostly the target, has the same share in both parts, as
    /// far as whole rows allow.
    ///
    /// # Errors
    /// `data`, if there is no such column or a part would be empty.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("y\nno\nno\nno\nno\nyes\nyes\n".as_bytes(), "t.csv")?;
    /// let (train, test) = table.split_stratified("y", 0.5, 42)?;
    /// for part in [train, test] {
    ///     assert_eq!(part.text("y")?.iter().filter(|label| *label == "yes").count(), 1);
    /// }
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn split_stratified(&self, column: &str, test_share: f64, seed: u64) -> Result<(Table, Table)> {
        let (index, wanted) = (self.index(column)?, num_test(self.num_rows(), test_share)?);
        let mut strata: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in shuffled(self.num_rows(), seed) {
            strata.entry(self.cell(row, index)).or_default().push(row);
        }
        let [mut train, mut test] = [Vec::new(), Vec::new()];
        let (mut seen, mut owed) = (0, 0);
        for rows in strata.values() {
            // What is owed after each stratum is rounded, so that the roundings do not add up.
            seen += rows.len();
            let due = (wanted as f64 * seen as f64 / self.num_rows() as f64).round() as usize;
            let count = (due - owed).min(rows.len());
            owed += count;
            test.extend(&rows[..count]);
            train.extend(&rows[count..]);
        }
        let mut numbers = SplitMix::new(seed);
        numbers.shuffle(&mut train);
        numbers.shuffle(&mut test);
        Ok((self.take_rows(&train)?, self.take_rows(&test)?))
    }

    /// The rows in which `column` holds `value`, and all others, in their order: for tables that say themselves what is
    /// for training.
    ///
    /// # Errors
    /// `data`, if there is no such column, or a part would be empty.
    ///
    /// # Example
    /// ```
    /// # use carnyx_data::Table;
    /// let table = Table::read_from("a,part\n1,train\n2,test\n3,train\n".as_bytes(), "t.csv")?;
    /// let (train, test) = table.split_by("part", "train")?;
    /// assert_eq!((train.num_rows(), test.num_rows()), (2, 1));
    /// # Ok::<(), carnyx_graph::Error>(())
    /// ```
    pub fn split_by(&self, column: &str, value: &str) -> Result<(Table, Table)> {
        let index = self.index(column)?;
        let is_inside = |row: &usize| self.cell(*row, index).trim() == value;
        let (inside, outside): (Vec<usize>, Vec<usize>) = (0..self.num_rows()).partition(is_inside);
        if inside.is_empty() || outside.is_empty() {
            let how = if inside.is_empty() { "no row" } else { "every row" };
            let mut known: Vec<&str> = (0..self.num_rows()).map(|row| self.cell(row, index).trim()).collect();
            known.sort_unstable();
            known.dedup();
            known.truncate(10);
            let title = format!("{how} of `{}` has `{value}` in the column `{column}`", self.file);
            return Err(Error::new("data", title).suggest(value, &known));
        }
        Ok((self.take_rows(&inside)?, self.take_rows(&outside)?))
    }
}
