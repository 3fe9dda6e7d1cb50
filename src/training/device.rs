//! Which device trains: discrete GPU, else integrated GPU, else the CPU. A software adapter only when it is named.

use burn::tensor::{Device, DeviceKind};

use super::DeviceChoice;

/// A device for training, without autodiff.
#[derive(Debug, Clone)]
pub struct TrainingDevice {
    /// burn's handle.
    pub device: Device,
    /// Name for the user.
    pub name: String,
    /// True for the CPU: training then runs in the fused kernels.
    pub cpu: bool,
}

/// No device of the kind that was asked for.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[error("there is no {wanted} on this machine; choose another device (the CPU always works)")]
pub struct NoDevice {
    wanted: &'static str,
}

/// Open the device that `choice` names.
///
/// # Errors
/// [`NoDevice`] when there is none of that kind.
pub fn open(choice: DeviceChoice) -> Result<TrainingDevice, NoDevice> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Auto => Ok(gpu().unwrap_or_else(cpu)),
        DeviceChoice::Gpu => gpu().ok_or(NoDevice { wanted: "GPU" }),
        DeviceChoice::SoftwareGpu => software().ok_or(NoDevice { wanted: "software GPU" }),
    }
}

pub(super) fn cpu() -> TrainingDevice {
    TrainingDevice { device: Device::flex(), name: format!("CPU, {} threads", rayon::current_num_threads()), cpu: true }
}

/// The best real GPU. Opening it may fail (no driver, no memory): that is the same as having none.
fn gpu() -> Option<TrainingDevice> {
    // Empty with only a software adapter.
    let physical = Device::enumerate_physical();
    let name = physical.first()?.name.clone();
    [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0)].into_iter().find_map(|kind| {
        let device = Device::wgpu_options().device_kind(kind).init().ok()?;
        Some(TrainingDevice { device, name: name.clone(), cpu: false })
    })
}

fn software() -> Option<TrainingDevice> {
    let device = Device::wgpu_options().device_kind(DeviceKind::Cpu).init().ok()?;
    Some(TrainingDevice { device, name: "software GPU".to_owned(), cpu: false })
}
