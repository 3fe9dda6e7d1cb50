//! Between tensors and arrays on the host: what every fused CPU form needs to read parameters and to hand gradients back.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array1, Array2, Array3};

use super::DeviceFailed;
use super::adam::Gradients;
use super::params::Plain;

/// The values of a tensor.
pub(super) fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, DeviceFailed> {
    tensor.inner_if_tracked().try_into_data()?.try_into_vec::<f32>().map_err(|e| DeviceFailed(format!("{e:?}")))
}

pub(super) fn vector(param: &Param<Tensor<1>>) -> Result<Array1<f32>, DeviceFailed> {
    Ok(Array1::from_vec(host(param.val())?))
}

pub(super) fn array2(tensor: Tensor<2>) -> Result<Array2<f32>, DeviceFailed> {
    let [a, b] = tensor.dims();
    Array2::from_shape_vec((a, b), host(tensor)?).map_err(|e| DeviceFailed(e.to_string()))
}

pub(super) fn array3(tensor: Tensor<3>) -> Result<Array3<f32>, DeviceFailed> {
    let [a, b, c] = tensor.dims();
    Array3::from_shape_vec((a, b, c), host(tensor)?).map_err(|e| DeviceFailed(e.to_string()))
}

pub(super) fn tensor1(array: &Array1<f32>, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(array.to_vec(), [array.len()]), device)
}

pub(super) fn tensor2(array: &Array2<f32>, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<_>>(), [array.nrows(), array.ncols()]), device)
}

pub(super) fn tensor3(array: &Array3<f32>, device: &Device) -> Tensor<3> {
    let (a, b, c) = array.dim();
    Tensor::from_data(TensorData::new(array.iter().copied().collect::<Vec<_>>(), [a, b, c]), device)
}

/// A constant in the autodiff context of what it meets.
pub(super) fn alike<const D: usize>(constant: &Tensor<D>, autodiff: bool) -> Tensor<D> {
    if autodiff { Tensor::from_inner(constant.clone()) } else { constant.clone() }
}

/// Of `gradients`, those of parameters that track gradients.
pub(super) fn of_trained<M: Module>(net: &M, gradients: Gradients) -> Gradients {
    struct Trained<'a>(&'a Gradients, Gradients);
    impl burn::module::ModuleVisitor for Trained<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let (true, Some(gradient)) = (param.val().is_require_grad(), self.0.get(param.id)) {
                self.1.add(param.id, gradient.clone());
            }
        }
    }
    let mut trained = Trained(&gradients, Gradients::new());
    net.visit(&mut trained);
    trained.1
}
