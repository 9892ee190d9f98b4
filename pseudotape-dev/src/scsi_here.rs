//! Whether this machine could have real SCSI tape drives: who runs the daemon may not know of them.

use std::fs;
use std::path::Path;

/// What `pseudotape-scsi --local` needs of the kernel.
const MODULES: [&str; 3] = ["target_core_user", "tcm_loop", "st"];

/// Tells of them in the log, where they can be had by this user.
pub(crate) fn tell() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if nix::unistd::geteuid().is_root() && can_be_had(Path::new("/"), Path::new(release.trim())) {
        log::info!(
            "this machine can also have SCSI devices, /dev/nst0 and /dev/sg0 of the kernel's own drivers: \
             pseudotape-scsi --local"
        );
    }
}

/// Whether each module is loaded, installed for this release of the kernel, or built in.
fn can_be_had(root: &Path, release: &Path) -> bool {
    let installed = root.join("lib/modules").join(release);
    let list = |name| fs::read_to_string(installed.join(name)).unwrap_or_default();
    let lists = ["modules.dep", "modules.builtin"].map(list);
    let is_listed = |module: &str| {
        let file = format!("/{module}.ko");
        let mut lines = lists.iter().flat_map(|list| list.lines());
        // Behind the colon is what the module needs.
        lines.any(|line| line.split(':').next().is_some_and(|of| of.contains(&file)))
    };
    let is_loaded = |module: &str| root.join("sys/module").join(module).is_dir();
    MODULES
        .iter()
        .all(|module| is_loaded(module) || is_listed(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_is_needed_loaded_or_installed() {
        let root = tempfile::tempdir().unwrap();
        let can = || can_be_had(root.path(), Path::new("6.1"));
        assert!(!can());
        let installed = root.path().join("lib/modules/6.1");
        fs::create_dir_all(&installed).unwrap();
        let list = "kernel/drivers/target/loopback/tcm_loop.ko: kernel/drivers/scsi/st.ko\n";
        fs::write(installed.join("modules.dep"), list).unwrap();
        fs::create_dir_all(root.path().join("sys/module/target_core_user")).unwrap();
        assert!(!can(), "st is only named behind a colon");
        fs::write(
            installed.join("modules.builtin"),
            "kernel/drivers/scsi/st.ko\n",
        )
        .unwrap();
        assert!(can());
    }
}
