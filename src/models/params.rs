//! Parameters by name: reading them out, putting them back, and choosing which ones train.
//!
//! A name is the path of fields that leads to the parameter, for example `blocks.0.qkv.weight`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use super::DeviceFailed;

/// Values of every parameter, by name.
pub type Values = BTreeMap<String, TensorData>;

/// Copy every parameter to the host.
///
/// # Errors
/// When the device cannot be read.
pub fn read<M: Module>(module: &M) -> Result<Values, DeviceFailed> {
    let mut reader = Reader { path: Vec::new(), values: Values::new(), error: None };
    module.visit(&mut reader);
    match reader.error {
        Some(error) => Err(error),
        None => Ok(reader.values),
    }
}

/// Replace the parameters that `values` names; others stay. Shapes must agree (values of another shape are ignored).
pub fn write<M: Module>(module: M, values: &Values) -> M {
    module.map(&mut Writer { path: Vec::new(), values })
}

/// That `values` has every parameter of the module in its shape, and no other.
///
/// # Errors
/// In words, with the name of the first that does not fit.
pub fn check<M: Module>(module: &M, values: &Values) -> Result<(), String> {
    let mut checker = Checker { path: Vec::new(), values, seen: 0, wrong: None };
    module.visit(&mut checker);
    match checker.wrong {
        Some(wrong) => Err(wrong),
        None if checker.seen < values.len() => Err(format!("{} parameters are given, the model has {}", values.len(), checker.seen)),
        None => Ok(()),
    }
}

/// Track gradients of exactly the parameters for which `trains(name)`.
pub fn set_trained<M: Module>(module: M, trains: &dyn Fn(&str) -> bool) -> M {
    module.map(&mut Chooser { path: Vec::new(), trains })
}

/// Identity and name of every parameter.
pub fn names<M: Module>(module: &M) -> Vec<(ParamId, String)> {
    let mut lister = Lister { path: Vec::new(), names: Vec::new() };
    module.visit(&mut lister);
    lister.names
}

macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    };
}

struct Reader {
    path: Vec<String>,
    values: Values,
    error: Option<DeviceFailed>,
}

impl ModuleVisitor for Reader {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match param.val().inner_if_tracked().try_into_data() {
            Ok(data) => {
                self.values.insert(self.path.join("."), data);
            }
            Err(error) => self.error = Some(error.into()),
        }
    }
}

struct Checker<'a> {
    path: Vec<String>,
    values: &'a Values,
    seen: usize,
    wrong: Option<String>,
}

impl ModuleVisitor for Checker<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let wanted: Vec<usize> = param.val().shape().iter().copied().collect();
        let found: Option<Vec<usize>> = self.values.get(&name).map(|data| data.shape().iter().copied().collect());
        self.seen += 1;
        if found.as_ref() != Some(&wanted) && self.wrong.is_none() {
            let found = found.map_or_else(|| "missing".to_owned(), |shape| format!("of shape {shape:?}"));
            self.wrong = Some(format!("'{name}' is {found}, the model has shape {wanted:?}"));
        }
    }
}

struct Lister {
    path: Vec<String>,
    names: Vec<(ParamId, String)>,
}

impl ModuleVisitor for Lister {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.push((param.id, self.path.join(".")));
    }
}

struct Writer<'a> {
    path: Vec<String>,
    values: &'a Values,
}

impl ModuleMapper for Writer<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(data) = self.values.get(&self.path.join(".")) else { return param };
        let (id, tensor, mapper) = param.consume();
        let same_shape = data.shape().iter().eq(tensor.shape().iter());
        let tensor = match same_shape {
            true => replace(&tensor, Tensor::from_data(data.clone(), &tensor.device().inner_if_autodiff())),
            false => tensor,
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

struct Chooser<'a> {
    path: Vec<String>,
    trains: &'a dyn Fn(&str) -> bool,
}

impl ModuleMapper for Chooser<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let fresh = tensor.is_autodiff();
        let tensor = match fresh {
            true => Tensor::from_inner(tensor.inner()).set_require_grad((self.trains)(&self.path.join("."))),
            false => tensor,
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// `value` (without autodiff) in the place of `old`: with autodiff and gradient tracking when `old` had them.
pub(super) fn replace<const D: usize>(old: &Tensor<D>, value: Tensor<D>) -> Tensor<D> {
    match old.is_autodiff() {
        true => Tensor::from_inner(value).set_require_grad(old.is_require_grad()),
        false => value,
    }
}

/// The plain side of tensors and devices that may or may not carry autodiff.
pub(crate) trait Plain {
    /// Without autodiff.
    fn inner_if_tracked(self) -> Self;
}

impl<const D: usize> Plain for Tensor<D> {
    fn inner_if_tracked(self) -> Self {
        if self.is_autodiff() { self.inner() } else { self }
    }
}

/// See [`Plain`].
pub(crate) trait PlainDevice {
    /// Without autodiff.
    fn inner_if_autodiff(&self) -> Self;
}

impl PlainDevice for burn::tensor::Device {
    fn inner_if_autodiff(&self) -> Self {
        if self.is_autodiff() { self.clone().inner() } else { self.clone() }
    }
}
