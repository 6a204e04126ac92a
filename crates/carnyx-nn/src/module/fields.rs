//! What fields of layers may be beside layers of one's own: variables, plain data, and others in lists, tuples and
//! pointers.

use super::{ForkPointer, Forks, Found, Module, Visitor};
use carnyx_graph::{Array, DType, Mode, Variable};
use std::sync::Arc;

impl Module for Variable {
    fn fork(&self, forks: &mut Forks) -> Variable {
        forks.variable(self)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.found(Found::Variable(self));
    }
}

macro_rules! without_variables {
    ($($type:ty),* $(,)?) => { $(
        impl Module for $type {
            fn visit(&self, _visitor: &mut Visitor) {}

            fn fork(&self, _forks: &mut Forks) -> Self {
                self.clone()
            }
        }
    )* };
}

without_variables!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    String,
    &'static str,
    Mode,
    DType,
    Array,
);

impl<M: Module> Module for Option<M> {
    fn fork(&self, forks: &mut Forks) -> Option<M> {
        self.as_ref().map(|module| module.fork(forks))
    }

    fn visit(&self, visitor: &mut Visitor) {
        if let Some(module) = self {
            module.visit(visitor);
        }
    }

    fn kind(&self) -> &'static str {
        self.as_ref().map_or("", Module::kind)
    }

    fn name(&self) -> Option<&str> {
        self.as_ref().and_then(Module::name)
    }

    fn detail(&self) -> Option<String> {
        self.as_ref().and_then(Module::detail)
    }

    fn config(&self) -> Option<crate::Config> {
        self.as_ref().and_then(Module::config)
    }
}

fn visit_all<'m, M: Module + 'm>(modules: impl IntoIterator<Item = &'m M>, visitor: &mut Visitor) {
    for (i, module) in modules.into_iter().enumerate() {
        visitor.field(&i.to_string(), module);
    }
}

impl<M: Module> Module for Vec<M> {
    fn fork(&self, forks: &mut Forks) -> Vec<M> {
        self.iter().map(|module| module.fork(forks)).collect()
    }

    fn visit(&self, visitor: &mut Visitor) {
        visit_all(self, visitor);
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn fork(&self, forks: &mut Forks) -> [M; N] {
        std::array::from_fn(|i| self[i].fork(forks))
    }

    fn visit(&self, visitor: &mut Visitor) {
        visit_all(self, visitor);
    }
}

macro_rules! pointers {
    ($($pointer:ident $fork:ident),*) => { $(
        impl<M: Module + ForkPointer + ?Sized> Module for $pointer<M> {
            fn fork(&self, forks: &mut Forks) -> $pointer<M> {
                (**self).$fork(forks)
            }

            fn visit(&self, visitor: &mut Visitor) {
                (**self).visit(visitor);
            }

            fn kind(&self) -> &'static str {
                (**self).kind()
            }

            fn name(&self) -> Option<&str> {
                (**self).name()
            }

            fn detail(&self) -> Option<String> {
                (**self).detail()
            }

            fn config(&self) -> Option<crate::Config> {
                (**self).config()
            }
        }
    )* };
}

pointers!(Box fork_box, Arc fork_arc);

macro_rules! tuples {
    ($(($($module:ident $index:tt),*))*) => { $(
        impl<$($module: Module),*> Module for ($($module,)*) {
            fn fork(&self, forks: &mut Forks) -> Self {
                ($(self.$index.fork(forks),)*)
            }

            fn visit(&self, visitor: &mut Visitor) {
                $(visitor.field(stringify!($index), &self.$index);)*
            }
        }
    )* };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}
