//! A model's tensors by their names, each of the shape that its configuration asks for.

use candle_core::safetensors::SliceSafetensors;
use candle_core::{DType, Device};

/// The tensors of one `model.safetensors`. Errors say what is wrong with the file.
pub struct Weights<'a> {
    tensors: SliceSafetensors<'a>,
}

impl<'a> Weights<'a> {
    /// Of a file's bytes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, String> {
        Ok(Self { tensors: SliceSafetensors::new(bytes).map_err(|e| e.to_string())? })
    }

    /// The entries of a tensor, row by row, as `f32`.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.tensors.load(name, &Device::Cpu).map_err(|e| format!("{name}: {e}"))?;
        if tensor.dims() != shape {
            return Err(format!("{name} has shape {:?}, the configuration asks for {shape:?}", tensor.dims()));
        }
        let entries =
            tensor.to_dtype(DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1()).map_err(|e| format!("{name}: {e}"))?;
        match entries.iter().all(|x: &f32| x.is_finite()) {
            true => Ok(entries),
            false => Err(format!("{name} has entries that are no finite numbers")),
        }
    }
}
