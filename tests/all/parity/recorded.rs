//! Recorded cases, and what it means to agree with them.

use carnyx_graph::{Array, DType, Result};
use serde_json::Value;
use std::path::Path;

/// One case of a recorded file, or a part of one. Paths lead to further parts: `inputs/x`, `config/rate`.
pub struct Case {
    value: Value,
}

/// The whole file `name.json`, as a case without a name.
pub fn file(name: &str) -> Case {
    file_of(&format!("keras/recorded/{name}.json"))
}

/// The whole file at `path` in the folder of the tests.
pub fn file_of(path: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Case { value }
}

impl Case {
    /// The name, unique within its list.
    pub fn name(&self) -> &str {
        self.value.get("name").and_then(Value::as_str).unwrap_or("unnamed")
    }

    /// What stands at `path`, be it `null`; `""` is this case itself.
    fn find(&self, path: &str) -> Option<&Value> {
        if path.is_empty() { Some(&self.value) } else { self.value.pointer(&format!("/{path}")) }
    }

    /// What stands at `path`; `None` if there is nothing, or `null`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.find(path).filter(|value| !value.is_null())
    }

    /// Whether anything stands at `path`, be it `null`.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    fn at(&self, path: &str) -> &Value {
        self.get(path).unwrap_or_else(|| panic!("`{}` has no `{path}`", self.name()))
    }

    /// The text at `path`.
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_else(|| panic!("`{path}` of `{}` is no text", self.name()))
    }

    /// The list of texts at `path`; empty if there is none.
    pub fn texts(&self, path: &str) -> Vec<&str> {
        let list = self.get(path).and_then(Value::as_array);
        list.map_or(Vec::new(), |list| list.iter().map(|value| value.as_str().expect("a text")).collect())
    }

    /// The number at `path`; `""` is this case itself.
    pub fn number(&self, path: &str) -> f64 {
        self.at(path).as_f64().unwrap_or_else(|| panic!("`{path}` of `{}` is no number", self.name()))
    }

    /// The number at `path`, or `default` if there is none.
    pub fn number_or(&self, path: &str, default: f64) -> f64 {
        if self.get(path).is_some() { self.number(path) } else { default }
    }

    /// Whether there is a `true` at `path`.
    pub fn flag(&self, path: &str) -> bool {
        self.get(path).is_some_and(|value| value == &Value::Bool(true))
    }

    /// The list of numbers at `path`; `true` is 1.
    pub fn numbers(&self, path: &str) -> Vec<f64> {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_bool().map(f64::from));
        self.list(path).iter().map(|value| number(value).expect("a number")).collect()
    }

    /// The list of integers at `path`.
    pub fn sizes(&self, path: &str) -> Vec<usize> {
        self.numbers(path).iter().map(|&size| size as usize).collect()
    }

    fn list(&self, path: &str) -> &[Value] {
        self.at(path).as_array().unwrap_or_else(|| panic!("`{path}` of `{}` is no list", self.name()))
    }

    /// The parts of the list at `path`.
    pub fn parts(&self, path: &str) -> Vec<Case> {
        self.list(path).iter().map(|value| Case { value: value.clone() }).collect()
    }

    /// The part at `path`.
    pub fn part(&self, path: &str) -> Case {
        Case { value: self.at(path).clone() }
    }

    /// The names and values of the object at `path`.
    pub fn entries(&self, path: &str) -> Vec<(String, Case)> {
        let object =
            self.at(path).as_object().unwrap_or_else(|| panic!("`{path}` of `{}` is no object", self.name()));
        object.iter().map(|(name, value)| (name.clone(), Case { value: value.clone() })).collect()
    }

    /// The tensor at `path`; `""` is this case itself.
    pub fn array(&self, path: &str) -> Array {
        let tensor = self.part(path);
        let (shape, data) = (tensor.sizes("shape"), tensor.numbers("data"));
        let array = Array::new(shape, data).expect("a recorded tensor fills its shape");
        array.cast(match tensor.text("dtype") {
            "int32" => DType::I32,
            "bool" => DType::Bool,
            _ => DType::F32,
        })
    }
}

/// Collects what disagrees.
pub struct Comparison<'a> {
    case: &'a Case,
    compared: usize,
    disagreements: Vec<String>,
}

