//! What was tried and what was right, counted: a failure does not hide the next one.

use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A line for each column, which a script reads.
pub(crate) struct Table {
    name: &'static str,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    tried: u32,
    right: u32,
}

impl Table {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            columns: Vec::new(),
        }
    }

    /// `check` panics if it finds something.
    pub(crate) fn check(&mut self, column: impl Display, what: &str, check: impl FnOnce()) {
        let name = column.to_string();
        let is_right = catch_unwind(AssertUnwindSafe(check)).is_ok();
        if !is_right {
            println!("wrong: {}: {name}: {what}", self.name);
        }
        let at = self.columns.iter().position(|of| of.name == name);
        let at = at.unwrap_or_else(|| {
            self.columns.push(Column {
                name,
                tried: 0,
                right: 0,
            });
            self.columns.len() - 1
        });
        let column = &mut self.columns[at];
        column.tried += 1;
        column.right += u32::from(is_right);
    }

    pub(crate) fn end(self) {
        for Column { name, tried, right } in &self.columns {
            println!("tried: {}: {name}: {tried} {right}", self.name);
        }
        let is_right = self.columns.iter().all(|of| of.tried == of.right);
        assert!(is_right && !self.columns.is_empty(), "see above");
    }
}
