//! Whether a run is given what its program needs: the check that every executor makes first.

use carnyx_graph::graph::InputSlot;
use carnyx_graph::{Bindings, DType, Error, Feed, Result, Variable};

/// Whether `bindings` fill the slots of inputs and captured constants with arrays of the right shapes and types, and
/// whether there are as many variables as slots.
///
/// # Errors
/// `input` or `variable`, if they do not.
pub fn check_bindings<'a>(
    inputs: impl ExactSizeIterator<Item = &'a InputSlot>,
    captured: impl ExactSizeIterator<Item = (&'a [usize], DType)>,
    num_variables: usize,
    bindings: &Bindings,
) -> Result {
    let (given, wanted) = (bindings.inputs.len(), inputs.len());
    for (i, slot) in inputs.enumerate() {
        let missing = || {
            Error::new("input", format!("the input `{}` is missing", slot.name))
                .label(format!("{given} of {wanted} inputs are given"))
        };
        check_feed(slot, bindings.inputs.get(i).ok_or_else(missing)?)?;
    }
    check_count("input", "inputs", given, wanted)?;
    check_count("input", "captured constants", bindings.captured.len(), captured.len())?;
    for (i, ((sizes, dtype), array)) in captured.zip(bindings.captured).enumerate() {
        if array.shape() != sizes || array.dtype() != dtype {
            let title = format!("constant {i} is {}{:?}, not {dtype}{sizes:?}", array.dtype(), array.shape());
            return Err(Error::new("input", title));
        }
    }
    check_count("variable", "variables", bindings.variables.len(), num_variables)
}

/// Whether variables have values of the shapes and types that a program was made for. What holds once holds for
/// ever: a variable keeps its shape, and never loses its value.
///
/// # Errors
/// `variable`, if one has not.
pub fn check_variables<'a>(
    slots: impl Iterator<Item = (&'a [usize], DType)>,
    variables: &[Variable],
) -> Result {
    slots.zip(variables).try_for_each(|((sizes, dtype), variable)| {
        if !variable.has_value() {
            return Err(no_value(variable));
        }
        if variable.dtype() == dtype && variable.has_shape(sizes) {
            return Ok(());
        }
        Err(Error::new("variable", format!("{variable:?} does not fit a program made for {dtype}{sizes:?}")))
    })
}

/// The error of a variable that is used before it has a value.
pub fn no_value(variable: &Variable) -> Error {
    Error::new("variable", format!("{variable:?} has no value yet"))
        .help("values are drawn at the first `fit`, `predict`, `eval` or `initialize`")
}

fn check_count(code: &'static str, what: &str, given: usize, wanted: usize) -> Result {
    if given == wanted {
        return Ok(());
    }
    Err(Error::new(code, format!("{given} {what} are given, not {wanted}")))
}

fn check_feed(slot: &InputSlot, feed: &Feed) -> Result {
    let (name, array) = (&slot.name, feed.array());
    if array.dtype() != slot.dtype {
        return Err(Error::new(
            "input",
            format!("the input `{name}` is given {}, not {}", array.dtype(), slot.dtype),
        )
        .help(format!("convert it first, for example with `.cast(DType::{:?})`", slot.dtype)));
    }
    let fits = match feed {
        Feed::Whole(array) => array.shape() == slot.sizes,
        Feed::Rows(array, _) | Feed::Part(array, ..) => {
            let sizes = slot.sizes.split_first().zip(array.shape().split_first());
            sizes.is_some_and(|((rows, slot_row), (_, row))| *rows == feed.num_rows() && slot_row == row)
        }
    };
    if !fits {
        let title = format!("the input `{name}` is given shape {:?}, not {:?}", feed.sizes(), slot.sizes);
        return Err(Error::new("input", title));
    }
    let beyond = match feed {
        Feed::Whole(_) => None,
        Feed::Rows(_, rows) => rows.iter().map(|&row| row as usize).find(|&row| row >= array.num_rows()),
        Feed::Part(_, first, rows) => {
            let last = first.saturating_add(rows.saturating_sub(1));
            (last >= array.num_rows() && *rows > 0).then_some(last)
        }
    };
    match beyond {
        None => Ok(()),
        Some(row) => {
            Err(Error::new("input", format!("the input `{name}` is asked for row {row} of an array"))
                .label(format!("it has {} rows", array.num_rows())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carnyx_graph::{Address, Array, Initializer, Tensor};

    #[derive(Debug)]
    struct Nothing;

    impl Initializer for Nothing {
        fn initial(&self, shape: &[usize], _: Address) -> Tensor {
            Tensor::constant(&Array::zeros(shape, DType::F32))
        }
    }

    const EMPTY: Bindings = Bindings { inputs: &[], captured: &[], variables: &[], seed: 0, step: 0 };

    #[test]
    fn what_is_missing_or_does_not_fit_is_named() {
        let slot = |name: &str, sizes: &[usize]| InputSlot {
            name: name.into(),
            sizes: sizes.to_vec(),
            dtype: DType::F32,
        };
        let slots = [slot("x", &[2, 3]), slot("y", &[2])];
        let check =
            |inputs: &[Feed]| check_bindings(slots.iter(), [].into_iter(), 0, &Bindings { inputs, ..EMPTY });
        let (x, y) = (Array::zeros([2, 3], DType::F32), Array::zeros([2], DType::F32));
        assert!(check(&[Feed::Whole(&x), Feed::Whole(&y)]).is_ok());
        assert!(check(&[Feed::Rows(&x, &[1, 1]), Feed::Rows(&y, &[0, 1])]).is_ok());

        let fails = |inputs: &[Feed], title: &str| {
            let error = check(inputs).unwrap_err();
            assert_eq!((error.code(), error.title()), ("input", title));
        };
        fails(&[Feed::Whole(&x)], "the input `y` is missing");
        fails(&[Feed::Whole(&x), Feed::Whole(&y), Feed::Whole(&y)], "3 inputs are given, not 2");
        fails(&[Feed::Whole(&y), Feed::Whole(&y)], "the input `x` is given shape [2], not [2, 3]");
        fails(&[Feed::Rows(&x, &[0]), Feed::Whole(&y)], "the input `x` is given shape [1, 3], not [2, 3]");
        fails(&[Feed::Rows(&x, &[0, 2]), Feed::Whole(&y)], "the input `x` is asked for row 2 of an array");
        let wrong = x.cast(DType::U8);
        fails(&[Feed::Whole(&wrong), Feed::Whole(&y)], "the input `x` is given u8, not f32");
    }

    #[test]
    fn a_variable_needs_a_value_of_the_right_shape() {
        let variable = Variable::new(Nothing);
        let _ = variable.shaped([2]);
        let check = |sizes: &[usize]| {
            check_variables([(sizes, DType::F32)].into_iter(), std::slice::from_ref(&variable))
        };
        assert_eq!(check(&[2]).unwrap_err().code(), "variable");
        variable.assign(&Array::zeros([2], DType::F32)).unwrap();
        assert!(check(&[2]).is_ok());
        assert_eq!(check(&[3]).unwrap_err().code(), "variable");
    }
}
