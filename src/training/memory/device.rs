//! What a device has: its name, the largest array it takes, and how much memory is free. What nobody tells is not guessed.

use crate::formats::memory;
use crate::training::{DeviceChoice, NoDevice, open_device};

use super::MemoryNeed;

/// Where the memory of a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// That of the machine: the CPU, GPUs in software and integrated ones.
    Machine,
    /// Its own, of a card of this maker (PCI number).
    Own { vendor: u32 },
}

/// A device and what it can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceLimits {
    /// Name for the user.
    pub name: String,
    /// The fused kernels of the CPU train.
    pub cpu: bool,
    /// The largest array, bytes; `None` without a limit.
    pub largest_array: Option<u64>,
    memory: Memory,
}

const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;

/// Look at the device that `choice` names. Takes up to some seconds where drivers are slow.
///
/// # Errors
/// [`NoDevice`] when there is none of that kind.
pub fn device_limits(choice: DeviceChoice) -> Result<DeviceLimits, NoDevice> {
    let device = open_device(choice)?;
    if device.cpu {
        return Ok(DeviceLimits { name: device.name, cpu: true, largest_array: None, memory: Memory::Machine });
    }
    let software = choice == DeviceChoice::SoftwareGpu;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = crate::doctor::wait_for(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters.into_iter().find(|adapter| {
        let info = adapter.get_info();
        if software { info.device_type == wgpu::DeviceType::Cpu } else { info.name == device.name }
    });
    let Some(adapter) = adapter else {
        let memory = if software { Memory::Machine } else { Memory::Own { vendor: 0 } };
        return Ok(DeviceLimits { name: device.name, cpu: false, largest_array: None, memory });
    };
    let (info, limits) = (adapter.get_info(), adapter.limits());
    let memory = match info.device_type {
        wgpu::DeviceType::Cpu | wgpu::DeviceType::IntegratedGpu => Memory::Machine,
        _ => Memory::Own { vendor: info.vendor },
    };
    let largest = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    Ok(DeviceLimits { name: device.name, cpu: false, largest_array: Some(largest), memory })
}

impl DeviceLimits {
    /// The CPU of this machine.
    pub fn cpu() -> Self {
        Self { name: "CPU".to_owned(), cpu: true, largest_array: None, memory: Memory::Machine }
    }

    /// Memory that is free now, bytes; `None` where nobody tells.
    pub fn free(&self) -> Option<u64> {
        match self.memory {
            Memory::Machine => memory::available(),
            Memory::Own { vendor: NVIDIA } => {
                let asked = ["--query-gpu=name,memory.free", "--format=csv,noheader,nounits"];
                let output = std::process::Command::new("nvidia-smi").args(asked).output().ok().filter(|o| o.status.success())?;
                of_nvidia(&String::from_utf8_lossy(&output.stdout), &self.name)
            }
            Memory::Own { vendor: AMD } => of_amd(),
            Memory::Own { .. } => None,
        }
    }

    /// Why something does not fit, in words.
    pub(super) fn problem(&self, need: &MemoryNeed, free: Option<u64>, share: f64) -> Option<String> {
        let bytes = |n: f64| memory::bytes(n as u64);
        if let Some(largest) = self.largest_array.filter(|&largest| need.largest > largest as f64) {
            return Some(format!("one array of {} is larger than {} takes ({})", bytes(need.largest), self.name, memory::bytes(largest)));
        }
        let free = free.filter(|&free| need.total() > share * free as f64)?;
        Some(format!("training needs about {}, and {} of memory are free on {}", bytes(need.total()), memory::bytes(free), self.name))
    }
}

/// Lines such as `NVIDIA H200, 141523`, MiB; of several cards of the name, the one with least.
fn of_nvidia(text: &str, name: &str) -> Option<u64> {
    let card = |line: &str| -> Option<(bool, u64)> {
        let (card, mib) = line.rsplit_once(',')?;
        let (card, mib) = (card.trim(), mib.trim().parse::<u64>().ok()?);
        Some((card == name || name.contains(card), mib))
    };
    let cards: Vec<(bool, u64)> = text.lines().filter_map(card).collect();
    let named = cards.iter().filter(|(named, _)| *named).map(|(_, mib)| *mib).min();
    let mib = named.or_else(|| cards.iter().map(|(_, mib)| *mib).min())?;
    mib.checked_mul(1 << 20)
}

/// From the kernel; the card with most of it.
fn of_amd() -> Option<u64> {
    let number = |path: std::path::PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let cards = std::fs::read_dir("/sys/class/drm").ok()?.filter_map(Result::ok).map(|card| card.path().join("device"));
    cards.filter_map(|card| number(card.join("mem_info_vram_total"))?.checked_sub(number(card.join("mem_info_vram_used"))?)).max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_memory_of_cards_is_read_by_name() {
        let text = "NVIDIA RTX A4000, 15000\nNVIDIA H200, 141523\nNVIDIA H200, 100\n";
        assert_eq!(of_nvidia(text, "NVIDIA H200"), Some(100 << 20));
        assert_eq!(of_nvidia(text, "NVIDIA RTX A4000"), Some(15_000 << 20));
        assert_eq!(of_nvidia(text, "another name"), Some(100 << 20), "the least of all cards, not a guess that is too high");
        assert_eq!((of_nvidia("", "x"), of_nvidia("N/A, [N/A]", "x")), (None, None));
    }

    #[test]
    fn what_does_not_fit_is_told_with_figures() {
        let need = MemoryNeed { activations: 9.5e9, largest: 5e9, ..MemoryNeed::default() };
        let cpu = DeviceLimits::cpu();
        assert_eq!((cpu.problem(&need, Some(20_000_000_000), 0.9), cpu.problem(&need, None, 0.9)), (None, None));
        let told = cpu.problem(&need, Some(10_000_000_000), 0.9).unwrap();
        assert_eq!(told, "training needs about 9.5 GB, and 10.0 GB of memory are free on CPU");
        let gpu = DeviceLimits { largest_array: Some(2 << 30), name: "a card".into(), cpu: false, ..cpu };
        assert_eq!(gpu.problem(&need, None, 0.9).unwrap(), "one array of 5.0 GB is larger than a card takes (2.1 GB)");
    }

    #[test]
    fn the_cpu_says_what_is_free() {
        let limits = device_limits(DeviceChoice::Cpu).unwrap();
        assert!(limits.cpu && limits.largest_array.is_none());
        assert_eq!(limits.free().is_some(), cfg!(target_os = "linux"));
    }
}