impl Comparison<'_> {
    /// Compares shapes, and elements within `tolerance`: relative to the element, plus relative to the largest
    /// element where that is smaller than 1.
    pub fn close(&mut self, what: &str, actual: &Array, expected: &Array, tolerance: f64) {
        self.compared += 1;
        let label = format!("{}: {what}", self.case.name());
        if actual.shape() != expected.shape() {
            let shapes = format!("{:?} instead of {:?}", actual.shape(), expected.shape());
            return self.disagreements.push(format!("{label} has shape {shapes}"));
        }
        let elements = || (0..expected.len()).map(|i| (actual.element(i), expected.element(i)));
        let scale = elements().fold(0f64, |scale, (_, e)| scale.max(e.abs())).min(1.0);
        // Written so that NaN disagrees.
        let agree = |a: f64, e: f64| a == e || (a - e).abs() <= tolerance * (scale + e.abs());
        let wrong: Vec<usize> =
            elements().enumerate().filter(|(_, (a, e))| !agree(*a, *e)).map(|(i, _)| i).collect();
        let Some(&first) = wrong.first() else { return };
        let (a, e) = (actual.element(first), expected.element(first));
        self.disagreements.push(format!(
            "{label} differs in {} of {} elements, first at {first}: {a} instead of {e}, off by {:e}, tolerance {tolerance:e}",
            wrong.len(),
            expected.len(),
            (a - e).abs(),
        ));
    }

    /// The same for the tensor at a path of the case.
    pub fn close_to(&mut self, path: &str, actual: &Array, tolerance: f64) {
        self.close(path, actual, &self.case.array(path), tolerance);
    }

    /// The same for one number.
    pub fn number(&mut self, what: &str, actual: f64, expected: f64, tolerance: f64) {
        self.close(what, &Array::scalar(actual), &Array::scalar(expected), tolerance);
    }

    /// Wants a statement to be true.
    pub fn holds(&mut self, statement: &str, is_true: bool) {
        self.compared += 1;
        if !is_true {
            self.disagreements.push(format!("{}: not so: {statement}", self.case.name()));
        }
    }
}

/// Runs `check` on all `cases` but those that `skipped` names (`*` at the beginning of a name stands for anything),
/// and fails if anything disagrees, if a check compares nothing, or if a skipped name does not exist.
pub fn compare(cases: &[Case], skipped: &[&str], check: impl Fn(&Case, &mut Comparison) -> Result) {
    let is_named = |case: &Case, name: &str| match name.strip_prefix('*') {
        Some(end) => case.name().ends_with(end),
        None => case.name() == name,
    };
    for name in skipped {
        assert!(cases.iter().any(|case| is_named(case, name)), "no recorded case is called `{name}`");
    }
    let (left_out, compared): (Vec<&Case>, Vec<&Case>) =
        cases.iter().partition(|case| skipped.iter().any(|name| is_named(case, name)));
    for case in left_out {
        println!("not compared: {}", case.name());
    }
    let mut disagreements = Vec::new();
    for case in compared {
        let mut comparison = Comparison { case, compared: 0, disagreements: Vec::new() };
        match check(case, &mut comparison) {
            Ok(()) => comparison.holds("something is compared", comparison.compared > 0),
            Err(error) => comparison.disagreements.push(format!("{}: {error}", case.name())),
        }
        disagreements.append(&mut comparison.disagreements);
    }
    assert!(disagreements.is_empty(), "{} disagreements\n{}", disagreements.len(), disagreements.join("\n"));
}

#[test]
fn a_comparison_notices_small_differences() {
    let case = Case {
        value: serde_json::json!({"name": "made up", "y": {"shape": [2], "dtype": "float32", "data": [0.25, 8.0]}}),
    };
    let disagreements = |actual: Array| {
        let mut comparison = Comparison { case: &case, compared: 0, disagreements: Vec::new() };
        comparison.close_to("y", &actual, 1e-6);
        comparison.disagreements.len()
    };
    assert_eq!(disagreements(Array::from([0.25f32, 8.0])), 0);
    assert_eq!(disagreements(Array::from([0.250001f32, 8.000008])), 0);
    assert_eq!(disagreements(Array::from([0.250002f32, 8.0])), 1);
    assert_eq!(disagreements(Array::from([0.25f32, 8.00002])), 1);
    assert_eq!(disagreements(Array::from([0.25, f32::NAN])), 1);
    assert_eq!(disagreements(Array::from([[0.25f32, 8.0]])), 1);
}
